"""How well probabilities rank pixels of a class before others, whatever the threshold.

Both are computed from histograms of probabilities, as if each were cut down to a multiple of
0.001. Pixels of one bin are ties.
"""

from dataclasses import dataclass

import numpy as np

from models.metrics.ratios import FloatArray, IntArray, ratio


@dataclass(frozen=True, slots=True)
class Histograms:
    """Pixels by ascending probability, each (…, bins)."""

    positives: IntArray  # of the class
    negatives: IntArray  # others


def roc_auc(histograms: Histograms) -> FloatArray:
    """Return the area under the ROC curve: the chance that a pixel of the class is ranked higher.

    A tie counts half (Mann and Whitney 1947; Fawcett 2006).

    Returns:
        (…), NaN without a pixel on either side.
    """
    own = histograms.positives.astype(np.float64)
    others = histograms.negatives.astype(np.float64)
    below = others.cumsum(axis=-1) - others
    pairs = own.sum(axis=-1) * others.sum(axis=-1)
    return ratio((own * (below + others / 2)).sum(axis=-1), pairs)


def average_precision(histograms: Histograms) -> FloatArray:
    """Return the sum of precision times gain in recall over all thresholds, not interpolated.

    Returns:
        (…), NaN without a pixel of the class.
    """
    own = histograms.positives
    tp, fp = found_from(own), found_from(histograms.negatives)
    precision = np.nan_to_num(ratio(tp, tp + fp))  # where nothing is found nothing is gained
    return ratio((precision * own).sum(axis=-1), own.sum(axis=-1))


def found_from(counts: IntArray) -> IntArray:
    """Add up (…, bins) from each bin to the last: pixels whose probability is that or more."""
    added: IntArray = counts[..., ::-1].cumsum(axis=-1, dtype=np.int64)[..., ::-1]
    return added
