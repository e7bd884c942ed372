"""Is a network as often right as it is sure? Confidence against accuracy, bin by bin.

Guo, Pleiss, Sun and Weinberger 2017, "On Calibration of Modern Neural Networks", section 2: the
confidence of a sample is the probability of its most probable class; samples are put into bins of
equal width, and the expected calibration error is the mean distance between accuracy and mean
confidence of the bins, each weighed by its samples (equation 3).
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from models.metrics.ratios import FloatArray, ratio

BINS = 15  # as in the paper; bin m is ((m - 1) / 15, m / 15]


@dataclass(frozen=True, slots=True)
class Calibration:
    """Samples by how sure the network is of them, least sure bin first."""

    counts: NDArray[np.int64]  # (BINS,) samples
    confidence: FloatArray  # (BINS,) mean, NaN of an empty bin
    accuracy: FloatArray  # (BINS,) share that is right, the same

    @property
    def error(self) -> float:
        """Expected calibration error, in [0, 1]; NaN without a sample."""
        gaps = np.abs(self.accuracy - self.confidence)
        weighed = np.where(self.counts > 0, self.counts * np.nan_to_num(gaps), 0.0)
        return float(ratio(weighed.sum(), self.counts.sum()))


def calibration(confidence: FloatArray, right: FloatArray) -> Calibration:
    """Put samples into bins.

    Args:
        confidence: (samples,) probability of the most probable class, in (0, 1].
        right: (samples,) how surely that class is the true one, in [0, 1].
    """
    edges = np.linspace(0, 1, BINS + 1)
    bins = np.searchsorted(edges[1:-1], confidence, side="left")  # a value on an edge is below it
    counts = np.bincount(bins, minlength=BINS)
    return Calibration(
        counts,
        confidence=ratio(np.bincount(bins, weights=confidence, minlength=BINS), counts),
        accuracy=ratio(np.bincount(bins, weights=right, minlength=BINS), counts),
    )
