"""A metric as a function of how often each image counts, for a bootstrap over images.

Resampling images means to give each a whole weight. Metrics of a split are sums over images, and
ratios of them, or come from detections that were matched image by image; so a resample needs no
image to be looked at again. The interval is BCa (Efron 1987), by `scipy.stats.bootstrap`. It
holds for other images like these, under the same networks: it says nothing of other seeds.

A confidence that many comparisons share is close to 1, and its ends lie far out: so many more are
resampled, up to a limit. An end that not even two resamples lie beyond is not known.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.stats import bootstrap

from models.metrics.ratios import FloatArray

RESAMPLES = 4999  # at least
MOST_RESAMPLES = 99_999
BEYOND = 4  # resamples that are wanted beyond each end
FEWEST_IMAGES = 20  # of fewer, a bootstrap's intervals are known to be too narrow
BATCH_NUMBERS = 4_000_000  # weights that are held at once
Score = Callable[[FloatArray], FloatArray]  # weights (resamples, images) -> (resamples,)


@dataclass(frozen=True, slots=True)
class ImageStatistic:
    """A metric of a split's images."""

    image_ids: tuple[str, ...]
    score: Score  # NaN where the images that count define no value


@dataclass(frozen=True, slots=True)
class ResampledMean:
    """A mean difference, and where it lies over other images."""

    mean: float
    low: float | None  # None: too few images or resamples, or some that define no value
    high: float | None


def mean_difference(
    pairs: Sequence[tuple[ImageStatistic, ImageStatistic]], confidence: float
) -> ResampledMean:
    """Resample images, the same for all statistics, and average the pairs' differences.

    Statistics may be of different images, as where each class has a network and validation images
    of its own: then all of them are resampled together, and each statistic takes its own.

    Args:
        pairs: Own and other; at least one.
        confidence: Of the interval, in (0, 1); above 0.99998 there is none.
    """
    images = _united(pairs)
    columns = {
        statistic.image_ids: np.array([images[name] for name in statistic.image_ids])
        for pair in pairs
        for statistic in pair
    }

    def difference(weights: FloatArray) -> FloatArray:
        parts = [
            own.score(weights[:, columns[own.image_ids]])
            - other.score(weights[:, columns[other.image_ids]])
            for own, other in pairs
        ]
        mean: FloatArray = np.mean(parts, axis=0)
        return mean

    mean = float(difference(np.ones((1, len(images))))[0])
    if min(len(own) for own in columns) < FEWEST_IMAGES:
        return ResampledMean(mean, None, None)
    return ResampledMean(mean, *_bca(difference, len(images), confidence))


def _united(pairs: Sequence[tuple[ImageStatistic, ImageStatistic]]) -> dict[str, int]:
    """Number the images of all statistics, each once."""
    names = (name for pair in pairs for statistic in pair for name in statistic.image_ids)
    return {name: number for number, name in enumerate(dict.fromkeys(names))}


def _bca(score: Score, images: int, confidence: float) -> tuple[float | None, float | None]:
    """Return the ends of the BCa interval; where nothing varies, both are the value itself."""

    def of_indices(indices: NDArray[np.intp], axis: int) -> FloatArray:  # noqa: ARG001
        flat = indices.reshape(-1, indices.shape[-1])
        return score(counted(flat, images)).reshape(indices.shape[:-1])

    tail = (1 - confidence) / 2
    resamples = min(MOST_RESAMPLES, max(RESAMPLES, math.ceil(BEYOND / tail) - 1))
    if tail * (resamples + 1) < 1:
        return None, None
    probe = score(counted(np.random.default_rng(0).integers(images, size=(20, images)), images))
    if np.isnan(probe).any():
        return None, None
    if np.ptp(probe) == 0.0:
        return float(probe[0]), float(probe[0])
    found = bootstrap(
        (np.arange(images),),
        of_indices,
        n_resamples=resamples,
        batch=max(1, BATCH_NUMBERS // images),
        vectorized=True,
        axis=-1,
        confidence_level=confidence,
        method="BCa",
        rng=np.random.default_rng(0),
    )
    ends = float(found.confidence_interval.low), float(found.confidence_interval.high)
    # BCa moves its quantiles, and may move them beyond all that was resampled.
    second, but_last = np.partition(found.bootstrap_distribution, (1, -2))[[1, -2]]
    is_known = second <= ends[0] and ends[1] <= but_last  # not of NaN
    return ends if is_known else (None, None)


def counted(indices: NDArray[np.intp], images: int) -> FloatArray:
    """Turn the images of each resample, (resamples, any), into weights, (resamples, images)."""
    rows = np.arange(len(indices))[:, None] * images
    counts = np.bincount((indices + rows).ravel(), minlength=len(indices) * images)
    return counts.reshape(len(indices), images).astype(np.float64)
