"""From detections, right or wrong, to average precision: one function per way to interpolate.

eleven_points    mean of the highest precision at recall 0, 0.1 … 1 or beyond
                 (VOC to 2009; Everingham et al. 2010, section 4.2)
all_points       area below the curve, made monotone from the right (VOC since 2010)
coco_points      the same curve read at recall 0, 0.01 … 1 (COCO; pycocotools)
with_misses      sum of precision times gain in recall, not interpolated, where each object
                 that was missed counts as found with score 0 (the thesis's program)
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from models.metrics.matching import NONE, Matcher, falling
from models.metrics.scored_images import ScoredImage

RECALLS = np.linspace(0.0, 1.0, 101)  # of COCO's rule


@dataclass(frozen=True, slots=True)
class Ranking:
    """The detections of a class in all images, from the highest score down.

    Of equal scores those of an earlier image are first, then those that the image lists first.
    """

    scores: NDArray[np.float64]  # (m,)
    is_right: NDArray[np.bool_]  # (m,)
    truths: int  # objects to be found

    @property
    def precision(self) -> NDArray[np.float64]:
        """Return the share of right ones among the first 1, 2 … m."""
        return self.is_right.cumsum() / np.arange(1, len(self.scores) + 1)

    @property
    def recall(self) -> NDArray[np.float64]:
        """Return the share of objects found by the first 1, 2 … m; NaN without an object."""
        if not self.truths:
            return np.full(len(self.scores), np.nan)
        return self.is_right.cumsum() / self.truths


def rankings(
    images: Sequence[ScoredImage],
    classes: int,
    *,
    matcher: Matcher,
    iou: float,
    ignored_count: bool = False,
) -> tuple[Ranking, ...]:
    """Match the detections of every image and rank them by class.

    Args:
        images: Of a split; each once.
        classes: How many there are.
        matcher: The protocol's.
        iou: From which an object is found.
        ignored_count: Whether ignored objects are to be found, as groups of Open Images are.
    """
    matched = [matcher(image, iou) for image in images]
    counted = [~each.is_ignored for each in matched]
    both = list(zip(images, counted, strict=True))
    labels = _whole([image.found.labels[count] for image, count in both])
    scores = np.concatenate([np.zeros(0), *(image.scores[count] for image, count in both)])
    found = _whole([each.truth[count] for each, count in zip(matched, counted, strict=True)])
    is_right = found != NONE
    order = falling(scores)
    labels, scores, is_right = labels[order], scores[order], is_right[order]
    truths = count_truths(images, classes, ignored_count=ignored_count)
    return tuple(
        Ranking(scores[labels == label], is_right[labels == label], int(truths[label]))
        for label in range(classes)
    )


def count_truths(
    images: Sequence[ScoredImage], classes: int, *, ignored_count: bool = False
) -> NDArray[np.int64]:
    """Count the objects of each class that are to be found, (classes,)."""
    labels = [
        image.truth.labels if ignored_count else image.truth.labels[~image.is_ignored]
        for image in images
    ]
    return np.bincount(_whole(labels), minlength=classes).astype(np.int64)


def eleven_points(ranking: Ranking) -> float | None:
    """Average precision of VOC to 2009; None without an object."""
    if not ranking.truths:
        return None
    found, precision = ranking.is_right.cumsum(), ranking.precision
    total = 0.0
    for tenth in range(11):
        reached = 10 * found >= tenth * ranking.truths  # whole numbers: 0.3 is 3 of 10 exactly
        total += float(precision[reached].max(initial=0.0))
    return total / 11


def all_points(ranking: Ranking) -> float | None:
    """Average precision of VOC since 2010; None without an object."""
    if not ranking.truths:
        return None
    return float(monotone(ranking.precision)[ranking.is_right].sum() / ranking.truths)


def coco_points(ranking: Ranking) -> float | None:
    """Average precision by COCO's rule at one IoU; None without an object."""
    curve = coco_curve(ranking)
    return None if curve is None else float(curve.mean())


def coco_curve(ranking: Ranking) -> NDArray[np.float64] | None:
    """Return precision at RECALLS, (101,), 0 where no recall is so high; None without an object.

    Equal to pycocotools in every bit, which adds the smallest number to what it divides by.
    """
    if not ranking.truths:
        return None
    found = ranking.is_right.cumsum().astype(np.float64)
    counted = np.arange(1, len(found) + 1, dtype=np.float64)
    precision = monotone(found / (counted + np.spacing(1)))
    places = np.searchsorted(found / ranking.truths, RECALLS, side="left")
    return np.append(precision, 0.0)[np.minimum(places, len(precision))]


def with_misses(ranking: Ranking) -> float | None:
    """Average precision of the thesis's program; None without an object.

    Objects that were missed are appended with score 0, and scikit-learn's average precision is
    taken: each score from which detections count is one point, however many share it.
    """
    if not ranking.truths:
        return None
    missed = ranking.truths - int(ranking.is_right.sum())
    scores = np.append(ranking.scores, np.zeros(missed))
    is_right = np.append(ranking.is_right, np.ones(missed, np.bool_))
    order = falling(scores)
    scores, found = scores[order], is_right[order].cumsum()
    lasts = np.append(np.flatnonzero(np.diff(scores)), len(scores) - 1)
    gains = np.diff(found[lasts], prepend=0)
    return float((found[lasts] / (lasts + 1) * gains).sum() / ranking.truths)


def monotone(precision: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the highest precision at each place or after it."""
    return np.maximum.accumulate(precision[::-1])[::-1]


def mean_defined(values: Sequence[float | None]) -> float | None:
    """Average what is defined; None where nothing is."""
    defined = [value for value in values if value is not None]
    return float(np.mean(defined)) if defined else None


def _whole(parts: Sequence[NDArray[np.int64]]) -> NDArray[np.int64]:
    return np.concatenate([np.zeros(0, np.int64), *parts])
