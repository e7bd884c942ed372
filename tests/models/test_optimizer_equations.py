"""Every optimizer against its equations, written out beside it, on a quadratic.

The equations are those of the thesis, section 5.5, with its misprints put right: of (28), where
the mean of the squared gradient is garbled, and of (29), where the second moment has the first
one's beta. `epsilon` stands outside the root, as in (30).
"""

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from models.optimizers import build_optimizer, set_learning_rate
from models.settings import TrainingSettings

Vector = NDArray[np.float64]
Recursion = Callable[[Vector, Callable[[Vector], Vector]], Iterator[Vector]]
STEPS = 20
CURVATURE = np.array([[3.0, 1.0], [1.0, 2.0]])  # of the quadratic 1/2 w'Aw - b'w
SLOPE = np.array([1.0, -4.0])
START = np.array([5.0, 0.3])
RATE, DECAY, EPSILON = 0.03, 0.02, 1e-3


def gradient(weights: Vector) -> Vector:
    return np.asarray(CURVATURE @ weights - SLOPE)


def with_decay(weights: Vector) -> Vector:
    """Couple the decay with the gradient."""
    return gradient(weights) + DECAY * weights


def descent(w: Vector, g: Callable[[Vector], Vector]) -> Iterator[Vector]:
    """(24)"""
    while True:
        w = w - RATE * g(w)
        yield w


def momentum(w: Vector, g: Callable[[Vector], Vector]) -> Iterator[Vector]:
    """(26)"""
    v = np.zeros_like(w)
    while True:
        v = 0.8 * v + RATE * g(w)
        w = w - v
        yield w


def nesterov(w: Vector, g: Callable[[Vector], Vector]) -> Iterator[Vector]:
    """(27), of which torch keeps the point that is looked ahead to."""
    v = np.zeros_like(w)
    while True:
        v = 0.8 * v + RATE * g(w - 0.8 * v)
        w = w - v
        yield w - 0.8 * v


def rmsprop(w: Vector, g: Callable[[Vector], Vector]) -> Iterator[Vector]:
    """(28)"""
    squares = np.zeros_like(w)
    while True:
        squares = 0.7 * squares + (1 - 0.7) * g(w) ** 2
        w = w - RATE * g(w) / (np.sqrt(squares) + EPSILON)
        yield w


def centered_rmsprop_with_momentum(w: Vector, g: Callable[[Vector], Vector]) -> Iterator[Vector]:
    """(28) about the mean, whose steps are kept as in (26)."""
    squares, mean, v = np.zeros_like(w), np.zeros_like(w), np.zeros_like(w)
    while True:
        squares = 0.7 * squares + (1 - 0.7) * g(w) ** 2
        mean = 0.7 * mean + (1 - 0.7) * g(w)
        v = 0.5 * v + RATE * g(w) / (np.sqrt(squares - mean**2) + EPSILON)
        w = w - v
        yield w


def adam(w: Vector, g: Callable[[Vector], Vector]) -> Iterator[Vector]:
    """(29) to (31)"""
    m, v, step = np.zeros_like(w), np.zeros_like(w), 0
    while True:
        step += 1
        m = 0.8 * m + (1 - 0.8) * g(w)
        v = 0.95 * v + (1 - 0.95) * g(w) ** 2
        m_hat, v_hat = m / (1 - 0.8**step), v / (1 - 0.95**step)
        w = w - RATE * m_hat / (np.sqrt(v_hat) + EPSILON)
        yield w


def amsgrad(w: Vector, g: Callable[[Vector], Vector]) -> Iterator[Vector]:
    """Adam with the largest second moment so far (Reddi et al. 2018, algorithm 2)."""
    m, v, largest, step = np.zeros_like(w), np.zeros_like(w), np.zeros_like(w), 0
    while True:
        step += 1
        m = 0.8 * m + (1 - 0.8) * g(w)
        v = 0.95 * v + (1 - 0.95) * g(w) ** 2
        largest = np.maximum(largest, v)
        m_hat, v_hat = m / (1 - 0.8**step), largest / (1 - 0.95**step)
        w = w - RATE * m_hat / (np.sqrt(v_hat) + EPSILON)
        yield w


def adamw(w: Vector, g: Callable[[Vector], Vector]) -> Iterator[Vector]:
    """Adam beside a decay of the weights themselves (Loshchilov and Hutter 2019, algorithm 2)."""
    m, v, step = np.zeros_like(w), np.zeros_like(w), 0
    while True:
        step += 1
        slope = g(w)
        m = 0.8 * m + (1 - 0.8) * slope
        v = 0.95 * v + (1 - 0.95) * slope**2
        m_hat, v_hat = m / (1 - 0.8**step), v / (1 - 0.95**step)
        w = w - RATE * (m_hat / (np.sqrt(v_hat) + EPSILON) + DECAY * w)
        yield w


OF_ADAM = {"beta1": 0.8, "beta2": 0.95, "epsilon": EPSILON}
OF_RMSPROP = {"optimizer": "rmsprop", "rms_decay": 0.7, "epsilon": EPSILON}
CASES: dict[str, tuple[Recursion, dict[str, Any]]] = {
    "gradient descent": (descent, {"optimizer": "sgd"}),
    "momentum": (momentum, {"optimizer": "sgd", "momentum": 0.8}),
    "nesterov": (nesterov, {"optimizer": "sgd", "momentum": 0.8, "nesterov": True}),
    "rmsprop": (rmsprop, OF_RMSPROP),
    "centered rmsprop": (
        centered_rmsprop_with_momentum,
        {**OF_RMSPROP, "momentum": 0.5, "centered": True},
    ),
    "adam": (adam, {"optimizer": "adam", **OF_ADAM}),
    "amsgrad": (amsgrad, {"optimizer": "adam", "amsgrad": True, **OF_ADAM}),
}


def torch_weights(settings: dict[str, Any], start: Vector, steps: int) -> list[Vector]:
    """Take steps on the quadratic with what the settings build."""
    training = TrainingSettings.model_validate({"learning_rate": RATE, **settings})
    weights = torch.nn.Parameter(torch.from_numpy(start.copy()))
    optimizer = build_optimizer(training, [weights])
    curvature, slope = torch.from_numpy(CURVATURE), torch.from_numpy(SLOPE)
    passed = []
    for _ in range(steps):
        optimizer.zero_grad()
        (weights @ curvature @ weights / 2 - slope @ weights).backward()  # type: ignore[no-untyped-call]
        optimizer.step()
        passed.append(weights.detach().numpy().copy())
    return passed


def expected(recursion: Recursion, g: Callable[[Vector], Vector]) -> list[Vector]:
    steps = recursion(START, g)
    return [next(steps) for _ in range(STEPS)]


@pytest.mark.parametrize("name", CASES)
def test_each_step_is_that_of_the_equations(name: str) -> None:
    recursion, settings = CASES[name]
    found = torch_weights(settings, START, STEPS)
    np.testing.assert_allclose(found, expected(recursion, gradient), rtol=0, atol=1e-12)


@pytest.mark.parametrize("name", CASES)
def test_decay_is_coupled_with_the_gradient(name: str) -> None:
    recursion, settings = CASES[name]
    found = torch_weights({**settings, "weight_decay": DECAY}, START, STEPS)
    np.testing.assert_allclose(found, expected(recursion, with_decay), rtol=0, atol=1e-12)
    assert np.abs(found[-1] - expected(recursion, gradient)[-1]).max() > 1e-6


def test_decay_of_adamw_is_decoupled_from_the_gradient() -> None:
    settings = {"optimizer": "adamw", "weight_decay": DECAY, **OF_ADAM}
    found = torch_weights(settings, START, STEPS)
    np.testing.assert_allclose(found, expected(adamw, gradient), rtol=0, atol=1e-12)
    assert np.abs(found[-1] - expected(adam, with_decay)[-1]).max() > 1e-6


@pytest.mark.parametrize(
    ("settings", "by_hand"),
    [
        ({"optimizer": "sgd"}, [0.9, 0.81]),
        # v = 0.1, then 0.9 x 0.1 + 0.1 x 0.9 = 0.18
        ({"optimizer": "sgd", "momentum": 0.9}, [0.9, 0.72]),
        # v = 0.1 x 1 from 1 to 0.9, and ahead to 0.81; v = 0.09 + 0.1 x 0.81 = 0.171 to 0.729
        ({"optimizer": "sgd", "momentum": 0.9, "nesterov": True}, [0.81, 0.729 - 0.9 * 0.171]),
        # of the first squared gradient (1 - 0.75) is kept: 1 - 0.1 x 1 / 0.5
        ({"optimizer": "rmsprop", "rms_decay": 0.75, "epsilon": 1e-15}, [0.8]),
        # whatever the gradient, the first step is as long as the learning rate
        ({"optimizer": "adam", "epsilon": 1e-15}, [0.9]),
        ({"optimizer": "adam", "epsilon": 1.0}, [0.95]),
        ({"optimizer": "adamw", "epsilon": 1e-15, "weight_decay": 0.5}, [0.95 - 0.1]),
    ],
)
def test_first_steps_down_half_a_square_are_those_worked_by_hand(
    settings: dict[str, Any], by_hand: list[float]
) -> None:
    training = TrainingSettings.model_validate({"learning_rate": 0.1, **settings})
    weight = torch.nn.Parameter(torch.ones(1, dtype=torch.float64))
    optimizer = build_optimizer(training, [weight])
    for value in by_hand:
        weight.grad = weight.detach().clone()  # of w^2 / 2
        optimizer.step()
        assert weight.item() == pytest.approx(value, abs=1e-12)


def test_equations_hold_while_a_schedule_changes_the_rate() -> None:
    """With momentum torch keeps gradients, and (26) steps: they differ when the rate changes."""
    training = TrainingSettings.model_validate(
        {"learning_rate": 1.0, "optimizer": "sgd", "momentum": 0.5}
    )
    weight = torch.nn.Parameter(torch.zeros(1, dtype=torch.float64))
    optimizer = build_optimizer(training, [weight])
    for rate in (1.0, 0.1):
        set_learning_rate(optimizer, rate)
        weight.grad = torch.ones_like(weight)
        optimizer.step()
    assert weight.item() == pytest.approx(-1 - 0.1 * (0.5 * 1 + 1), abs=1e-12)
