"""Is a number the same as ours, but for the noise of seeds? Never said from one number.

A system that is trained again with other seeds scores otherwise. Every claim is made at `ERROR`:
where there is nothing to claim, it is made in 2 of 100 comparisons.

*With a cited number*, which is a training too (or the mean of `runs`), of mean m of n seeds and
their standard deviation s:

    below, above    |m - cited| > t(1 - ERROR / 2, n - 1) * s * sqrt(1 / n + 1 / runs) + rounding
    reproduced      |m - cited| < rounding + 5 % of cited - t(1 - ERROR, n - 1) * s / sqrt(n), and
                    |m - cited| < rounding + t'(ERROR, n - 1, 2 * sqrt(n)) * s / sqrt(n)

The first is a prediction interval for one more number (Hahn and Meeker 1991, chapter 4). The
second says that our expected value is surely closer than 5 % (two one-sided tests, Schuirmann
1987) and surely closer than two of its own standard deviations, which are estimated themselves:
t' is the quantile of the noncentral t (Wellek 2010, chapter 5). What is neither is within noise:
the interval holds the cited number, and is too wide to call it reproduced. Of fewer than 3 seeds,
or seeds that do not differ, nothing is known of the noise.

*With another system's seeds*: Welch's t (1947), or Student's t of the differences where both were
measured on the same seeds and these are known to act on both alike.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from enum import StrEnum
from statistics import fmean, stdev, variance

from scipy.special import nctdtrit, stdtrit

ERROR = 0.02  # of a claim, where there is nothing to claim
FEWEST_SEEDS = 3
NOISE = 2.0  # standard deviations of a run that "reproduced" may be off
SHARE = 0.05  # of the cited number, the most of that: an unsteady system reproduces nothing
NO_SPREAD = 1e-12  # of the values' size; less is rounding
NO_NOISE = "the seeds do not differ, so that nothing is known of their noise"


class Verdict(StrEnum):
    """What may be said of our number beside another one."""

    REPRODUCED = "reproduced"
    WITHIN_NOISE = "within noise"
    BELOW = "below"
    ABOVE = "above"
    CANNOT_SAY = "cannot say"


@dataclass(frozen=True, slots=True)
class Judgement:
    """A verdict on our number beside a cited one, with what led to it."""

    verdict: Verdict
    mean: float | None  # over seeds; None without a value
    seeds: int
    difference: float | None  # our mean minus the cited number
    half: float | None  # what `difference` may be by chance; None: the noise is not known
    margin: float | None  # that our expected value may be off to be called reproduced
    reason: str = ""  # why nothing can be said


@dataclass(frozen=True, slots=True)
class DifferenceJudgement:
    """A verdict on two systems, each measured with several seeds."""

    verdict: Verdict  # of the first beside the second; never `REPRODUCED`
    difference: float | None  # mean of the first minus mean of the second
    low: float | None  # of the difference's interval
    high: float | None
    method: str  # "Welch's t" or "paired t by seed"
    reason: str = ""  # why nothing can be said

    @property
    def is_found(self) -> bool:
        """Whether the systems differ by more than noise."""
        return self.verdict in (Verdict.BELOW, Verdict.ABOVE)


def rounding_of(printed: str) -> float:
    """Return half a unit of the last digit of a printed number: 0.005 of "0.26"."""
    try:
        exponent = Decimal(printed).as_tuple().exponent
    except InvalidOperation:
        return 0.0
    return 0.5 * 10.0**exponent if isinstance(exponent, int) else 0.0


def judge(
    values: Sequence[float], cited: float, *, rounding: float = 0.0, runs: int = 1
) -> Judgement:
    """Judge our values, one per seed, beside a cited number.

    Args:
        values: Finite, in the metric's unit.
        cited: In the same unit.
        rounding: Half a unit of its last printed digit.
        runs: Trainings that it is the mean of; 1 where the source does not say.
    """
    count = len(values)
    if count == 0:
        return Judgement(Verdict.CANNOT_SAY, None, 0, None, None, None, "no value of ours")
    mean = fmean(values)
    difference = mean - cited
    if count < FEWEST_SEEDS:
        reason = _too_few(count)
        return Judgement(Verdict.CANNOT_SAY, mean, count, difference, None, None, reason)
    spread = stdev(values)
    if _is_rounding(spread, values):
        return _judge_alike(mean, count, difference, rounding)
    half = _quantile(1 - ERROR / 2, count - 1) * spread * math.sqrt(1 / count + 1 / max(1, runs))
    half += rounding
    margin = rounding + min(NOISE * spread, SHARE * abs(cited))
    verdict = _beside(difference, half)
    closest = rounding + _closest(spread, count, SHARE * abs(cited))
    if verdict is Verdict.WITHIN_NOISE and abs(difference) < closest:
        verdict = Verdict.REPRODUCED
    return Judgement(verdict, mean, count, difference, half, margin)


def _closest(spread: float, count: int, share: float) -> float:
    """Return how close a mean must be to be surely within `share` and within the noise."""
    error = spread / math.sqrt(count)
    of_noise = float(nctdtrit(count - 1, NOISE * math.sqrt(count), ERROR)) * error
    return min(of_noise, share - _quantile(1 - ERROR, count - 1) * error)


def judge_difference(
    first: Sequence[float], second: Sequence[float], *, is_paired: bool = False
) -> DifferenceJudgement:
    """Judge two systems by their values, one per seed.

    Args:
        first: Finite, in the metric's unit.
        second: The same; where `is_paired`, of the same seeds in the same order.
        is_paired: Whether a seed is known to act on both alike, as in one stage of a study;
            decided before the values are seen.

    Raises:
        ValueError: paired values are not of the same seeds.
    """
    method = "paired t by seed" if is_paired else "Welch's t"
    if is_paired and len(first) != len(second):
        raise ValueError(
            f"paired values must be of the same seeds, got {len(first)} and {len(second)}; leave "
            "out those that one of the two lacks, or compare unpaired"
        )
    fewest = min(len(first), len(second))
    difference = fmean(first) - fmean(second) if fewest else None
    if difference is None or fewest < FEWEST_SEEDS:
        reason = _too_few(fewest)
        return DifferenceJudgement(Verdict.CANNOT_SAY, difference, None, None, method, reason)
    half = _paired_half(first, second) if is_paired else _welch_half(first, second)
    if half is None:
        is_equal = _is_rounding(difference, (*first, *second))
        verdict = Verdict.WITHIN_NOISE if is_equal else Verdict.CANNOT_SAY
        reason = "" if is_equal else NO_NOISE
        return DifferenceJudgement(verdict, difference, None, None, method, reason)
    low, high = difference - half, difference + half
    return DifferenceJudgement(_beside(difference, half), difference, low, high, method)


def _too_few(count: int) -> str:
    noun = "seed" if count == 1 else "seeds"
    return f"{count} {noun}, and a verdict needs {FEWEST_SEEDS}"


def _judge_alike(mean: float, count: int, difference: float, rounding: float) -> Judgement:
    """Judge values without a spread: they have the cited digits, or nothing can be said."""
    if abs(difference) <= rounding + NO_SPREAD * max(1.0, abs(mean)):
        return Judgement(Verdict.REPRODUCED, mean, count, difference, rounding, rounding)
    return Judgement(Verdict.CANNOT_SAY, mean, count, difference, None, None, NO_NOISE)


def _beside(difference: float, half: float) -> Verdict:
    if abs(difference) <= half:
        return Verdict.WITHIN_NOISE
    return Verdict.BELOW if difference < 0 else Verdict.ABOVE


def _paired_half(first: Sequence[float], second: Sequence[float]) -> float | None:
    """Return half the interval of the mean difference by seed; None without a spread."""
    differences = [ours - theirs for ours, theirs in zip(first, second, strict=True)]
    spread = stdev(differences)
    if _is_rounding(spread, (*first, *second)):
        return None
    return _quantile(1 - ERROR / 2, len(differences) - 1) * spread / math.sqrt(len(differences))


def _welch_half(first: Sequence[float], second: Sequence[float]) -> float | None:
    """Return half Welch's interval of the difference of means; None without a spread."""
    parts = [(variance(values) / len(values), len(values) - 1) for values in (first, second)]
    total = sum(part for part, _ in parts)
    if _is_rounding(math.sqrt(total), (*first, *second)):
        return None
    freedom = total**2 / sum(part**2 / own for part, own in parts)
    return _quantile(1 - ERROR / 2, freedom) * math.sqrt(total)


def _is_rounding(spread: float, values: Sequence[float]) -> bool:
    return abs(spread) <= NO_SPREAD * max(abs(value) for value in values)


def _quantile(share: float, freedom: float) -> float:
    """Return Student's t that a share of its values lies below."""
    return float(stdtrit(freedom, share))
