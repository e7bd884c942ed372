"""The Rand and the pixel error of the ISBI 2012 challenge, from probabilities of one class.

Arganda-Carreras et al. 2015 ("Crowdsourcing the creation of image segmentation algorithms for
connectomics"). Objects are cut apart at every threshold 0, 0.1 … 0.9 of their probability, and
the best threshold counts, the same one for all images:

    pixel error  1 - F1 of the pixels found to be of an object
    Rand error   1 - F1 of the pairs of pixels found to be of one object: of all pairs whose
                 pixels are in true objects, those that the prediction joins, held against those
                 that the truth joins

Objects are areas connected by edges (4 neighbours). A pixel is a pair with itself, and where the
prediction has no object each pixel is one of its own. This is the Rand F-score "restricted to
the foreground", with pixels and pairs added up over images. The challenge's server thins the
true objects' borders first, and scores slices whose labels are not public; here labels are taken
as they are.
"""

from typing import Any, TypeAlias

import cv2
import numpy as np
from numpy.typing import NDArray

from models.metrics.ratios import FloatArray, IntArray, ratio

THRESHOLDS = tuple(step / 10 for step in range(10))

BoolArray: TypeAlias = NDArray[np.bool_]


def object_agreement(
    probability: NDArray[np.floating[Any]], truth: BoolArray, valid: BoolArray
) -> NDArray[np.int64]:
    """Count pixels and pairs of one image at every threshold.

    Args:
        probability: (h, w) of being part of an object.
        truth: (h, w) part of an object.
        valid: (h, w) labelled; elsewhere there are no objects.

    Returns:
        (thresholds, 2, 3); [:, 0] are pixels, [:, 1] pairs, and of each how many there are in
        both, in the prediction and in the truth.
    """
    labelled = truth & valid
    true_objects = components(labelled)
    exact = probability.astype(np.float64)  # as for histograms: a float32 0.7 is below 0.7
    counts = np.empty((len(THRESHOLDS), 2, 3), np.int64)
    for index, threshold in enumerate(THRESHOLDS):
        found = (exact >= threshold) & valid
        counts[index, 0] = (found & labelled).sum(), found.sum(), labelled.sum()
        counts[index, 1] = joined_pairs(components(found), true_objects)
    return counts


def joined_pairs(found: IntArray, truth: IntArray) -> tuple[int, int, int]:
    """Count ordered pairs of pixels in true objects that are of one object.

    Args:
        found: (h, w) number of the predicted object, 0 outside.
        truth: (h, w) number of the true object, 0 outside.

    Returns:
        Pairs in one object of both; of the prediction; of the truth.
    """
    inside = truth > 0
    own, other = found[inside].astype(np.int64), truth[inside].astype(np.int64)
    width = int(own.max(initial=0)) + 1
    cells, overlaps = np.unique(other * width + own, return_counts=True)
    is_found = cells % width > 0
    alone = int(overlaps[~is_found].sum())
    both = int((overlaps[is_found] ** 2).sum()) + alone
    predicted = int((np.bincount(own, minlength=1)[1:] ** 2).sum()) + alone
    return both, predicted, int((np.bincount(other) ** 2).sum())


def agreement_f1(counts: IntArray) -> FloatArray:
    """Return the F1 of (…, 3) counts in both, prediction and truth; NaN without a true one."""
    both, found, true = (counts[..., index] for index in range(3))
    return ratio(2 * both, np.where(true > 0, found + true, 0))


def best_threshold(counts: IntArray) -> tuple[int, float]:
    """Return which threshold is best for all images together, and its F1; NaN if undefined.

    Args:
        counts: (images, thresholds, 3) of pixels, or of pairs.
    """
    scores = agreement_f1(counts.sum(axis=0))
    if np.isnan(scores).all():
        return 0, float("nan")
    best = int(np.nanargmax(scores))
    return best, float(scores[best])


def components(mask: BoolArray) -> NDArray[np.int32]:
    """Number the connected areas of a mask (h, w) from 1; 0 is outside."""
    _, numbers = cv2.connectedComponents(mask.astype(np.uint8), connectivity=4)
    return numbers.astype(np.int32, copy=False)
