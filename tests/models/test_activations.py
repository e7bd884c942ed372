"""Each activation is its formula; those that cannot stand between layers are refused."""

from typing import get_args

import numpy as np
import pytest
import torch
from pydantic import TypeAdapter, ValidationError
from torch import nn

from models.activation_settings import Activation, ActivationName
from models.activations import build_activation, draw_weights

NAMES = get_args(ActivationName)
GRID = np.linspace(-6, 6, 241)  # 0 among them
FORMULAS = {
    "linear": GRID,
    "sigmoid": 1 / (1 + np.exp(-GRID)),
    "tanh": (np.exp(GRID) - np.exp(-GRID)) / (np.exp(GRID) + np.exp(-GRID)),
    "relu": np.where(GRID > 0, GRID, 0),
    "leaky_relu": np.where(GRID > 0, GRID, 0.2 * GRID),
    "swish": GRID / (1 + np.exp(-GRID)),
}


def build(name: ActivationName) -> nn.Module:
    return build_activation(name, 0.2 if name == "leaky_relu" else None)


def test_every_activation_has_a_formula_here() -> None:
    assert set(FORMULAS) == set(NAMES)


@pytest.mark.parametrize("name", NAMES)
def test_activation_is_its_formula(name: ActivationName) -> None:
    values = build(name)(torch.from_numpy(GRID)).numpy()
    np.testing.assert_allclose(values, FORMULAS[name], rtol=1e-12, atol=1e-15)


@pytest.mark.parametrize("name", NAMES)
def test_gradient_is_that_of_finite_differences(name: ActivationName) -> None:
    point = torch.tensor([-3.0, -0.5, 0.25, 2.0], dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(build(name), point)


def test_leaky_relu_falls_with_a_hundredth_unless_told_otherwise() -> None:
    assert build_activation("leaky_relu")(torch.tensor([-1.0])).item() == pytest.approx(-0.01)


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("step", "must not be a step function, whose gradient is 0 .*; use one of linear"),
        ("softmax", "must not be softmax, which is of the output alone .*; use one of linear"),
        ("relux", "'linear', 'sigmoid', 'tanh', 'relu', 'leaky_relu' or 'swish'"),
    ],
)
def test_activation_that_cannot_be_is_refused_with_the_reason(name: str, message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        TypeAdapter(Activation).validate_python(name)


@pytest.mark.parametrize("name", ["linear", "tanh", "relu", "leaky_relu", "swish"])
def test_twenty_layers_neither_explode_nor_vanish(name: ActivationName) -> None:
    torch.manual_seed(0)
    units = torch.randn(64, 256)
    for _ in range(20):
        layer = nn.Linear(256, 256)
        draw_weights(layer, name, None)
        units = build_activation(name)(layer(units))
    assert 0.01 < units.std().item() < 100
