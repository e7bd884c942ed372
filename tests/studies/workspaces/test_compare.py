"""`visionstudy compare`: two studies side by side, and whether they may be."""

from dataclasses import replace
from typing import Any

import pytest
from scipy import stats

from reports.baselines.verdict import ERROR, Verdict
from reports.several.comparison import compare_studies
from trackers.records import StudyRecord

Office = Any  # of conftest.py, which cannot be imported


@pytest.fixture
def record(office: Office) -> StudyRecord:
    return office.record()  # type: ignore[no-any-return]


def test_the_difference_is_the_paired_t_interval_of_the_winners(record: StudyRecord) -> None:
    scores = [0.91, 0.94, 0.92], [0.90, 0.91, 0.90]
    better, worse = (_with_values(record, by_seed(*each), name="x") for each in scores)

    found = compare_studies(worse, better).difference

    expected = stats.ttest_rel(*scores).confidence_interval(1 - ERROR)
    assert found is not None
    assert found.difference == pytest.approx(0.02)
    assert (found.low, found.high) == pytest.approx(tuple(expected))
    assert (found.method, found.verdict) == ("paired t by seed", Verdict.WITHIN_NOISE)


def test_studies_without_seeds_in_common_are_compared_by_welchs_t(record: StudyRecord) -> None:
    scores = [0.70, 0.71, 0.69], [0.90, 0.91, 0.92]
    first = _with_values(record, by_seed(*scores[0]), name="first")
    second = _with_values(record, by_seed(*scores[1], start=7), name="second")

    found = compare_studies(first, second).difference

    expected = stats.ttest_ind(scores[1], scores[0], equal_var=False)
    assert found is not None
    assert (found.low, found.high) == pytest.approx(tuple(expected.confidence_interval(1 - ERROR)))
    assert (found.method, found.verdict) == ("Welch's t", Verdict.ABOVE)


def test_nothing_is_said_from_two_seeds(record: StudyRecord) -> None:
    first = _with_values(record, by_seed(0.1, 0.1001), name="first")
    second = _with_values(record, by_seed(0.9, 0.9001), name="second")

    found = compare_studies(first, second).difference

    assert found is not None
    assert (found.low, found.verdict) == (None, Verdict.CANNOT_SAY)


@pytest.mark.parametrize(
    ("changes", "objection"),
    [
        ({"metric": "val/dice"}, "they choose by another metric: val/iou and val/dice"),
        ({"select_on": "test"}, "they choose by another select_on: validation and test"),
        ({"task": "object_detection"}, "their tasks are semantic_segmentation and"),
        ({"environment": {"data_fingerprint": "x"}}, "their data fingerprint differs"),
        ({"stages": ()}, "study 'demo' has settled on no single winner"),
    ],
)
def test_values_that_may_not_be_compared_are_not(
    record: StudyRecord, changes: dict[str, Any], objection: str
) -> None:
    found = compare_studies(record, replace(record, **changes))

    assert any(each.startswith(objection) for each in found.objections)
    assert found.difference is None


@pytest.mark.parametrize(("share", "is_equal"), [(1.0, True), (1.09, True), (1.2, False)])
def test_equal_compute_is_told_by_what_was_computed(
    record: StudyRecord, share: float, is_equal: bool
) -> None:
    cells = {
        name: replace(cell, train_macs=cell.train_macs * share)
        for name, cell in record.cells.items()
    }

    found = compare_studies(record, replace(record, cells=cells))

    assert found.compute_ratio == pytest.approx(share)
    assert found.is_equal_compute is is_equal


def test_what_two_studies_ask_differently_is_listed(office: Office, study: dict[str, Any]) -> None:
    study["search"]["tree"][1]["vary"]["training.batch_size"] = [2, 8]
    study["description"] = "another"
    office.write(study)
    office.ask("fork", str(office.file), "--as", "other")

    told = office.told("compare", "demo", "other")
    text = office.ask("compare", "demo", "other")

    assert list(told["settings"]) == ["search.tree.batch size"]
    assert "study 'other' is not finished: its numbers may change" in text
    assert "not to be compared: study 'other' has settled on no single winner" in text
    assert "looks at the test split" in text


def by_seed(*values: float, start: int = 0) -> dict[str, float]:
    return {f"seed {start + index}": value for index, value in enumerate(values)}


def _with_values(record: StudyRecord, values: dict[str, float], *, name: str) -> StudyRecord:
    """Return the study with other values of its last winner."""
    last = record.stages[-1]
    (decision,) = last.decisions
    mean = sum(values.values()) / len(values)
    candidates = tuple(replace(c, values=values, mean=mean) for c in decision.candidates)
    decided = replace(last, decisions=(replace(decision, candidates=candidates),))
    return replace(record, name=name, stages=(*record.stages[:-1], decided))
