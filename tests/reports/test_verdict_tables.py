"""What a report says of the study as a whole, of fresh seeds, neighbours and importance."""

import re
from dataclasses import replace

import pytest

from reports.page import render
from reports.study_verdict import study_verdict, verdict
from reports.tables.confirmation import confirmation_sentence, confirmation_table
from reports.tables.importance import importance_tables
from reports.tables.probe import probe_table
from trackers.records import (
    CandidateRecord,
    CellRecord,
    ConfigurationRecord,
    DecisionRecord,
    ImportanceRecord,
    Outcome,
    StageRecord,
    StudyRecord,
)

SELECTED, FRESH = (0.80, 0.82), (0.70, 0.71)


def judged(name: str, mean: float, difference: float | None, *, half: float) -> CandidateRecord:
    low = None if difference is None else difference - half
    high = None if difference is None else difference + half
    return CandidateRecord(
        configuration=name,
        values={"seed 0": mean, "seed 1": mean},
        missing=(),
        mean=mean,
        low=mean - half,
        high=mean + half,
        difference=difference,
        difference_low=low,
        difference_high=high,
        train_macs=1.0,
        seconds=1.0,
        is_tied=low is None or high is None or low <= 0 <= high,
    )


def decision(stage: str, *candidates: CandidateRecord, chance: float | None) -> DecisionRecord:
    first = candidates[0].configuration
    return DecisionRecord(
        stage,
        "",
        "val/iou",
        "maximize",
        (first,),
        candidates,
        "a rule",
        0.95,
        (),
        chance=chance,
        reference=first,
    )


def of_chance(stage: str, chance: float | None) -> DecisionRecord:
    return decision(
        stage, judged("a", 0.8, None, half=1), judged("b", 0.7, -0.1, half=1), chance=chance
    )


def cell(name: str, seed: int, score: float) -> CellRecord:
    metrics = {"val/iou": score}
    return CellRecord(name, {}, seed, "", Outcome.COMPLETE, "", metrics, 1, (), (), 1.0)


def stage(kind: str, about: str, *chosen: ConfigurationRecord, by: DecisionRecord) -> StageRecord:
    return StageRecord(by.stage, False, {}, {}, {}, chosen, (by,), 0, kind=kind, about=about)


@pytest.fixture
def confirmed(study: StudyRecord) -> StudyRecord:
    """A winner whose luck leaves it on two fresh seeds, and a runner-up that overtakes it."""
    scores = {"w": (*SELECTED, *FRESH), "r": (0.79, 0.80, 0.75, 0.78)}
    cells = {
        f"{k}{s}": cell(f"{k}{s}", s, v) for k, own in scores.items() for s, v in enumerate(own)
    }
    chosen = [
        ConfigurationRecord(
            f"c.{n}", None, {"training.batch_size": n}, "", tuple(f"{k}{s}" for s in range(4))
        )
        for n, k in enumerate(scores, start=1)
    ]
    by = decision(
        "fresh seeds",
        judged("c.1", 0.705, None, half=0.05),
        judged("c.2", 0.765, 0.06, half=0.1),
        chance=0.3,
    )
    return replace(
        study,
        settings={**study.settings, "search": {"replicates": 2}},
        cells={**study.cells, **cells},
        afterwards=(stage("confirmation", "batch", *chosen, by=by),),
    )


@pytest.fixture
def probed(study: StudyRecord) -> StudyRecord:
    """Final settings between a neighbour that is surely better and one that is worse."""
    rates = {"p1.1": 0.01, "p1.2": 0.1, "p1.3": 0.001}
    chosen = [
        ConfigurationRecord(name, None, {"training.learning_rate": rate}, "", ())
        for name, rate in rates.items()
    ]
    judgements = (("p1.1", 0.8, None), ("p1.2", 0.9, 0.1), ("p1.3", 0.7, -0.1))
    by = decision("beside rate", *(judged(*each, half=0.02) for each in judgements), chance=0.001)
    return replace(study, afterwards=(stage("probe", "rate", *chosen, by=by),))


@pytest.mark.parametrize(
    ("chances", "told"),
    [
        ((0.04,), ("0",)),
        ((0.04, 0.04), ()),  # Holm: the smaller of two must be below 0.025
        ((0.02, 0.04), ("0", "1")),  # then the other one alone below 0.05
        ((0.001, 0.02, 0.03), ("0", "1", "2")),
        ((0.001, 0.03, 0.03), ("0",)),
    ],
)
def test_decisions_share_the_error_by_holms_rule(
    chances: tuple[float, ...], told: tuple[str, ...]
) -> None:
    found = verdict([of_chance(str(n), chance) for n, chance in enumerate(chances)])
    assert found.told == told
    assert set(found.told) | set(found.not_told) == {str(n) for n in range(len(chances))}


def test_study_without_differences_says_so() -> None:
    found = verdict([of_chance("rate", 0.4), of_chance("batch", 0.9)])
    assert found.sentence == (
        "Over its 2 decisions together the study shows no difference at 95\N{NO-BREAK SPACE}% "
        "confidence; what was chosen may be chance."
    )


def test_one_replicate_is_said_to_tell_nothing() -> None:
    lone = judged("b", 0.7, -0.1, half=1)
    lone = replace(lone, difference_low=None, difference_high=None)
    found = verdict([decision("rate", judged("a", 0.8, None, half=1), lone, chance=None)])
    assert found.sentence.endswith("another seed may turn every choice.")


def test_intervals_over_images_are_said_to_tell_nothing_of_seeds() -> None:
    over_images = replace(of_chance("rate", None), interval="images")
    assert verdict([over_images]).sentence.startswith("Intervals are over images")


def test_study_of_an_older_release_is_not_judged(study: StudyRecord) -> None:
    assert study_verdict(study).sentence == "", "its decisions tell no chance"


def test_confirmation_says_what_selection_had_flattered_by(confirmed: StudyRecord) -> None:
    table = confirmation_table(confirmed)
    assert table is not None
    winner, runner_up = table.rows
    assert (winner.selected, winner.confirmed) == pytest.approx((0.81, 0.705))
    assert winner.drop == pytest.approx(0.105)
    assert (winner.is_winner, runner_up.is_winner) == (True, False)
    assert winner.seeds == (2, 3)
    assert confirmation_sentence(confirmed).startswith(
        "On 2 fresh seeds the winner scores 0.705, \N{MINUS SIGN}0.105 to the 0.810 it was "
        "chosen for."
    )


def test_what_was_chosen_under_other_settings_shows_no_drop(confirmed: StudyRecord) -> None:
    held = {"training.epochs": 1}
    earlier, (after,) = confirmed.stages[0], confirmed.afterwards
    first, second = earlier.configurations[:2]
    fresh = tuple(
        replace(each, parent=of.id, cells=each.cells[2:])
        for each, of in zip(after.configurations, (first, second), strict=True)
    )
    after = replace(after, about=earlier.name, configurations=fresh)
    stages = (replace(earlier, held=held), *confirmed.stages[1:])
    screened = replace(confirmed, stages=stages, afterwards=(after,))
    table = confirmation_table(screened)
    assert table is not None
    by_id = {c.configuration: c.mean for c in earlier.decisions[0].candidates}
    assert [row.selected for row in table.rows] == [by_id[first.id], by_id[second.id]]
    assert [row.drop for row in table.rows] == [None, None]
    assert confirmation_sentence(screened).startswith(
        f"On 2 fresh seeds the winner scores 0.705. Stage {earlier.name} chose with epochs 1 "
        "and fresh seeds are trained without that"
    )
    assert table.caution in render(screened)


def test_changed_order_is_said_loudly(confirmed: StudyRecord) -> None:
    table = confirmation_table(confirmed)
    assert table is not None
    assert table.overtaken == (
        "The order turns: on fresh seeds batch size 2 is better than the winner by 0.060, though "
        "that may be chance; the winner stays what the tree chose.",
    )


def test_probe_names_what_the_path_missed(probed: StudyRecord) -> None:
    table = probe_table(probed)
    assert table is not None
    assert [(row.label, row.verdict) for row in table.rows] == [
        ("learning rate 0.1", "missed"),
        ("learning rate 1e-3", "not better"),
    ]
    assert table.final == 0.8
    assert table.answer.startswith(
        "The greedy path missed something: with the final settings learning rate 0.1 (stage rate)"
    )


def test_importance_says_what_it_is_of(study: StudyRecord) -> None:
    records = (
        ImportanceRecord("s", "PED-ANOVA", {"training.a": 0.3, "training.b": 0.7}, 12, 3),
        ImportanceRecord("s", "fANOVA", {"training.a": 0.6, "training.b": 0.4}, 12, 3),
    )
    (table,) = importance_tables(replace(study, importance=records))
    assert [(row.label, row.shares) for row in table.rows] == [
        ("b", (0.7, 0.4)),
        ("a", (0.3, 0.6)),
    ]
    assert [caution.split(" ")[0] for caution in table.cautions] == ["Only", "3", "PED-ANOVA"]


def test_page_holds_every_part_and_escapes_it(confirmed: StudyRecord, probed: StudyRecord) -> None:
    importance = (ImportanceRecord("<b>s</b>", "fANOVA", {"training.a": 1.0}, 60, 0),)
    whole = replace(
        confirmed, afterwards=(*confirmed.afterwards, *probed.afterwards), importance=importance
    )
    page = render(whole, generated_at="now")
    for section in ("confirmation", "probe", "importance"):
        assert len(re.findall(f'<section id="{section}"', page)) == 1
        assert f'href="#{section}"' in page
    assert "<b>s</b>" not in page


def test_page_without_them_has_no_such_parts(study: StudyRecord) -> None:
    page = render(study, generated_at="now")
    assert not re.findall('<section id="(confirmation|probe|importance)"', page)
