"""Segmentation metrics of resampled images, from the counts of each image."""

from pathlib import Path

import numpy as np

from models.metrics.counts import PixelCounts
from models.metrics.ratios import FloatArray, mean, ratio
from models.metrics.resampling import ImageStatistic
from models.metrics.segmentation import SigmoidPredictions, load_predictions
from models.settings import EvaluationSettings


def image_statistic(file: Path, metric: str, evaluation: EvaluationSettings) -> ImageStatistic:
    """Return a metric of saved predictions as a function of the images' weights.

    Args:
        file: Of predictions.
        metric: One that the catalog names for the task.
        evaluation: Its threshold decides, as when the cell was scored.

    Raises:
        ValueError: the file is of another format.
    """
    predictions = load_predictions(file)
    if isinstance(predictions, SigmoidPredictions):
        counts = predictions.counts(evaluation.threshold)
        right, total = (counts.tp + counts.tn).sum(axis=-1), predictions.labelled
        total = total * counts.tp.shape[-1]
    else:
        counts = predictions.class_counts()
        right, total = predictions.counts().tp.sum(axis=-1), predictions.labelled

    def score(weights: FloatArray) -> FloatArray:
        if metric == "pixel_accuracy":
            return ratio(weights @ right, weights @ total)
        if metric == "iou_image_mean":
            return _image_mean(weights, counts)
        return _accumulated(weights, counts, metric)

    return ImageStatistic(predictions.image_ids, score)


def _image_mean(weights: FloatArray, counts: PixelCounts) -> FloatArray:
    """Average each class over the images that define it, then the classes."""
    values = ratio(counts.tp, counts.tp + counts.fp + counts.fn)  # (images, classes)
    is_defined = ~np.isnan(values)
    totals = weights @ np.where(is_defined, values, 0.0)
    return mean(ratio(totals, weights @ is_defined.astype(np.float64)), axis=-1)


def _accumulated(weights: FloatArray, counts: PixelCounts, metric: str) -> FloatArray:
    """Return ratios of the counts of all images, averaged over classes."""
    tp, fp, fn = (weights @ part for part in (counts.tp, counts.fp, counts.fn))
    parts = {
        "iou": (tp, tp + fp + fn),
        "dice": (2 * tp, 2 * tp + fp + fn),
        "class_accuracy": (tp, tp + fn),
    }
    return mean(ratio(*parts[metric]), axis=-1)
