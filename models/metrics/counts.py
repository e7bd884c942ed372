"""Metrics that follow from counts of right and wrong decisions.

Counts are (…, images, classes), without the background. What comes before the images, such as
thresholds, is kept: one call scores them all.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from models.metrics.names import class_slugs
from models.metrics.ratios import FloatArray, IntArray, mean, ratio


@dataclass(frozen=True, slots=True)
class PixelCounts:
    """Right and wrong decisions per image and class, each (…, images, classes)."""

    tp: IntArray
    fp: IntArray
    fn: IntArray
    tn: IntArray


def class_metrics(counts: PixelCounts, class_names: Sequence[str]) -> dict[str, FloatArray]:
    """Score what needs no more than counts; values are (…), NaN where undefined."""
    per_image = ratio(counts.tp, counts.tp + counts.fp + counts.fn)  # (…, images, classes)
    tp, fp, fn = (part.sum(axis=-2) for part in (counts.tp, counts.fp, counts.fn))
    iou = ratio(tp, tp + fp + fn)  # (…, classes)
    metrics = {
        "iou": mean(iou, axis=-1),
        "iou_image_mean": mean(mean(per_image, axis=-2), axis=-1),
        "dice": mean(ratio(2 * tp, 2 * tp + fp + fn), axis=-1),
        "class_accuracy": mean(ratio(tp, tp + fn), axis=-1),
    }
    for index, slug in enumerate(class_slugs(class_names)):
        metrics[f"iou_{slug}"] = iou[..., index]
    return metrics


def decision_accuracy(counts: PixelCounts) -> FloatArray:
    """Return the share of right decisions about pixels and classes, (…)."""
    right = (counts.tp + counts.tn).sum(axis=(-2, -1))
    return ratio(right, right + (counts.fp + counts.fn).sum(axis=(-2, -1)))
