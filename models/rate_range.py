"""Which learning rates a network learns at: what a range test measured, and what it suggests.

The test (Smith 2017, section 3.3) trains once while the rate grows from step to step by the same
factor. The loss first stays, then falls, then grows without end. Torch-free.
"""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from models.frozen_settings import FrozenSettings

FloatArray = NDArray[np.float64]
LEAST_STEPS = 20
WINDOW_SHARE = 0.025  # of all steps that are averaged on each side of one
LEAST_FALL = 0.05  # of the first loss; a smaller fall says nothing
ALL_BUT = 0.05  # of the whole fall: nearer to the least loss, rates do not differ
EXPLODED = 4.0  # times the least loss, and above the first one: the test is over
LAST_SHARE = 0.1  # of all steps: a loss that is least in them was still falling
KEPT = 0.8  # of the mean loss that tells an explosion, from step to step


class RateRangeError(ValueError):
    """A range of rates that cannot be tested."""


class RateRange(FrozenSettings):
    """The rates that a test goes through."""

    low: float
    high: float
    steps: int

    def rates(self) -> FloatArray:
        """Return the rate of each step, (steps,), from low to high by equal factors.

        Raises:
            RateRangeError: There is no such range.
        """
        if not (0 < self.low < self.high < math.inf):
            raise RateRangeError(
                f"low must be above 0 and below high, got low {self.low:g} and high "
                f"{self.high:g}; usual are 1e-7 and 10"
            )
        if self.steps < LEAST_STEPS:
            raise RateRangeError(
                f"steps must be at least {LEAST_STEPS}, or there is no curve to read; got "
                f"{self.steps}"
            )
        return np.geomspace(self.low, self.high, self.steps)


@dataclass(frozen=True, slots=True)
class RateCurve:
    """The loss of each step of a range test, in the order of the steps."""

    rates: FloatArray  # (n,) ascending by equal factors; n steps before it was over
    losses: FloatArray  # (n,) before each step, finite
    smoothed: FloatArray  # (n,) means over a window around each step
    steps: int  # that were planned
    has_exploded: bool

    @property
    def window(self) -> int:
        """Steps on each side of one that its mean is over."""
        return window_of(self.steps)


@dataclass(frozen=True, slots=True)
class SuggestedRates:
    """What a curve says about the learning rate."""

    steepest: float  # where the loss falls fastest
    tenth: float  # a tenth of `least_at`
    least_at: float  # the lowest rate with all but the least loss: above it, it learns no more
    still_falls: bool  # that is among the highest rates: higher ones may do as well

    @property
    def low(self) -> float:
        """The lower end of what is worth a try."""
        return min(self.steepest, self.tenth)

    @property
    def high(self) -> float:
        """The upper end of what is worth a try."""
        return max(self.steepest, self.tenth)


class Explosion:
    """Tells, step by step, whether the loss has grown without end."""

    def __init__(self) -> None:
        self._sum, self._weight = 0.0, 0.0
        self._first, self._least = math.inf, math.inf

    def follows(self, loss: float) -> bool:
        """Take in the next loss; say whether the test is over."""
        if not math.isfinite(loss):
            return True
        self._sum = KEPT * self._sum + (1 - KEPT) * loss
        self._weight = KEPT * self._weight + (1 - KEPT)
        mean = self._sum / self._weight
        self._first = mean if self._first == math.inf else self._first
        self._least = min(self._least, mean)
        return mean > EXPLODED * self._least and mean > self._first


def window_of(steps: int) -> int:
    """Return how many steps on each side of one its smoothed loss is a mean over."""
    return max(1, round(WINDOW_SHARE * steps))


def curve_of(rates: FloatArray, losses: FloatArray, *, steps: int, exploded: bool) -> RateCurve:
    """Smooth the losses of a test.

    Args:
        rates: (n,) ascending.
        losses: (n,) finite.
        steps: That were planned, at least n.
        exploded: Whether the loss grew without end.
    """
    width = window_of(steps)
    sums = np.concatenate([[0.0], np.cumsum(losses)])
    places = np.arange(losses.size)
    first, end = np.maximum(places - width, 0), np.minimum(places + width + 1, losses.size)
    return RateCurve(rates, losses, (sums[end] - sums[first]) / (end - first), steps, exploded)


def suggested_rates(curve: RateCurve) -> SuggestedRates | None:
    """Read a curve; None where its loss does not fall clearly."""
    smoothed = curve.smoothed
    least = int(np.argmin(smoothed)) if smoothed.size else 0
    if least < 2 or smoothed[0] - smoothed[least] <= LEAST_FALL * abs(smoothed[0]):
        return None
    # Some networks stay at their least loss over decades of rates, and noise chooses among them.
    enough = smoothed[least] + ALL_BUT * (smoothed[0] - smoothed[least])
    least = max(2, int(np.argmax(smoothed <= enough)))
    # Only falls that end before the least loss: at the brink itself no rate is safe.
    width = min(2 * curve.window, least // 2)
    places = np.arange(width, least - width + 1)
    falls = smoothed[places - width] - smoothed[places + width]  # over equal ratios of rates
    least_at = float(curve.rates[least])
    return SuggestedRates(
        steepest=float(curve.rates[places[int(np.argmax(falls))]]),
        tenth=least_at / 10,
        least_at=least_at,
        still_falls=not curve.has_exploded and least >= (1 - LAST_SHARE) * smoothed.size,
    )
