"""Activations that a study file may name between layers, and why others are not; torch-free.

z is what a layer computes, and the formulas are of each number by itself:

    linear       z
    sigmoid      1 / (1 + exp(-z))
    tanh         (exp(z) - exp(-z)) / (exp(z) + exp(-z))
    relu         max(z, 0)
    leaky_relu   z where z > 0, else slope z (Maas et al. 2013)
    swish        z / (1 + exp(-z)) (Ramachandran et al. 2017, beta 1; torch's SiLU)
"""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Annotated, Literal, TypeAlias, get_args

from pydantic import BeforeValidator

ActivationName = Literal["linear", "sigmoid", "tanh", "relu", "leaky_relu", "swish"]
LEAKY_SLOPE = 0.01  # Maas et al. 2013; torch's too
NO_ACTIVATIONS: Mapping[str, str] = MappingProxyType(
    {
        "step": "a step function, whose gradient is 0 wherever it has one, so that no layer "
        "before it learns",
        "softmax": "softmax, which is of the output alone and added there by the loss: between "
        "layers it ties the units to a sum of 1",
    }
)  # name -> what it is and why a network cannot have it between its layers


def _between_layers(name: object) -> object:
    if isinstance(name, str) and name in NO_ACTIVATIONS:
        known = ", ".join(get_args(ActivationName))
        raise ValueError(f"must not be {NO_ACTIVATIONS[name]}; use one of {known}")
    return name


Activation: TypeAlias = Annotated[ActivationName, BeforeValidator(_between_layers)]
