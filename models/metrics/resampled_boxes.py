"""Average precision of resampled images by COCO's rule, from detections that are matched once.

A detection finds the same object however often its image counts; only the ranking of all
detections, and the number of objects, change. So detections are matched and sorted once, and each
resample adds up weights along that order.
"""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from models.metrics.coco_files import load_scored_boxes
from models.metrics.matching import NONE, coco_matches, falling
from models.metrics.precision_recall import RECALLS
from models.metrics.ratios import FloatArray, mean
from models.metrics.resampling import ImageStatistic
from models.metrics.scored_images import ScoredImage
from models.settings import EvaluationSettings

HELD_NUMBERS = 4_000_000  # of one array over resamples and detections
IOUS = {"ap": np.linspace(0.5, 0.95, 10), "ap50": np.array([0.5]), "ap75": np.array([0.75])}


@dataclass(frozen=True, slots=True)
class _Matched:
    """The detections of a class at one IoU, the highest score first."""

    image: NDArray[np.intp]  # (m,) index of each one's image
    is_right: FloatArray  # (m,) 1 or 0
    truths: FloatArray  # (images,) objects to be found in each


def image_statistic(
    file: Path,
    metric: str,
    evaluation: EvaluationSettings,  # noqa: ARG001  # as the other tasks have it
) -> ImageStatistic:
    """Return a metric of saved boxes as a function of the images' weights.

    Args:
        file: Of predictions.
        metric: One that the catalog names for the task.
        evaluation: Its threshold changes no average precision.

    Raises:
        ValueError: The file is damaged or of another format.
    """
    saved = load_scored_boxes(file)
    classes = len(saved.class_names)
    by_iou = [_matched(saved.images, classes, float(iou)) for iou in IOUS[metric]]

    def score(weights: FloatArray) -> FloatArray:
        values = [[_average(weights, each) for each in matched] for matched in by_iou]
        return mean(np.stack([np.mean(own, axis=0) for own in zip(*values, strict=True)]), axis=0)

    return ImageStatistic(tuple(image.image_id for image in saved.images), score)


def _matched(images: tuple[ScoredImage, ...], classes: int, iou: float) -> list[_Matched]:
    """Match the detections of every image, and sort them by class."""
    matches = [coco_matches(image, iou) for image in images]
    counts = [~each.is_ignored for each in matches]
    rows = list(zip(images, matches, counts, strict=True))
    labels = np.concatenate([image.found.labels[own] for image, _, own in rows])
    scores = np.concatenate([image.scores[own] for image, _, own in rows])
    is_right = np.concatenate([match.truth[own] != NONE for _, match, own in rows])
    number = np.repeat(np.arange(len(images)), [int(own.sum()) for own in counts])
    order = falling(scores)
    labels, is_right, number = labels[order], is_right[order], number[order]
    truths = np.zeros((classes, len(images)))
    for index, image in enumerate(images):
        np.add.at(truths[:, index], image.truth.labels[~image.is_ignored], 1.0)
    return [
        _Matched(number[labels == c], is_right[labels == c].astype(np.float64), truths[c])
        for c in range(classes)
    ]


def _average(weights: FloatArray, matched: _Matched) -> FloatArray:
    """Average precision of each row of weights, NaN where no object is to be found."""
    rows = max(1, HELD_NUMBERS // max(1, len(matched.image)))
    parts = [
        _average_of_few(weights[start : start + rows], matched)
        for start in range(0, len(weights), rows)
    ]
    return np.concatenate(parts)


def _average_of_few(weights: FloatArray, matched: _Matched) -> FloatArray:
    """Do it for as many rows as fit into memory at once."""
    truths = weights @ matched.truths
    drawn = weights[:, matched.image]  # (resamples, m)
    right = (drawn * matched.is_right).cumsum(axis=1)
    precision = right / np.maximum(drawn.cumsum(axis=1), np.spacing(1))
    monotone = np.maximum.accumulate(precision[:, ::-1], axis=1)[:, ::-1]
    padded = np.hstack([monotone, np.zeros((len(weights), 1))])
    values = np.full(len(weights), np.nan)
    for row in np.flatnonzero(truths):
        places = np.searchsorted(right[row] / truths[row], RECALLS, side="left")
        values[row] = padded[row, places].mean()
    return values
