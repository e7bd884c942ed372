from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from models.metrics.segmentation import SoftmaxPredictions
from models.metrics.thresholds import GRID, curves, threshold_table
from models.settings import EvaluationSettings

HUNDRED_AND_ONE = [step / 100 for step in range(101)]


@pytest.mark.parametrize("seed", range(6))
def test_table_is_that_of_a_loop_over_thresholds_on_raw_probabilities(
    seed: int, random_case: Callable[..., Any]
) -> None:
    case = random_case(seed, is_softmax=False, side=9)
    predictions = case.predictions()
    table = threshold_table(predictions, HUNDRED_AND_ONE)
    counts = predictions.counts_at(HUNDRED_AND_ONE)
    for step, threshold in enumerate(HUNDRED_AND_ONE):
        for index, label in enumerate(case.classes):
            found = case.found(label, threshold) & case.valid
            truth = case.labels == label
            assert counts.tp[step, :, index].tolist() == (found & truth).sum((1, 2)).tolist()
            assert counts.fp[step, :, index].tolist() == (found & ~truth).sum((1, 2)).tolist()
            assert counts.fn[step, :, index].tolist() == (truth & ~found).sum((1, 2)).tolist()
            either = (found | truth).sum()
            iou = (found & truth).sum() / either if either else np.nan
            assert table.metrics[f"iou_class_{label}"][step] == pytest.approx(iou, nan_ok=True)


def test_table_holds_what_each_threshold_scores_alone(random_case: Callable[..., Any]) -> None:
    predictions = random_case(3, is_softmax=False).predictions()
    table = threshold_table(predictions)
    assert table.thresholds.tolist() == list(GRID)
    for step, threshold in enumerate(GRID):
        alone = predictions.metrics(EvaluationSettings(threshold=threshold))
        row = {name: values[step] for name, values in table.metrics.items()}
        assert {name: value for name, value in row.items() if not np.isnan(value)} == {
            name: value for name, value in alone.items() if name in row
        }


@pytest.mark.parametrize("is_softmax", [False, True])
def test_curves_hold_each_class_against_the_rest(
    is_softmax: bool, random_case: Callable[..., Any]
) -> None:
    case = random_case(4, is_softmax=is_softmax, side=9)
    record = curves(case.predictions(), [0.1, 0.5, 0.9])
    assert len(record.class_names) == len(case.classes) > 1
    for index, label in enumerate(case.classes):
        truth = case.labels == label
        for step, threshold in enumerate(record.thresholds):
            found = (case.of_class(label).astype(np.float64) >= threshold) & case.valid
            tp, predicted, true = (found & truth).sum(), found.sum(), truth.sum()
            expected = (
                tp / predicted if predicted else np.nan,
                tp / true if true else np.nan,
                tp / (predicted + true - tp) if predicted + true else np.nan,
                2 * tp / (predicted + true) if predicted + true else np.nan,
            )
            curve = record.precision, record.recall, record.iou, record.f1
            own = tuple(values[index, step] for values in curve)
            assert own == pytest.approx(expected, nan_ok=True)


def test_areas_under_curves_average_to_the_metrics(random_case: Callable[..., Any]) -> None:
    predictions = random_case(4, is_softmax=True, side=9).predictions()
    record, metrics = curves(predictions), predictions.metrics(EvaluationSettings())
    assert np.nanmean(record.auc) == pytest.approx(metrics["auc"])
    assert np.nanmean(record.average_precision) == pytest.approx(metrics["average_precision"])


def test_labels_without_probabilities_have_no_curves() -> None:
    matrix = np.ones((1, 2, 2), np.int64)
    predictions = SoftmaxPredictions(("a",), ("background", "car"), np.zeros(1), matrix)
    with pytest.raises(ValueError, match="curves need probabilities"):
        curves(predictions)
