"""What a study file may say of the rule by which weights change; torch-free.

Parameters of a rule have flat names, so that each can be a stage. One that the chosen rule does
not have is an error; one that is not given has the value of `USUAL`: those of Adam are of its
paper (Kingma and Ba 2015), and `rms_decay` is torch's, where Hinton has 0.9.
"""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, Literal

from pydantic import Field, model_validator

from models.frozen_settings import FrozenSettings

Optimizer = Literal["adam", "adamw", "sgd", "rmsprop"]
LATER: dict[str, Any] = {"since": "0.2"}
ADAMS = ("adam", "adamw")
OPTIMIZERS_OF: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        "momentum": ("sgd", "rmsprop"),
        "nesterov": ("sgd",),
        "beta1": ADAMS,
        "beta2": ADAMS,
        "amsgrad": ADAMS,
        "epsilon": (*ADAMS, "rmsprop"),
        "rms_decay": ("rmsprop",),
        "centered": ("rmsprop",),
    }
)  # parameter -> rules that have it
USUAL: Mapping[str, float] = MappingProxyType(
    {"momentum": 0.0, "beta1": 0.9, "beta2": 0.999, "epsilon": 1e-8, "rms_decay": 0.99}
)  # parameter -> its value where none is given; switches are off


class OptimizerSettings(FrozenSettings):
    """How weights follow their gradients; the equations are in docs/training.md."""

    optimizer: Optimizer = Field("adam", description="Update rule.")
    learning_rate: float = Field(
        1e-3,
        gt=0,
        description="Highest learning rate: where constant, step, multi_step, final_drop, "
        "plateau, cosine and polynomial begin, and the top of cyclical and one_cycle.",
    )
    momentum: float | None = Field(
        None, ge=0, lt=1, description="Momentum of sgd and rmsprop; null: none."
    )
    nesterov: bool = Field(False, description="Nesterov momentum, sgd only.")
    beta1: float | None = Field(
        None,
        ge=0,
        lt=1,
        description="How much of the mean gradient adam and adamw keep in a step; null: 0.9.",
        json_schema_extra=LATER,
    )
    beta2: float | None = Field(
        None,
        ge=0,
        lt=1,
        description="How much of the mean squared gradient adam and adamw keep in a step; null: "
        "0.999.",
        json_schema_extra=LATER,
    )
    amsgrad: bool = Field(
        False,
        description="Divide by the largest mean squared gradient so far (Reddi et al. 2018), "
        "adam and adamw only.",
        json_schema_extra=LATER,
    )
    rms_decay: float | None = Field(
        None,
        ge=0,
        lt=1,
        description="How much of the mean squared gradient rmsprop keeps in a step; null: 0.99, "
        "torch's (Hinton has 0.9).",
        json_schema_extra=LATER,
    )
    centered: bool = Field(
        False,
        description="Divide by the gradient's standard deviation instead of its root mean "
        "square, rmsprop only.",
        json_schema_extra=LATER,
    )
    epsilon: float | None = Field(
        None,
        gt=0,
        le=1,
        description="Added to what adam, adamw and rmsprop divide by; null: 1e-8.",
        json_schema_extra=LATER,
    )
    weight_decay: float = Field(
        0.0,
        ge=0,
        description="Coupled with sgd, rmsprop and adam: this times the weights is added to their "
        "gradient (an L2 penalty of half of it). Decoupled with adamw: each step takes the "
        "learning rate times this off the weights themselves.",
    )

    @model_validator(mode="after")
    def _parameters_take_effect(self) -> "OptimizerSettings":
        if self.nesterov and (self.optimizer != "sgd" or not self.momentum):
            raise ValueError("nesterov needs optimizer 'sgd' and a momentum above 0")
        for name, optimizers in OPTIMIZERS_OF.items():
            value = getattr(self, name)
            # Not `value in (None, False)`: a momentum of 0.0 was given, though it equals False.
            if value is not None and value is not False and self.optimizer not in optimizers:
                known = " or ".join(f"'{each}'" for each in optimizers)
                raise ValueError(
                    f"{name} has no effect with optimizer '{self.optimizer}'; "
                    f"remove it or use {known}"
                )
        return self

    def rule_parameters(self) -> dict[str, float | bool]:
        """Return every parameter that the chosen rule has, with what it runs with."""
        return {
            name: getattr(self, name) if getattr(self, name) is not None else USUAL[name]
            for name, optimizers in OPTIMIZERS_OF.items()
            if self.optimizer in optimizers
        }

    def usual_momentum(self) -> float:
        """Return how much of the step before is kept: `beta1` of adam and adamw."""
        parameters = self.rule_parameters()
        return float(parameters["beta1" if "beta1" in parameters else "momentum"])
