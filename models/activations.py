"""Activations by name; `models.activation_settings` has their formulas."""

import math

from torch import nn

from models.activation_settings import LEAKY_SLOPE, ActivationName

SWISH_GAIN = 1.677  # 1 / sqrt of the mean of swish(z)^2, 0.3558, of normal z


def build_activation(name: ActivationName, leaky_slope: float | None = None) -> nn.Module:
    """Build the activation that settings name.

    Args:
        name: Of the activation.
        leaky_slope: Of leaky_relu below 0; None: 0.01.
    """
    match name:
        case "linear":
            return nn.Identity()
        case "sigmoid":
            return nn.Sigmoid()
        case "tanh":
            return nn.Tanh()
        case "relu":
            return nn.ReLU()
        case "leaky_relu":
            return nn.LeakyReLU(LEAKY_SLOPE if leaky_slope is None else leaky_slope)
        case "swish":
            return nn.SiLU()


def draw_weights(module: nn.Module, name: ActivationName, leaky_slope: float | None) -> None:
    """Draw the weights of a convolution or linear layer before an activation; biases zero.

    N(0, gain^2 / inputs of a unit), with the gain that keeps the scale of what passes through:
    of rectified ones He et al. 2015, eq. 10 and 15; swish by the same rule; of the others torch's.
    """
    if not isinstance(module, nn.Conv2d | nn.Linear):
        return
    deviation = _gain(name, leaky_slope) / math.sqrt(module.weight[0].numel())
    nn.init.normal_(module.weight, std=deviation)
    if module.bias is not None:
        nn.init.zeros_(module.bias)


def _gain(name: ActivationName, leaky_slope: float | None) -> float:
    match name:
        case "swish":
            return SWISH_GAIN
        case "leaky_relu":
            slope = LEAKY_SLOPE if leaky_slope is None else leaky_slope
            return nn.init.calculate_gain("leaky_relu", slope)
        case _:
            return nn.init.calculate_gain(name)
