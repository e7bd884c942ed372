"""How far apart two configurations are, sure for all pairs of a stage at once.

Every configuration is measured on the same replicates, a randomised block design. Of k of them
the best is seen only afterwards, so an interval must hold for all pairs together. Two do:

    Tukey       the studentized range with what is left over when configurations and replicates
                are allowed for; sharp, and supposes that all configurations vary alike
    Bonferroni  Student's t of the pair's own differences, at the error divided by the number of
                pairs; wide with few replicates, and a configuration that varies wildly harms
                only itself

Each is taken at half the error, and the narrower one counts: so both hold together. Of two
configurations alone they are the same, and it is the paired t interval. One replicate gives none.

Replicates whose training sets overlap, as those of folds do, are not independent: `overlap` widens
every interval by the square root of 1 + replicates * overlap, and is explained in `fold_blocks`.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray
from scipy.special import stdtr, stdtrit

NO_SPREAD = 1e-12  # of the values' size; less is rounding


@dataclass(frozen=True, slots=True)
class Interval:
    """A mean with its confidence interval; no interval from fewer than two values."""

    mean: float
    low: float | None
    high: float | None

    @property
    def may_be_zero(self) -> bool:
        """Whether zero is among the plausible values; without an interval, the value."""
        if self.low is None or self.high is None:
            return self.mean == 0.0
        return self.low <= 0.0 <= self.high


@dataclass(frozen=True, slots=True)
class Rivals:
    """Configurations that are compared with each other."""

    count: int
    variance: float  # of a value, configuration and replicate allowed for
    freedom: int  # degrees of freedom of `variance`; 0: it is not known
    overlap: float = 0.0  # what a mean's variance has beside 1 / replicates; 0: independent


def confidence_of_each(count: int, confidence: float) -> float:
    """Return the confidence at which intervals of all pairs of so many hold together."""
    return 1 - (1 - confidence) / max(1, count * (count - 1) // 2)


def mean_of(values: Sequence[float]) -> float:
    """Return the mean, rounded once, so that no order of replicates is better."""
    return math.fsum(values) / len(values)


def t_interval(values: Sequence[float], confidence: float, overlap: float = 0.0) -> Interval:
    """Return the mean with its two-sided Student t interval, corrected for an overlap."""
    mean = mean_of(values)
    if len(values) < 2:
        return Interval(mean, None, None)
    quantile = float(stdtrit(len(values) - 1, 0.5 + confidence / 2))
    half = quantile * _standard_error(values) * _widening(len(values), overlap)
    return Interval(mean, mean - half, mean + half)


def rivals_of(measured: Sequence[Mapping[str, float]], overlap: float = 0.0) -> Rivals:
    """Measure what configurations vary by, beyond what configuration and replicate explain.

    Args:
        measured: Replicate -> value of each; replicates may be missing.
        overlap: Of the replicates' training sets.
    """
    names = sorted({name for values in measured for name in values})
    rows = sorted([values.get(name, math.nan) for name in names] for values in measured if values)
    if not rows:
        return Rivals(0, 0.0, 0, overlap)
    table = np.array(rows)
    there = ~np.isnan(table)
    centred = _less_row_means(np.where(there, table, 0.0), there)
    blocks = np.stack(
        [
            _less_row_means(np.where(there, own, 0.0), there)[there]
            for own in np.eye(len(names))[:, None, :] * np.ones_like(table)
        ]
    )
    normal = blocks @ blocks.T
    rank = int(np.linalg.matrix_rank(normal, hermitian=True)) if len(names) > 1 else 0
    effects = np.linalg.lstsq(normal, blocks @ centred[there], rcond=1e-10)[0]
    left = centred[there] - effects @ blocks
    freedom = int(there.sum()) - len(rows) - rank
    total = float(left @ left)
    is_rounding = total <= (NO_SPREAD * float(np.abs(table[there]).max(initial=0.0))) ** 2
    variance = 0.0 if freedom <= 0 or is_rounding else total / freedom
    return Rivals(len(rows), variance, max(0, freedom), overlap)


def difference_interval(
    differences: Sequence[float], rivals: Rivals, confidence: float
) -> Interval:
    """Return the mean paired difference, with an interval that holds for all pairs of rivals."""
    mean = mean_of(differences)
    wider = _widening(len(differences), rivals.overlap)
    halves = []
    error = (1 - confidence) / (1 if rivals.count <= 2 else 2)
    if rivals.freedom:
        quantile = _range_quantile(1 - error, rivals.count, rivals.freedom)
        halves.append(quantile * math.sqrt(rivals.variance / len(differences)) * wider)
    if rivals.count > 2 and (spread := _standard_error(differences)) > _rounding(differences):
        tail = error / (rivals.count * (rivals.count - 1))  # of both sides, of each pair
        halves.append(float(-stdtrit(len(differences) - 1, tail)) * spread * wider)
    if not halves or len(differences) < 2:
        return Interval(mean, None, None)
    return Interval(mean, mean - min(halves), mean + min(halves))


def chance_of(pairs: Sequence[Sequence[float]], rivals: Rivals, *, tried: int) -> float | None:
    """Return how often some pair would be so far apart if no configuration differed from another.

    Args:
        pairs: The differences of each pair, by replicate.
        rivals: What they were measured beside.
        tried: Configurations that the pairs' best one was the best of, in this stage and those
            above it: a winner that is measured no second time brings its luck along.

    Returns:
        In [0, 1], an upper bound; None where replicates are too few to tell.
    """
    paired = [each for each in pairs if len(each) > 1]
    if not rivals.freedom or not paired:
        return None
    distances = [
        abs(mean_of(each)) * math.sqrt(len(each)) / _widening(len(each), rivals.overlap)
        for each in paired
    ]
    if max(distances) == 0.0:
        return 1.0
    if rivals.variance == 0.0:
        return 0.0
    chance = _range_excess(max(distances) / math.sqrt(rivals.variance), tried, rivals.freedom)
    if tried <= 2:
        return chance
    tails = [tried * (tried - 1) * _tail(each, rivals.overlap) for each in paired]
    return min(1.0, 2 * min(chance, *tails))


def _tail(differences: Sequence[float], overlap: float) -> float:
    """Return the chance that Student's t is further out on one side; 1 without a spread."""
    spread = _standard_error(differences)
    if spread <= _rounding(differences):
        return 1.0
    spread *= _widening(len(differences), overlap)
    return float(stdtr(len(differences) - 1, -abs(mean_of(differences)) / spread))


def _widening(count: int, overlap: float) -> float:
    """Return by how much an overlap widens an interval of so many values."""
    return math.sqrt(1 + count * overlap)


def _range_excess(widest: float, count: int, freedom: int) -> float:
    """Return the chance that the range of `count` means is wider, in standard errors."""
    from scipy.stats import studentized_range  # lazy, as below

    return float(studentized_range.sf(widest, count, freedom))


@lru_cache(maxsize=1024)
def _range_quantile(share: float, count: int, freedom: int) -> float:
    """Return the quantile of the range of `count` means, in standard errors; it is costly."""
    from scipy.stats import studentized_range  # lazy: every launch would wait for it

    return float(studentized_range.ppf(share, count, freedom))


def _standard_error(values: Sequence[float]) -> float:
    if len(values) < 2:
        return 0.0
    return float(np.asarray(values, np.float64).std(ddof=1)) / math.sqrt(len(values))


def _rounding(values: Sequence[float]) -> float:
    return NO_SPREAD * max(1.0, *(abs(value) for value in values))


def _less_row_means(values: NDArray[np.float64], there: NDArray[np.bool_]) -> NDArray[np.float64]:
    """Return rows less their means over what is there; 0 elsewhere."""
    means = values.sum(axis=1, keepdims=True) / there.sum(axis=1, keepdims=True)
    less: NDArray[np.float64] = np.where(there, values - means, 0.0)
    return less
