"""Sections of recognised actions, and splits that leak, from a study of two splits."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from reports.baselines import Protocol, Standing, compare_protocols
from reports.contents import contents
from reports.figures.class_recall import recall_figure, recall_panels, recall_summary
from reports.figures.confusion import Confusion, confusion_summary, confusion_width, confusions
from reports.figures.curves import stage_curves
from reports.leaky_splits import is_leaky, leak_gaps
from reports.notation import metric_name
from reports.page import render
from reports.tables.confused_pairs import most_confused
from reports.tables.flags import study_flags
from reports.tables.held_out import held_out_table
from reports.tables.protocols import measure
from reports.tables.stages import stage_tables
from reports.tables.summary import summarise
from reports.tables.training import training_tables
from reports.tables.video_scoring import scoring_sentence
from trackers.records import (
    CandidateRecord,
    CellRecord,
    ConfigurationRecord,
    DecisionRecord,
    EpochRecord,
    JsonValue,
    Outcome,
    StageRecord,
    StudyRecord,
    TestScoreRecord,
    TrialRecord,
)

Keep = Callable[..., StudyRecord]
TOP1 = {"grouped": 0.54, "random": 0.85}
CLASSES = ["run", "walk"]
FOLDED: dict[str, JsonValue] = {
    "data.clip.frames": 8,
    "data.split.policy": "random",
    "data.split.folds": 5,
}
SETTINGS: dict[str, JsonValue] = {
    "data.dataset": "ucf101",
    "data.classes": [],
    "data.clip.frames": 16,
    "data.clip.views": 3,
    "data.clip.crops": 1,
    "training.schedule.name": "plateau",
    "training.weight_decay": 1e-5,
}


def cell(policy: str, seed: int) -> CellRecord:
    top1 = TOP1[policy] + 0.01 * seed
    values = {"top1": top1, "top5": 0.9, "loss": 1.0, "recall_run": 0.5, "recall_walk": 0.7}
    metrics = {f"val/{name}": value for name, value in values.items()}
    seen = {**metrics, "train/top1": 0.95, "train/top5": 1.0, "train/loss": 0.1}
    trial = TrialRecord(
        f"{policy}-{seed}", 1, Outcome.COMPLETE, "", "cpu", "node", 0, 60, 0, "folder"
    )
    return CellRecord(
        id=f"{policy}-{seed}",
        settings={**SETTINGS, "data.split.policy": policy},
        seed=seed,
        group="",
        outcome=Outcome.COMPLETE,
        reason="",
        metrics=metrics,
        best_epoch=2,
        epochs=tuple(EpochRecord(epoch, seen, 10.0 * epoch, 8 * epoch, 0) for epoch in (1, 2)),
        trials=(replace(trial, effective={"classes": CLASSES}),),
        train_macs=1e9,
        class_slugs={name: name for name in CLASSES},
    )


def candidate(policy: str) -> CandidateRecord:
    values = {f"seed {seed}": TOP1[policy] + 0.01 * seed for seed in range(2)}
    mean = sum(values.values()) / 2
    gap = None if policy == "random" else -0.31
    means = (mean, mean, mean)  # with its interval
    return CandidateRecord(policy, values, (), *means, gap, gap, gap, 1e9, 20, is_tied=False)


@pytest.fixture
def actions(build: Callable[[int], StudyRecord]) -> StudyRecord:
    """Two splits, two seeds each; the random one has won."""
    cells = {
        made.id: made for policy in TOP1 for seed in range(2) for made in [cell(policy, seed)]
    }
    configurations = tuple(
        ConfigurationRecord(
            policy, None, {"data.split.policy": policy}, "", (f"{policy}-0", f"{policy}-1")
        )
        for policy in TOP1
    )
    candidates = tuple(candidate(policy) for policy in TOP1)
    rule = "random has the best mean."
    decision = DecisionRecord(
        "split", "", "val/top1", "maximize", ("random",), candidates, rule, 0.95, ()
    )
    varied = {"data.split.policy": list(TOP1)}
    stage = StageRecord("split", False, varied, {}, {}, configurations, (decision,), 4)
    scores = TestScoreRecord(
        "split",
        "random",
        "random-0",
        {"test/top1": 0.84, "test/recall_run": 0.8, "test/recall_walk": 0.88},
    )
    return replace(
        build(0),
        name="actions",
        task="action_recognition",
        metric="val/top1",
        base=SETTINGS,
        stages=(stage,),
        cells=cells,
        baselines=(),
        test_scores=(scores,),
        test_looks=1,
        is_finished=True,
        note="",
    )


def scores(run: float, walk: float | None) -> dict[str, Any]:
    return {
        "videos": 20,
        "clips_per_video": [3],
        "classes": {
            "run": {"videos": 12, "recall": run, "precision": 0.5},
            "walk": {"videos": 8 if walk is not None else 0, "recall": walk, "precision": None},
        },
    }


@pytest.fixture
def kept(actions: StudyRecord, keep: Keep) -> StudyRecord:
    """Both seeds of the winner kept the files of validation."""
    for seed, matrix in enumerate(([[9, 3], [1, 7]], [[10, 2], [3, 5]])):
        content = {"labels": CLASSES, "matrix": matrix, "unit": "videos"}
        actions = keep(actions, f"random-{seed}", "confusion_val", content)
        found = scores(0.9 - 0.2 * seed, 0.5)
        actions = keep(actions, f"random-{seed}", "class_scores_val", found)
    return actions


class TestOtherValidationSets:
    def test_are_said_of_the_stage_and_of_the_answer(self, actions: StudyRecord) -> None:
        (stage,) = stage_tables(actions)
        assert stage.caution == (
            "The validation sets of these configurations differ (by split policy): a difference "
            "between their scores is one of the samples as well, and no seed more would tell "
            "which."
        )
        assert summarise(actions).sentences[1].endswith(stage.caution)
        assert render(actions).count("sets of these configurations differ") == 2

    def test_same_one_is_not_spoken_of(self, study: StudyRecord) -> None:
        assert {stage.caution for stage in stage_tables(study)} == {""}
        assert "sets of these" not in " ".join(summarise(study).sentences)

    def test_numbers_of_official_splits_are_other_sets(self, actions: StudyRecord) -> None:
        cells = {}
        for name, cell in actions.cells.items():
            number: dict[str, JsonValue] = {
                "data.split.policy": "given",
                "data.split_list": 1 + (name > "r"),
            }
            cells[name] = replace(cell, settings={**cell.settings, **number})
        (stage,) = stage_tables(replace(actions, cells=cells))
        assert "differ (by split list)" in stage.caution


class TestLeakySplit:
    @pytest.mark.parametrize(
        ("settings", "leaks"),
        [
            ({"data.clip.frames": 8, "data.split.policy": "random"}, True),
            ({"data.clip.frames": 8, "data.split.policy": "stratified"}, True),
            ({"data.clip.frames": 8, "data.split.policy": "grouped"}, False),
            ({"data.clip.frames": 8, "data.split.policy": "given"}, False),
            ({"data.dataset": "camvid", "data.split.policy": "random"}, True),
            ({"data.dataset": "coco", "data.split.policy": "random"}, False),
            ({**FOLDED, "data.split.folds": None}, True),
            (FOLDED, False),
        ],
    )
    def test_is_one_that_cuts_the_groups_of_data_that_have_some(
        self, settings: dict[str, Any], leaks: bool
    ) -> None:
        assert is_leaky(settings, "val/top1") is leaks

    def test_with_folds_is_that_of_the_test_scores_alone(self, actions: StudyRecord) -> None:
        assert is_leaky(FOLDED, "test/top1")
        cells = {
            name: replace(cell, settings={**cell.settings, "data.split.folds": 5})
            for name, cell in actions.cells.items()
        }
        folded = replace(actions, cells=cells)
        (flag,) = [each for each in study_flags(folded) if "Leaky split" in each.text]
        assert "into the test split and into what the networks were made with" in flag.text
        assert "so the test scores of 2 cells are far too high" in flag.text
        assert [row.is_leaky for row in stage_tables(folded)[0].rows] == [False, False]
        assert [row.is_leaky for row in held_out_table(folded).rows] == [True]
        assert leak_gaps(folded) == ()

    def test_gap_to_the_sound_split_is_said(self, actions: StudyRecord) -> None:
        assert leak_gaps(actions) == (
            "validation top-1: random 0.855 against grouped 0.545, a gap of +0.310.",
        )

    def test_gap_is_only_between_what_differs_in_nothing_but_the_split(
        self, actions: StudyRecord
    ) -> None:
        grouped, random = actions.stages[0].configurations
        other = replace(random, varied={**random.varied, "training.batch_size": 4})
        stage = replace(actions.stages[0], configurations=(grouped, other))
        assert leak_gaps(replace(actions, stages=(stage,))) == ()

    def test_is_among_the_flags_and_in_the_answer(self, actions: StudyRecord) -> None:
        (flag,) = [each for each in study_flags(actions) if "Leaky split" in each.text]
        assert flag.level == "warning"
        assert "the scores of 2 cells are far too high" in flag.text
        assert "Validation top-1: random 0.855 against grouped 0.545" in flag.text
        assert (
            summarise(actions)
            .sentences[0]
            .endswith("of a leaky split: no estimate for new recordings.")
        )

    def test_marks_rows_of_every_table(self, actions: StudyRecord) -> None:
        (stage,) = stage_tables(actions)
        assert [row.is_leaky for row in stage.rows] == [False, True]
        rows = training_tables(actions)["split"].rows
        assert [row.is_leaky for row in rows] == [False, True]
        assert [row.is_leaky for row in held_out_table(actions).rows] == [True]
        assert render(actions).count("leaky split</span>") == 5  # two by class

    def test_sound_study_says_nothing_of_leaks(self, study: StudyRecord) -> None:
        assert not [each for each in study_flags(study) if "eaky" in each.text]
        assert "leaky split</span>" not in render(study)


def test_training_table_has_the_columns_of_the_thesis(actions: StudyRecord) -> None:
    table = training_tables(actions)["split"]
    assert [metric_name(each) for each in (*table.metrics, table.objective)] == [
        "training top-1",
        "training top-5",
        "validation top-5",
        "training loss",
        "validation loss",
        "validation top-1",
    ]
    assert table.rows[1].metrics == (0.95, 1.0, 0.9, 0.1, 1.0)


def test_top_1_and_top_5_have_curves(actions: StudyRecord) -> None:
    drawn = [curves.metric for curves in stage_curves(actions, 0)]
    assert drawn == ["val/top1", "val/top5", "train/top1", "val/loss", "train/loss"]


def test_recalls_are_means_over_seeds_the_least_first(kept: StudyRecord) -> None:
    (panel,) = recall_panels(kept)
    assert [(each.name, each.samples) for each in panel.classes] == [("walk", 8), ("run", 12)]
    assert [each.recall for each in panel.classes] == pytest.approx([0.5, 0.8])
    assert recall_summary(panel) == (
        "Validation split, 2 networks, each scored on at most 20 videos: mean of 2 classes 0.650; "
        "least walk (0.500), most run (0.800)."
    )
    bars = recall_figure(panel).data[0]
    assert tuple(bars.x) == pytest.approx((0.5, 0.8))
    assert bars.customdata[0][1] == "\N{EN DASH}", "walk was never predicted"


def test_class_without_a_video_has_no_bar(actions: StudyRecord, keep: Keep) -> None:
    study = keep(actions, "random-0", "class_scores_val", scores(0.9, None))
    (panel,) = recall_panels(study)
    assert [each.name for each in panel.classes] == ["run"]


def test_confused_pairs_are_ordered_by_their_share_of_the_class(kept: StudyRecord) -> None:
    (found,) = confusions(kept)
    assert "0.775 of the videos are right" in confusion_summary(found)
    first, second = most_confused(found)
    assert (first.truth, first.prediction, first.count, first.of, first.back) == (
        "walk",
        "run",
        4,
        16,
        5,
    )
    assert first.share == 0.25
    assert second.truth == "run"
    assert second.share == pytest.approx(5 / 24)
    assert most_confused(found, most=1) == (first,)


def test_matrix_of_a_hundred_classes_stays_readable(kept: StudyRecord) -> None:
    (small,) = confusions(kept)
    names = tuple(f"action {index}" for index in range(101))
    many = Confusion("winner", "", "val", 1, names, small.matrix, unit="videos")
    assert confusion_width(many) < 2000


def test_views_and_crops_are_stated(kept: StudyRecord) -> None:
    sentence = (
        "A video is scored by 3 views x 1 crop of 16 frames: the mean of their probabilities."
    )
    assert scoring_sentence(kept) == sentence
    assert contents(kept).recognition.scoring == sentence
    assert render(kept).count(sentence) == 2, "beside the actions and the test split"


def test_page_shows_recall_pairs_and_matrix(kept: StudyRecord) -> None:
    text = render(kept)
    for words in (
        '<section id="recognition"',
        'href="#recognition"',
        "Most confused pairs of split policy random",
        "each column what its videos were taken for",
    ):
        assert words in text, words


def test_page_of_pictures_has_no_section_of_actions(study: StudyRecord) -> None:
    assert '<section id="recognition"' not in render(study)


def test_test_scores_by_class_are_a_table_of_their_own(actions: StudyRecord) -> None:
    table = held_out_table(actions)
    assert table.metrics == ("test/top1",)
    assert table.class_headers == ("recall",)
    assert [(row.class_name, row.values) for row in table.class_rows] == [
        ("run", (0.8,)),
        ("walk", (0.88,)),
    ]


CITED = Protocol(
    task="action_recognition",
    dataset="ucf101",
    class_name="all",
    metric="top1",
    split="val",
    frames=16,
    views=3,
    crops=1,
    split_policy="grouped",
    weight_decay=1e-5,
    schedule="plateau",
)


def test_protocol_of_a_cell_states_clips_split_and_schedule(actions: StudyRecord) -> None:
    found = measure(actions, actions.cells["grouped-0"], "all", metric="top1", split="val")
    assert found is not None
    verdict = compare_protocols(CITED, found.protocol)
    assert verdict.standing is Standing.SAME, verdict.reasons


def test_training_scores_have_no_views(actions: StudyRecord) -> None:
    found = measure(actions, actions.cells["grouped-0"], "all", metric="top1", split="train")
    assert found is not None
    assert (found.value, found.protocol.views, found.protocol.crops) == (0.95, None, None)


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        (
            {"split_policy": "random"},
            "not comparable because split policy random, theirs grouped",
        ),
        ({"split_policy": "given"}, "comparable with care: split policy given, theirs grouped"),
        ({"frames": 64}, "not comparable because clip frames 64, theirs 16"),
        ({"frames": 32}, "comparable with care: clip frames 32, theirs 16"),
        (
            {"views": 1, "crops": 3},
            "comparable with care: views per video 1, theirs 3; crops per view 3, theirs 1",
        ),
        ({"schedule": "step"}, "comparable with care: schedule step, theirs plateau"),
    ],
)
def test_differences_of_videos_have_their_verdicts(changes: dict[str, Any], sentence: str) -> None:
    assert compare_protocols(CITED, replace(CITED, **changes)).sentence == sentence


def test_pictures_are_not_asked_for_clips() -> None:
    picture = replace(CITED, task="semantic_segmentation", split_policy=None, frames=None)
    verdict = compare_protocols(picture, replace(picture, split_policy="random"))
    assert verdict.standing is Standing.SAME
    assert not {"clip frames", "split policy"} & set(verdict.unstated)
