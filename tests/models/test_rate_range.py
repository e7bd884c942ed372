"""What a range test suggests, on curves whose answer is known."""

import math

import numpy as np
import pytest
from numpy.typing import NDArray

from models.rate_range import (
    Explosion,
    RateCurve,
    RateRange,
    RateRangeError,
    curve_of,
    suggested_rates,
    window_of,
)

Losses = NDArray[np.float64]
CURVATURE = 50.0  # of w^2: gradient descent diverges at rates above 2 / 50
START = 3.0


def planted(steps: int = 200, *, lowest: float = 0.2) -> RateCurve:
    """Flat to 1e-4, straight down over two decades to 1e-2, then up to 1e-1."""
    rates = np.geomspace(1e-6, 1e-1, steps)
    losses = np.interp(np.log10(rates), [-6, -4, -2, -1], [1.0, 1.0, lowest, 5.0])
    return curve_of(rates, losses, steps=steps, exploded=True)


def descend(rate: float, steps: int) -> float:
    """Return the loss of gradient descent on a parabola after some steps."""
    weight = START
    for _ in range(steps):
        weight -= rate * CURVATURE * weight
    return CURVATURE * weight**2 / 2


def range_test_of_a_parabola(steps: int = 200) -> RateCurve:
    rates, losses, explosion, weight = np.geomspace(1e-5, 10, steps), [], Explosion(), START
    exploded = False
    for rate in rates:
        loss = CURVATURE * weight**2 / 2
        losses.append(loss)
        if exploded := explosion.follows(loss):
            break
        weight -= rate * CURVATURE * weight
    return curve_of(rates[: len(losses)], np.array(losses), steps=steps, exploded=exploded)


def test_rates_grow_by_the_same_factor() -> None:
    rates = RateRange(low=1e-4, high=1.0, steps=21).rates()
    assert (rates[0], rates[-1], rates.size) == (1e-4, 1.0, 21)
    np.testing.assert_allclose(rates[1:] / rates[:-1], 10**0.2)


@pytest.mark.parametrize(
    ("low", "high", "steps", "message"),
    [
        (1e-3, 1e-3, 100, "low must be above 0 and below high, got low 0.001 and high 0.001"),
        (0.0, 1.0, 100, "low must be above 0"),
        (1e-3, math.inf, 100, "below high, got low 0.001 and high inf"),
        (math.nan, 1.0, 100, "low must be above 0"),
        (1e-3, 1.0, 19, "steps must be at least 20, .* got 19"),
    ],
)
def test_a_range_that_is_none_is_refused(
    low: float, high: float, steps: int, message: str
) -> None:
    with pytest.raises(RateRangeError, match=message):
        RateRange(low=low, high=high, steps=steps).rates()


def test_the_smoothed_loss_is_a_mean_over_the_steps_around() -> None:
    losses = np.random.default_rng(0).random(200)
    curve = curve_of(np.geomspace(1e-3, 1, 200), losses, steps=200, exploded=False)
    assert window_of(200) == 5
    assert curve.smoothed[100] == pytest.approx(losses[95:106].mean())
    assert curve.smoothed[0] == pytest.approx(losses[:6].mean())
    assert curve.smoothed[-1] == pytest.approx(losses[-6:].mean())


def test_a_planted_fall_is_found() -> None:
    found = suggested_rates(planted())
    assert found is not None
    assert 1e-4 < found.steepest < 1e-2
    assert found.least_at == pytest.approx(1e-2, rel=0.4)
    assert found.tenth == pytest.approx(found.least_at / 10)
    assert (found.low, found.high) == tuple(sorted((found.steepest, found.tenth)))
    assert not found.still_falls


def test_the_fall_is_found_under_noise() -> None:
    curve = planted()
    noise = np.random.default_rng(1).normal(0, 0.1, curve.losses.size)
    noisy = curve_of(curve.rates, curve.losses + noise, steps=200, exploded=True)
    found = suggested_rates(noisy)
    assert found is not None
    assert 1e-4 < found.steepest < 1e-2
    assert found.least_at == pytest.approx(1e-2, rel=0.5)


@pytest.mark.parametrize("lowest", [1.0, 0.96])
def test_a_loss_that_hardly_falls_suggests_nothing(lowest: float) -> None:
    assert suggested_rates(planted(lowest=lowest)) is None


def test_a_loss_that_grows_from_the_start_suggests_nothing() -> None:
    rates = np.geomspace(1e-3, 1, 40)
    assert suggested_rates(curve_of(rates, rates, steps=40, exploded=True)) is None


def test_an_exploded_first_step_suggests_nothing() -> None:
    nothing = np.empty(0)
    assert suggested_rates(curve_of(nothing, nothing, steps=40, exploded=True)) is None


def test_a_loss_that_falls_to_the_end_says_so() -> None:
    rates = np.geomspace(1e-6, 1e-3, 100)
    losses = np.linspace(1.0, 0.3, 100)
    found = suggested_rates(curve_of(rates, losses, steps=100, exploded=False))
    assert found is not None
    assert found.still_falls


def test_a_valley_that_stays_flat_is_least_where_it_begins() -> None:
    rates = np.geomspace(1e-6, 1e2, 200)
    noise = np.random.default_rng(3).normal(0, 0.01, 200)
    losses = np.interp(np.log10(rates), [-4, -2], [1.0, 0.2]) + noise
    found = suggested_rates(curve_of(rates, losses, steps=200, exploded=False))
    assert found is not None
    assert found.least_at == pytest.approx(1e-2, rel=0.3)
    assert not found.still_falls


def test_a_fall_that_ends_at_the_brink_is_taken_from_before_it() -> None:
    rates = np.geomspace(1e-6, 1e-1, 200)
    losses = np.interp(np.log10(rates), [-4, -2.2, -2, -1.9], [1.0, 0.8, 0.2, 9.0])
    found = suggested_rates(curve_of(rates, losses, steps=200, exploded=True))
    assert found is not None
    assert found.steepest < found.least_at / 1.5


def test_an_explosion_is_four_times_the_least_loss_and_above_the_first() -> None:
    explosion = Explosion()
    fell_and_rose = [1.0] * 5 + [0.01] * 60 + [0.5] * 60
    assert not any(explosion.follows(loss) for loss in fell_and_rose), "still below the first"
    assert any(explosion.follows(loss) for loss in [3.0] * 20)
    assert Explosion().follows(math.nan)
    assert Explosion().follows(math.inf)


def test_a_noisy_loss_is_no_explosion() -> None:
    explosion = Explosion()
    noise = np.random.default_rng(2).lognormal(0, 0.5, 300)
    assert not any(explosion.follows(float(loss)) for loss in noise)


def test_on_a_parabola_the_suggested_rates_learn_and_those_above_diverge() -> None:
    curve = range_test_of_a_parabola()
    found = suggested_rates(curve)
    assert curve.has_exploded
    assert found is not None
    first = descend(0.0, 1)
    assert descend(found.low, 100) < 0.9 * first
    assert descend(found.high, 100) < 1e-2 * first
    assert curve.rates[-1] > 2 / CURVATURE, "where gradient descent diverges"
    assert descend(float(curve.rates[-1]), 100) > first
