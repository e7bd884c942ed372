"""How a study file may say that the learning rate changes; torch-free.

`training.learning_rate` is the highest rate of every schedule, so that one value means as large
steps with all of them.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Annotated, Literal, TypeAlias

from pydantic import Field, field_validator, model_validator

from models.frozen_settings import FrozenSettings


class ConstantSchedule(FrozenSettings):
    """The learning rate stays."""

    name: Literal["constant"] = "constant"


class StepSchedule(FrozenSettings):
    """Multiply the learning rate by `factor` every so many epochs."""

    name: Literal["step"]
    every_epochs: int = Field(10, ge=1, description="Epochs between two steps.")
    factor: float = Field(0.1, gt=0, lt=1, description="Multiplier of each step.")


class PlateauSchedule(FrozenSettings):
    """Multiply the learning rate by `factor` when validation loss has stopped falling."""

    name: Literal["plateau"]
    patience_epochs: int = Field(10, ge=0, description="Epochs without improvement to wait.")
    factor: float = Field(0.1, gt=0, lt=1, description="Multiplier of each step.")


class CosineSchedule(FrozenSettings):
    """Half a cosine from the learning rate to `final_learning_rate` over all epochs."""

    name: Literal["cosine"]
    final_learning_rate: float = Field(0.0, ge=0, description="Learning rate at the end.")


class MultiStepSchedule(FrozenSettings):
    """Multiply the learning rate by `factor` after each of some epochs."""

    name: Literal["multi_step"]
    after_epochs: tuple[Annotated[int, Field(ge=1)], ...] = Field(
        min_length=1, description="Epochs that are over before each step, ascending."
    )
    factor: float = Field(0.1, gt=0, lt=1, description="Multiplier of each step.")

    @field_validator("after_epochs")
    @classmethod
    def _epochs_ascend(cls, after_epochs: tuple[int, ...]) -> tuple[int, ...]:
        if list(after_epochs) != sorted(set(after_epochs)):
            raise ValueError(
                f"after_epochs must ascend and name each epoch once, got {list(after_epochs)}"
            )
        return after_epochs


class FinalDropSchedule(FrozenSettings):
    """Multiply the learning rate by `factor` for the last epochs."""

    name: Literal["final_drop"]
    last_epochs: int = Field(ge=1, description="Epochs at the end with the smaller rate.")
    factor: float = Field(0.1, gt=0, lt=1, description="What the rate is multiplied by there.")


class PolynomialSchedule(FrozenSettings):
    """Multiply by (1 - steps over / all steps) ** power, step by step (Chen et al. 2017, 4.1)."""

    name: Literal["polynomial"]
    power: float = Field(0.9, gt=0, le=10, description="1: a straight line down to 0.")


class CyclicalSchedule(FrozenSettings):
    """Up and down in straight lines, step by step (Smith 2017)."""

    name: Literal["cyclical"]
    half_cycle_epochs: float = Field(
        2.0,
        gt=0,
        le=1000,
        description="Epochs from the lowest rate to the highest, and as many back; parts of an "
        "epoch too. Smith: 2 to 10.",
    )
    low_factor: float = Field(
        0.25,
        ge=0,
        lt=1,
        description="What the learning rate is multiplied by at its lowest. Smith: 1/4 to 1/3.",
    )
    shape: Literal["triangular", "triangular2", "exp_range"] = Field(
        "triangular",
        description="triangular: all cycles are as high; triangular2: each is half as high as "
        "the one before; exp_range: their height shrinks by `decay` in every epoch.",
    )
    decay: float | None = Field(
        None,
        gt=0,
        lt=1,
        description="What is left of a cycle's height after an epoch, with exp_range; null: 0.97.",
    )

    @model_validator(mode="after")
    def _decay_takes_effect(self) -> "CyclicalSchedule":
        if self.decay is not None and self.shape != "exp_range":
            raise ValueError(
                f"decay has no effect with shape '{self.shape}'; remove it or use 'exp_range'"
            )
        return self


class OneCycleSchedule(FrozenSettings):
    """Up to the learning rate and down to almost nothing, step by step (Smith 2018)."""

    name: Literal["one_cycle"]
    rising_share: float = Field(
        0.3, gt=0, lt=1, description="Share of all steps in which the rate rises."
    )
    start_factor: float = Field(
        0.04,
        gt=0,
        lt=1,
        description="What the learning rate is multiplied by in the first step.",
    )
    final_factor: float = Field(
        4e-6, ge=0, lt=1, description="What the learning rate is multiplied by in the last step."
    )
    lowest_momentum: float | None = Field(
        None,
        ge=0,
        lt=1,
        description="Momentum (beta1 of adam and adamw) where the rate is highest, down from the "
        "optimizer's own and up to it again. Smith: 0.85, from 0.95. null: momentum stays.",
    )


class Warmup(FrozenSettings):
    """A learning rate that grows in a straight line to the schedule's (Goyal et al. 2017, 2.2)."""

    epochs: float = Field(
        gt=0,
        le=1000,
        description="Epochs until the schedule's learning rate is reached; parts of an epoch too.",
    )
    start_factor: float = Field(
        0.1,
        ge=0,
        lt=1,
        description="What the schedule's learning rate is multiplied by in the first step.",
    )


Schedule: TypeAlias = Annotated[
    ConstantSchedule
    | StepSchedule
    | MultiStepSchedule
    | FinalDropSchedule
    | PlateauSchedule
    | CosineSchedule
    | PolynomialSchedule
    | CyclicalSchedule
    | OneCycleSchedule,
    Field(discriminator="name"),
]


@dataclass(frozen=True, slots=True)
class Span:
    """Epochs that a training must go beyond."""

    name: str  # of the setting
    epochs: float
    lost: str  # what a training that is no longer never has
    mend: str


def spans(schedule: Schedule, warmup: Warmup | None) -> Iterator[Span]:
    """Yield what must be over before a training is."""
    if warmup is not None:
        lost = "the learning rate is never reached"
        yield Span("warmup.epochs", warmup.epochs, lost, "shorten the warm-up")
    match schedule:
        case MultiStepSchedule():
            name, last = "schedule.after_epochs", schedule.after_epochs[-1]
            yield Span(name, last, "the last step is never taken", "name earlier epochs")
        case FinalDropSchedule():
            name, last = "schedule.last_epochs", schedule.last_epochs
            yield Span(name, last, "no epoch has the learning rate", "drop it later")
        case CyclicalSchedule():
            name, half = "schedule.half_cycle_epochs", schedule.half_cycle_epochs
            yield Span(name, half, "the learning rate is never reached", "shorten the cycle")
