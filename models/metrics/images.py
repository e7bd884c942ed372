"""Scores image by image, to resample images by (bootstrap) or to find the worst ones."""

from typing import TypeAlias

import numpy as np

from models.metrics import boundaries
from models.metrics.counts import PixelCounts
from models.metrics.names import BACKGROUND, class_slugs
from models.metrics.objects import agreement_f1, best_threshold
from models.metrics.ratios import FloatArray, mean, ratio
from models.metrics.segmentation import Predictions, SigmoidPredictions
from models.settings import EvaluationSettings

ImageScores: TypeAlias = dict[str, FloatArray]  # metric -> (images,), NaN where undefined


def image_scores(
    predictions: Predictions, evaluation: EvaluationSettings
) -> tuple[tuple[str, ...], ImageScores]:
    """Score each image as if it were the whole split; return image ids and scores.

    The mean of `iou_<class>` over images is what `iou_image_mean` averages over classes; of one
    image it is `iou`. Only auc and average_precision are of a split alone. The Rand and the pixel
    error of an image are those at the threshold that is best for the split.
    """
    counts = _counts(predictions, evaluation)
    tp, fp, fn = counts.tp, counts.fp, counts.fn
    iou = ratio(tp, tp + fp + fn)  # (images, classes)
    scores: ImageScores = {
        "iou": mean(iou, axis=1),
        "dice": mean(ratio(2 * tp, 2 * tp + fp + fn), axis=1),
        "class_accuracy": mean(ratio(tp, tp + fn), axis=1),
        "pixel_accuracy": _pixel_accuracy(predictions, counts),
        **_with_background(predictions),
        **_losses(predictions),
        **_errors(predictions),
        **_shapes(predictions, evaluation),
    }
    for slug, column in zip(class_slugs(predictions.scored_classes), iou.T, strict=True):
        scores[f"iou_{slug}"] = column
    return predictions.image_ids, scores


def _counts(predictions: Predictions, evaluation: EvaluationSettings) -> PixelCounts:
    if isinstance(predictions, SigmoidPredictions):
        return predictions.counts(evaluation.threshold)
    return predictions.class_counts()


def _pixel_accuracy(predictions: Predictions, counts: PixelCounts) -> FloatArray:
    if isinstance(predictions, SigmoidPredictions):
        right = (counts.tp + counts.tn).sum(axis=1)
        return ratio(right, right + (counts.fp + counts.fn).sum(axis=1))
    return ratio(predictions.counts().tp.sum(axis=1), predictions.labelled)


def _with_background(predictions: Predictions) -> ImageScores:
    """Return the IoU of a softmax whose background is a label; {} without one."""
    if isinstance(predictions, SigmoidPredictions) or BACKGROUND not in predictions.class_names:
        return {}
    counts = predictions.counts()
    iou = ratio(counts.tp, counts.tp + counts.fp + counts.fn)  # (images, labels)
    return {"iou_with_background": mean(iou, axis=1)}


def _losses(predictions: Predictions) -> ImageScores:
    return (
        {} if predictions.losses is None else {"loss": np.asarray(predictions.losses, np.float64)}
    )


def _errors(predictions: Predictions) -> ImageScores:
    errors = predictions.errors
    if errors is None:
        return {}
    parts = {"log_loss": errors.log, "mae": errors.absolute, "mse": errors.squared}
    empty = predictions.labelled == 0
    return {name: np.where(empty, np.nan, part) for name, part in parts.items()}


def _shapes(predictions: Predictions, evaluation: EvaluationSettings) -> ImageScores:
    shapes, scores = predictions.shapes, ImageScores()
    if "boundary_f1" in evaluation.also and shapes.boundary_f1 is not None:
        is_sigmoid = isinstance(predictions, SigmoidPredictions)
        step = boundaries.threshold_index(evaluation.threshold) if is_sigmoid else 0
        outlines = shapes.boundary_f1[:, step]  # (images, classes)
        scores["boundary_f1"] = mean(outlines, axis=1)
        for slug, column in zip(class_slugs(predictions.scored_classes), outlines.T, strict=True):
            scores[f"boundary_f1_{slug}"] = column
    if "rand_error" in evaluation.also and shapes.objects is not None:
        for kind, name in enumerate(("pixel_error", "rand_error")):
            counts = shapes.objects[:, :, kind]
            best, _ = best_threshold(counts)
            scores[name] = 1 - agreement_f1(counts[:, best])
    return scores
