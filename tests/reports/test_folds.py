"""What a report tells of a cross-validated study, and what it does not claim."""

from dataclasses import replace

import numpy as np
import pytest
from scipy import stats

from reports.baselines.verdict import Judgement, Verdict
from reports.figures.class_bars import class_bars, class_bars_table
from reports.folds import CROSS_VALIDATED, fold_note, folds_of, overlap_of
from reports.several.comparison import compare_studies
from reports.tables.comparison import comparison
from reports.tables.ledger import ledger
from trackers.records import CellRecord, StudyRecord

FOLDS = 3


def as_folds(study: StudyRecord) -> StudyRecord:
    """Return a study as if its three seeds were three folds of one seed."""

    def cell(one: CellRecord) -> CellRecord:
        fold = {"data.split.folds": FOLDS, "data.split.fold": one.seed}
        return replace(one, seed=0, settings={**one.settings, **fold})

    cells = {name: cell(one) for name, one in study.cells.items()}
    data = {"dataset": "street_scenes", "folds": FOLDS}
    base = {**study.base, "data.split.folds": FOLDS, "data.split.fold": 0}
    return replace(study, cells=cells, settings={**study.settings, "data": data}, base=base)


def with_classes(study: StudyRecord) -> StudyRecord:
    """Give each cell a value of two classes: its own."""

    def cell(one: CellRecord) -> CellRecord:
        values = {f"val/iou_{name}": one.metrics.get("val/iou", 0.0) for name in ("person", "car")}
        slugs = {"person": "person", "car": "car"}
        metrics = one.metrics and {**one.metrics, **values}
        return replace(one, class_slugs=slugs, metrics=metrics)

    return replace(study, cells={name: cell(one) for name, one in study.cells.items()})


@pytest.fixture
def folded(study: StudyRecord) -> StudyRecord:
    return as_folds(with_classes(study))


@pytest.fixture
def cited(class_study: StudyRecord) -> StudyRecord:
    """Return a study of three seeds whose car is cited, a tenth below what is printed."""
    cells = dict(class_study.cells)
    (configuration,) = class_study.stages[0].configurations
    known = cells["base=0/car/0"]
    for seed in range(3):
        scored = {**known.metrics, "test/iou": 0.05 + 0.001 * seed}
        cells[f"car-{seed}"] = replace(known, id=f"car-{seed}", seed=seed, metrics=scored)
    base = replace(configuration, cells=tuple(f"car-{seed}" for seed in range(3)))
    stages = (replace(class_study.stages[0], configurations=(base,)),)
    return replace(class_study, cells=cells, stages=stages, baselines=("thesis/table-7",))


def judgement_of_cars(study: StudyRecord) -> Judgement:
    [table] = comparison(study)
    [row] = [each for each in table.rows if each.row == "Car"]
    number = row.numbers[table.columns.index("test/iou")]
    assert number is not None
    assert number.judgement is not None
    return number.judgement


def test_no_verdict_beside_a_published_number_rests_on_folds(cited: StudyRecord) -> None:
    assert judgement_of_cars(cited).verdict is Verdict.BELOW
    by_folds = judgement_of_cars(as_folds(cited))
    assert (by_folds.verdict, by_folds.half) == (Verdict.CANNOT_SAY, None)
    assert by_folds.reason == CROSS_VALIDATED


def test_no_verdict_on_two_studies_rests_on_folds(study: StudyRecord, folded: StudyRecord) -> None:
    found = compare_studies(folded, folded).difference
    assert found is not None
    assert (found.verdict, found.low, found.high) == (Verdict.CANNOT_SAY, None, None)
    assert found.reason == CROSS_VALIDATED
    by_seeds = compare_studies(study, study).difference
    assert by_seeds is not None
    assert by_seeds.reason != CROSS_VALIDATED


def test_whiskers_of_classes_are_wider_for_what_folds_share(folded: StudyRecord) -> None:
    bars = class_bars(folded)[0]
    winner = folded.stages[-1].decisions[0].winners[0]
    [final] = [each for each in folded.stages[-1].configurations if each.id == winner]
    values = [folded.cells[cell].metrics["val/iou_car"] for cell in final.cells]
    error = np.std(values, ddof=1) * (1 / FOLDS + 1 / (FOLDS - 1)) ** 0.5
    [row] = [each for each in bars.rows if each.name == "car"]
    assert row.winner.high == pytest.approx(
        np.mean(values) + stats.t.ppf(0.975, FOLDS - 1) * error
    )
    assert "Folds" in class_bars_table(bars).columns


def test_the_ledger_names_the_fold_of_each_cell(study: StudyRecord, folded: StudyRecord) -> None:
    assert ledger(folded).has_folds
    assert {row.fold for row in ledger(folded).rows} == {0, 1, 2}
    assert not ledger(study).has_folds


@pytest.mark.parametrize(
    ("folds", "words"),
    [
        (2, "one trains on what the other is validated on"),
        (5, "any two of them share 3/4 of their training images"),
        (10, "any two of them share 8/9 of their training images"),
    ],
)
def test_the_note_says_what_folds_share(study: StudyRecord, folds: int, words: str) -> None:
    record = replace(study, settings={**study.settings, "data": {"folds": folds}})
    note = fold_note(record)
    assert words in note
    assert f"1/{folds} + 1/{folds - 1}" in note
    assert "They do not say what another data set would give" in note
    assert overlap_of(record) == pytest.approx(1 / (folds - 1))


def test_a_study_of_one_named_fold_is_not_cross_validated(folded: StudyRecord) -> None:
    data = {"split": {"folds": 3, "fold": 1}}
    one = replace(folded, settings={**folded.settings, "data": data})
    assert fold_note(one) == ""
    assert folds_of(one, one.cells.values()) == ()
    assert overlap_of(one) == 0.0
