"""A range test on a real network: its suggestion trains."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from models.growing_rate import train_with_growing_rate
from models.rate_range import RateRange, suggested_rates
from models.session import Interrupted
from models.training import train

USUAL = RateRange(low=1e-5, high=100.0, steps=60)


def test_the_suggested_rate_trains_better_than_the_lowest_and_the_highest(
    attempts: Callable[..., Any],
) -> None:
    curve = train_with_growing_rate(attempts().session(), USUAL)
    found = suggested_rates(curve)
    assert found is not None
    losses = {}
    for rate in (USUAL.low, found.steepest, 30.0):
        cell = attempts(training={"epochs": 6, "learning_rate": rate})
        train(cell.session())
        losses[rate] = cell.reports[-1].metrics["train/loss"]
    assert min(losses, key=lambda rate: losses[rate]) == found.steepest


def test_each_step_has_its_rate_and_its_loss(attempts: Callable[..., Any]) -> None:
    told: list[tuple[int, float, float]] = []
    rates = RateRange(low=1e-6, high=1e-3, steps=20)
    curve = train_with_growing_rate(attempts().session(), rates, lambda *step: told.append(step))
    assert [step for step, _, _ in told] == list(range(1, 21))
    np.testing.assert_array_equal([rate for _, rate, _ in told], rates.rates())
    np.testing.assert_array_equal([loss for _, _, loss in told], curve.losses)
    assert not curve.has_exploded


def test_the_first_loss_is_that_of_the_untrained_network_whatever_the_rate(
    attempts: Callable[..., Any],
) -> None:
    firsts = [
        train_with_growing_rate(
            attempts().session(), RateRange(low=low, high=1.0, steps=20)
        ).losses[0]
        for low in (1e-6, 0.1)
    ]
    assert firsts[0] == firsts[1]


def test_the_same_seed_gives_the_same_curve(attempts: Callable[..., Any]) -> None:
    curves = [train_with_growing_rate(attempts().session(seed=3), USUAL) for _ in range(2)]
    np.testing.assert_array_equal(curves[0].losses, curves[1].losses)


def test_schedule_and_warm_up_are_set_aside(attempts: Callable[..., Any]) -> None:
    plain = attempts(training={"epochs": 4})
    planned = attempts(
        training={"epochs": 4, "warmup": {"epochs": 2}, "schedule": {"name": "cyclical"}}
    )
    curves = [train_with_growing_rate(cell.session(), USUAL) for cell in (plain, planned)]
    np.testing.assert_array_equal(curves[0].losses, curves[1].losses)


def test_an_explosion_ends_the_test_and_keeps_what_was_finite(
    attempts: Callable[..., Any],
) -> None:
    cell = attempts(training={"optimizer": "sgd"})
    wild = RateRange(low=1.0, high=1e30, steps=40)
    curve = train_with_growing_rate(cell.session(), wild)
    assert curve.has_exploded
    assert curve.losses.size < 40
    assert curve.rates.size == curve.losses.size == curve.smoothed.size
    assert np.isfinite(curve.losses).all()


def test_accumulated_batches_are_one_step(
    attempts: Callable[..., Any], tiny_data: Callable[..., Any]
) -> None:
    curves = []
    for sizes in ({"batch_size": 4}, {"batch_size": 2, "accumulate": 2}):
        cell = attempts(training={"optimizer": "sgd", **sizes}, data=tiny_data(count=8))
        few = RateRange(low=1e-3, high=0.1, steps=20)
        curves.append(train_with_growing_rate(cell.session(), few).losses)
    np.testing.assert_allclose(curves[0], curves[1], rtol=1e-4)


def test_layers_keep_their_factors(
    attempts: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[list[float]] = []

    def noted(bench: Any, _training: Any) -> None:
        seen.append([group["lr"] for group in bench.optimizer.param_groups])

    monkeypatch.setattr("models.growing_rate.take_step", noted)
    cell = attempts(training={"transfer": {"learning_rate_factors": {"classify": 10}}})
    train_with_growing_rate(cell.session(), RateRange(low=1e-3, high=1.0, steps=20))
    assert seen[0] == pytest.approx([1e-3, 1e-2])
    assert seen[-1] == pytest.approx([1.0, 10.0])


def test_it_can_be_stopped(attempts: Callable[..., Any]) -> None:
    with pytest.raises(Interrupted, match="asked to stop after step 5 of 60"):
        train_with_growing_rate(attempts().session(stop_at_poll=5), USUAL)


def test_nothing_is_written(attempts: Callable[..., Any]) -> None:
    cell = attempts()
    train_with_growing_rate(cell.session(), RateRange(low=1e-6, high=1e-3, steps=20))
    assert list(cell.folders[0].iterdir()) == []
