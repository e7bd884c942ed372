"""How a study file may say that the learning rate changes; torch-free."""

from typing import Annotated, Literal, TypeAlias

from pydantic import Field

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
    ConstantSchedule | StepSchedule | PlateauSchedule | CosineSchedule,
    Field(discriminator="name"),
]
