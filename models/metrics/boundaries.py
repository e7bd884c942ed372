"""Boundary F1: do outlines lie where they should, however large the areas are.

Csurka et al. 2013 ("What is a good evaluation measure for semantic segmentation?"), which the
SegNet paper reports as BF. Per image and class, the precision is the share of the predicted
outline that lies within a tolerance of the true one, the recall the share of the true outline
that lies within it of the predicted one; the tolerance is 0.75 % of the image's diagonal.

An outline is made of the class's pixels that have a pixel of another label above, below, left or
right of them. The picture's edge is no outline. Where nothing is labelled the class is not, so
an outline runs along unlabelled areas too; predicted outlines inside them are not held against
the network, but count as found by the true ones. A precision or recall of 0 / 0 gives way to the
other; where both are, no outline is to be scored: left out if the masks agree, else 0. A class
that is there, but found on no labelled pixel, scores 0.
"""

from dataclasses import dataclass
from typing import TypeAlias

import cv2
import numpy as np
from numpy.typing import NDArray

from models.metrics.ratios import FloatArray

TOLERANCE = 0.0075  # of the diagonal
THRESHOLDS = tuple(step / 20 for step in range(1, 20))  # of probability, at which it is kept

BoolArray: TypeAlias = NDArray[np.bool_]
CROSS = cv2.getStructuringElement(cv2.MORPH_CROSS, (3, 3))


@dataclass(frozen=True, slots=True)
class Outline:
    """A mask's outline, and which pixels are near it."""

    mask: BoolArray  # (h, w)
    line: BoolArray  # (h, w)
    near: BoolArray  # (h, w) within the tolerance of the line


def outline_of(mask: BoolArray) -> Outline:
    """Trace the outline of a mask (h, w)."""
    area = mask.astype(np.uint8)
    line = mask & (cv2.erode(area, CROSS) == 0)  # beyond the picture all is taken for the class
    if not line.any():
        return Outline(mask, line, near=line)
    distance = cv2.distanceTransform((~line).astype(np.uint8), cv2.DIST_L2, cv2.DIST_MASK_PRECISE)
    height, width = mask.shape
    # Squared distances of pixels are whole numbers: rounded, they have no error left.
    near = np.rint(distance**2) <= TOLERANCE**2 * (height**2 + width**2)
    return Outline(mask, line, near)


def boundary_f1(found: Outline, truth: Outline, valid: BoolArray) -> float:
    """Score one class of one image; NaN where there is nothing to score.

    Args:
        found: Of the prediction, on labelled and unlabelled pixels.
        truth: Of the label map.
        valid: (h, w) labelled pixels.
    """
    counted = found.line & valid
    predicted, true = int(counted.sum()), int(truth.line.sum())
    if not predicted and not true:
        is_same = bool((found.mask == truth.mask)[valid].all())
        return float("nan") if is_same else 0.0
    if not true:
        return 0.0  # all of the predicted outline is far from any true one
    if not (found.mask & valid).any():
        return 0.0  # what was predicted is in unlabelled areas alone
    recall = float((truth.line & found.near).sum() / true)
    if not predicted:
        return recall
    precision = float((counted & truth.near).sum() / predicted)
    total = precision + recall
    return 2 * precision * recall / total if total else 0.0


def boundary_scores(found: BoolArray, truth: BoolArray, valid: BoolArray) -> FloatArray:
    """Score every class of an image, for one mask of its truth and several of predictions.

    Args:
        found: (thresholds, classes, h, w).
        truth: (classes, h, w).
        valid: (h, w).

    Returns:
        (thresholds, classes) in [0, 1]; NaN where there is nothing to score.
    """
    scores = np.full(found.shape[:2], np.nan)
    for index, mask in enumerate(truth):
        if not mask.any() and not (found[:, index] & valid).any():
            continue
        true = outline_of(mask)
        for step, candidate in enumerate(found[:, index]):
            scores[step, index] = boundary_f1(outline_of(candidate), true, valid)
    return scores


def threshold_index(threshold: float) -> int:
    """Return which of THRESHOLDS is nearest."""
    return int(np.abs(np.array(THRESHOLDS) - threshold).argmin())
