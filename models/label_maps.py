"""From probabilities to one label per pixel; torch-free.

A softmax gives each pixel its most probable label. Of sigmoids, a class counts from its threshold
on, and of several that do the most probable one is taken, the earlier one where two are equal: so
are networks of one class each put together. Where no class counts, the pixel is background, or
`NONE` where the labels have no background.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from models.metrics.segmentation import PROBABILITY_BINS

NONE = 255  # label of pixels that no class was found at, or that no network saw

Probabilities = NDArray[np.float32]
Labels = NDArray[np.uint8]


def most_probable(probabilities: Probabilities, labels: Sequence[int]) -> Labels:
    """Return (…) labels of the channels of (channels, …) exclusive probabilities."""
    found: Labels = np.asarray(labels, np.uint8)[probabilities.argmax(axis=0)]
    return found


def merged(
    probabilities: Probabilities,
    labels: Sequence[int],
    thresholds: Sequence[float],
    *,
    nothing: int,
) -> Labels:
    """Return (…) labels of the channels of (channels, …) independent probabilities.

    Args:
        probabilities: In [0, 1].
        labels: (channels,) label of each channel.
        thresholds: (channels,) to the nearest 0.001, as in scoring.
        nothing: Label of pixels at which no class counts.
    """
    counted = np.where(_reach(probabilities, thresholds), probabilities, np.float32(-1))
    found: Labels = np.asarray(labels, np.uint8)[counted.argmax(axis=0)]
    found[(counted < 0).all(axis=0)] = nothing
    return found


def _reach(probabilities: Probabilities, thresholds: Sequence[float]) -> NDArray[np.bool_]:
    """Compare as the saved histograms do: floor(1000 p) >= round(1000 threshold)."""
    bins = PROBABILITY_BINS - 1
    firsts = np.array([round(each * bins) for each in thresholds], np.float64)
    shape = (-1, *[1] * (probabilities.ndim - 1))
    reached: NDArray[np.bool_] = probabilities.astype(np.float64) * bins >= firsts.reshape(shape)
    return reached
