"""What is measured of an image beside counts: errors of probabilities, and shapes."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass

import numpy as np

from models.metrics.names import class_slugs
from models.metrics.objects import best_threshold
from models.metrics.ratios import FloatArray, IntArray, mean, ratio


@dataclass(frozen=True, slots=True)
class PixelErrors:
    """How far probabilities are from the truth, each (images,): means over labelled pixels.

    A sigmoid model's are means over classes as well, a softmax model's `absolute` and `squared`
    over labels. An image without a labelled pixel has 0.
    """

    log: FloatArray  # -ln of the probability given to what is true, clipped to [2^-23, 1 - 2^-23]
    absolute: FloatArray
    squared: FloatArray


@dataclass(frozen=True, slots=True)
class ShapeScores:
    """What `evaluation.also` asks for; None where it did not."""

    boundary_f1: FloatArray | None = None  # (images, thresholds, classes); NaN: nothing to score
    objects: IntArray | None = None  # (images, thresholds, 2, 3), see `objects.object_agreement`


def error_metrics(errors: PixelErrors, labelled: IntArray) -> dict[str, float]:
    """Average over all pixels of a split.

    Args:
        errors: Of the images.
        labelled: (images,) labelled pixels.
    """
    parts = {"log_loss": errors.log, "mae": errors.absolute, "mse": errors.squared}
    total = labelled.sum()
    return {name: float(ratio((part * labelled).sum(), total)) for name, part in parts.items()}


def shape_metrics(
    shapes: ShapeScores, class_names: Sequence[str], also: Collection[str], *, step: int
) -> dict[str, float]:
    """Score what is asked for.

    Args:
        shapes: Of the images.
        class_names: Those that `boundary_f1` was measured for.
        also: As in the settings; what it names was measured.
        step: Index of the threshold at which outlines count.
    """
    metrics: dict[str, float] = {}
    if "boundary_f1" in also and shapes.boundary_f1 is not None:
        outlines = shapes.boundary_f1[:, step]  # (images, classes)
        metrics["boundary_f1"] = float(mean(mean(outlines, axis=1)))
        by_class = mean(outlines, axis=0)
        for slug, value in zip(class_slugs(class_names), by_class, strict=True):
            metrics[f"boundary_f1_{slug}"] = float(value)
    if "rand_error" in also and shapes.objects is not None:
        metrics["pixel_error"] = 1 - best_threshold(shapes.objects[:, :, 0])[1]
        metrics["rand_error"] = 1 - best_threshold(shapes.objects[:, :, 1])[1]
    return metrics


def joined(parts: Sequence[ShapeScores]) -> ShapeScores:
    """Put images after each other; all parts hold the same scores."""
    boundary = [part.boundary_f1 for part in parts if part.boundary_f1 is not None]
    objects = [part.objects for part in parts if part.objects is not None]
    return ShapeScores(
        np.concatenate(boundary) if boundary else None,
        np.concatenate(objects) if objects else None,
    )
