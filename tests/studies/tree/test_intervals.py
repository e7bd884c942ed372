"""Intervals that hold for all pairs at once, against scipy and statsmodels-like hand work."""

import itertools
from collections.abc import Sequence

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy import stats

from studies.tree.intervals import Rivals, chance_of, difference_interval, rivals_of

SEED = np.random.default_rng(7)


def rows(table: NDArray[np.float64]) -> list[dict[str, float]]:
    """Name the columns; NaN is a missing replicate."""
    return [
        {f"seed {seed}": float(v) for seed, v in enumerate(row) if not np.isnan(v)}
        for row in table
    ]


def by_least_squares(table: NDArray[np.float64]) -> tuple[float, int]:
    """Fit configuration and replicate by dummies; the reference for `rivals_of`."""
    places = np.argwhere(~np.isnan(table))
    design = np.hstack(
        [places[:, [0]] == np.arange(len(table)), places[:, [1]] == np.arange(table.shape[1])]
    ).astype(float)
    values = table[places[:, 0], places[:, 1]]
    fitted = design @ np.linalg.lstsq(design, values, rcond=None)[0]
    freedom = len(values) - int(np.linalg.matrix_rank(design))
    return float(((values - fitted) ** 2).sum()) / freedom, freedom


@pytest.mark.parametrize("gaps", [[], [(0, 0)], [(0, 0), (2, 1), (3, 3)]])
def test_variance_is_what_configuration_and_replicate_leave(gaps: list[tuple[int, int]]) -> None:
    table = SEED.normal(size=(4, 5)) + SEED.normal(size=5)
    for gap in gaps:
        table[gap] = np.nan
    variance, freedom = by_least_squares(table)
    found = rivals_of(rows(table))
    assert (found.count, found.freedom) == (4, freedom)
    assert found.variance == pytest.approx(variance)


def test_what_all_configurations_share_of_a_seed_is_no_variance() -> None:
    table = np.add.outer([0.1, 0.2, 0.3], [5.0, 1.0, 3.0])
    assert rivals_of(rows(table)).variance == 0.0


def test_one_replicate_tells_no_variance() -> None:
    found = rivals_of([{"seed 0": 0.1}, {"seed 0": 0.4}, {"seed 0": 0.2}])
    assert found.freedom == 0
    assert difference_interval([0.3], found, 0.95).low is None
    assert chance_of([[0.3]], found, tried=3) is None


def test_two_configurations_have_the_paired_t_interval() -> None:
    own, other = np.array([0.5, 0.7, 0.6, 0.8]), np.array([0.45, 0.6, 0.62, 0.7])
    rivals = rivals_of(rows(np.stack([own, other])))
    found = difference_interval(list(own - other), rivals, 0.9)
    test = stats.ttest_rel(own, other)
    expected = test.confidence_interval(0.9)
    assert (found.low, found.high) == pytest.approx((expected.low, expected.high))
    chance = chance_of([list(own - other)], rivals, tried=2)
    assert chance == pytest.approx(test.pvalue)


def test_narrower_of_tukey_and_bonferroni_is_taken_at_half_the_error() -> None:
    table = SEED.normal(size=(4, 6))
    rivals = rivals_of(rows(table))
    for own, other in itertools.combinations(table, 2):
        differences = own - other
        found = difference_interval(list(differences), rivals, 0.95)
        tukey = stats.studentized_range.ppf(0.975, 4, rivals.freedom) * np.sqrt(
            rivals.variance / 6
        )
        bonferroni = stats.t.ppf(1 - 0.025 / 6 / 2, 5) * stats.sem(differences)
        assert found.high is not None
        assert found.high - found.mean == pytest.approx(min(tukey, bonferroni))


def test_configuration_that_varies_wildly_harms_only_itself() -> None:
    calm, worse = [0.80, 0.81, 0.80, 0.81], [0.60, 0.62, 0.61, 0.61]
    wild = [0.1, 0.7, 0.0, 0.5]
    rivals = rivals_of(rows(np.array([calm, worse, wild])))
    differences = [own - other for own, other in zip(calm, worse, strict=True)]
    assert not difference_interval(differences, rivals, 0.95).may_be_zero
    pooled = stats.studentized_range.ppf(0.95, 3, rivals.freedom) * np.sqrt(rivals.variance / 4)
    assert pooled > 0.2, "by Tukey alone it would be zero"


@pytest.mark.slow
def test_intervals_of_all_pairs_hold_together() -> None:
    generator = np.random.default_rng(1)
    effects = np.array([0.0, 0.5, 1.0, 3.0])
    held = [_all_hold(generator.normal(size=(4, 3)), effects) for _ in range(400)]
    assert sum(held) >= 0.93 * len(held), "two standard errors below 95 %"


def _all_hold(noise: NDArray[np.float64], effects: NDArray[np.float64]) -> bool:
    table = noise + effects[:, None] + np.array([0.0, 4.0, -2.0])
    rivals = rivals_of(rows(table))
    return all(
        _holds(list(table[a] - table[b]), rivals, effects[a] - effects[b])
        for a, b in itertools.combinations(range(4), 2)
    )


def _holds(differences: Sequence[float], rivals: Rivals, truth: float) -> bool:
    found = difference_interval(differences, rivals, 0.95)
    assert found.low is not None
    assert found.high is not None
    return bool(found.low <= truth <= found.high)


def test_chance_counts_every_configuration_that_was_tried() -> None:
    table = SEED.normal(size=(3, 4))
    rivals = rivals_of(rows(table))
    pairs = [list(table[0] - table[1])]
    few, many = (chance_of(pairs, rivals, tried=tried) for tried in (3, 9))
    assert few is not None
    assert many is not None
    assert few < many


def test_identical_results_are_certainly_chance() -> None:
    rivals = rivals_of(rows(np.ones((3, 3))))
    assert chance_of([[0.0, 0.0, 0.0]], rivals, tried=3) == 1.0
