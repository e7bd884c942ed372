"""From the histograms of an assembly to its scores: the threshold chosen on one split; torch-free.

The best threshold of a list is chosen on validation, or on the test split where a study selects
there, and then holds for both. Each class's network alone keeps the threshold it was given.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from models.metrics.counts import PixelCounts, class_metrics, decision_accuracy
from models.metrics.ratios import FloatArray
from models.metrics.segmentation import SigmoidPredictions

USUAL_METRIC = "iou"  # chosen by where the objective's is not one of decisions at a threshold


@dataclass(frozen=True, slots=True)
class Choice:
    """How the threshold is chosen."""

    thresholds: tuple[float, ...]
    split: str  # "val" or "test"
    metric: str  # the objective's, without a split's prefix
    maximize: bool


@dataclass(frozen=True, slots=True)
class WayScores:
    """What one way to find all classes scores; metrics carry their split, "test/iou_car"."""

    threshold: float | None  # chosen; None: each class has its own
    metrics: Mapping[str, float]
    by_threshold: tuple[tuple[float, Mapping[str, float]], ...]  # () with thresholds of their own


def scores_at(
    predictions: SigmoidPredictions, thresholds: Sequence[float]
) -> list[dict[str, float]]:
    """Return the metrics of decisions at each threshold, undefined ones left out."""
    return _scores(predictions.counts_at(thresholds), predictions.class_names)


def choose(splits: Mapping[str, SigmoidPredictions], choice: Choice) -> WayScores:
    """Score at every threshold and keep the best; the lowest of equal ones.

    Args:
        splits: Split -> predictions; the split to choose on among them.
        choice: How to choose.
    """
    scored = {
        split: scores_at(predictions, choice.thresholds) for split, predictions in splits.items()
    }
    metric, sign = choice.metric, 1.0 if choice.maximize else -1.0
    if not any(metric in each for each in scored[choice.split]):
        metric, sign = USUAL_METRIC, 1.0
    values = [sign * each.get(metric, -sign * np.inf) for each in scored[choice.split]]
    best = int(np.argmax(values))
    by_threshold = tuple(
        (threshold, _joined({split: each[index] for split, each in scored.items()}))
        for index, threshold in enumerate(choice.thresholds)
    )
    return WayScores(choice.thresholds[best], by_threshold[best][1], by_threshold)


def at_own_thresholds(
    splits: Mapping[str, SigmoidPredictions], thresholds: Sequence[float]
) -> WayScores:
    """Score each class at a threshold of its own.

    Args:
        splits: Split -> predictions.
        thresholds: (classes,).
    """
    found = {}
    for split, predictions in splits.items():
        counts = predictions.counts_at(thresholds)
        classes = range(len(thresholds))
        own = PixelCounts(
            *(
                np.stack([part[index, :, index] for index in classes], axis=-1)[None]
                for part in (counts.tp, counts.fp, counts.fn, counts.tn)
            )
        )
        found[split] = _scores(own, predictions.class_names)[0]
    return WayScores(None, _joined(found), ())


def _scores(counts: PixelCounts, class_names: Sequence[str]) -> list[dict[str, float]]:
    """Return the metrics of each of (thresholds, images, classes) counts."""
    found: dict[str, FloatArray] = {
        **class_metrics(counts, class_names),
        "pixel_accuracy": decision_accuracy(counts),
    }
    return [
        {name: float(at[index]) for name, at in found.items() if not np.isnan(at[index])}
        for index in range(counts.tp.shape[0])
    ]


def _joined(by_split: Mapping[str, Mapping[str, float]]) -> dict[str, float]:
    return {
        f"{split}/{name}": value
        for split, metrics in by_split.items()
        for name, value in metrics.items()
    }
