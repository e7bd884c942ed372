"""What a study file may say under `model`, `training` and `evaluation`; torch-free.

Each architecture subclasses `ModelSettings` in its family's `settings.py` with a literal `name`.
"""

from typing import Annotated, Literal, TypeAlias

from pydantic import BaseModel, ConfigDict, Field, model_validator

Optimizer = Literal["adam", "adamw", "sgd", "rmsprop"]
SIGMOID_LOSSES = ("bce", "dice", "focal", "lovasz_hinge")  # a sigmoid per class
SOFTMAX_LOSSES = ("cross_entropy", "softmax_dice", "softmax_focal", "lovasz_softmax")
Loss = Literal[
    "bce",
    "dice",
    "focal",
    "lovasz_hinge",
    "cross_entropy",
    "softmax_dice",
    "softmax_focal",
    "lovasz_softmax",
]
Precision = Literal["32-true", "bf16-mixed", "16-mixed"]


class FrozenSettings(BaseModel):
    """Settings that cannot change after loading; an unknown key is an error."""

    model_config = ConfigDict(frozen=True, extra="forbid", protected_namespaces=())


class ModelSettings(FrozenSettings):
    """Fields of every model."""

    name: str = Field(description="Name of the model; `visionstudy models list` shows all.")


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


Schedule: TypeAlias = Annotated[
    ConstantSchedule | StepSchedule | PlateauSchedule | CosineSchedule,
    Field(discriminator="name"),
]


class TrainingSettings(FrozenSettings):
    """How a model is trained."""

    optimizer: Optimizer = Field("adam", description="Update rule.")
    learning_rate: float = Field(1e-3, gt=0, description="Initial learning rate.")
    momentum: float | None = Field(
        None, ge=0, lt=1, description="Momentum of sgd and rmsprop; null: none."
    )
    nesterov: bool = Field(False, description="Nesterov momentum, sgd only.")
    weight_decay: float = Field(0.0, ge=0, description="L2 penalty; decoupled with adamw.")
    schedule: Schedule = Field(
        default_factory=ConstantSchedule, description="How the learning rate changes."
    )
    batch_size: int = Field(8, ge=1, description="Images per optimizer step (times `accumulate`).")
    accumulate: int = Field(
        1, ge=1, description="Batches whose gradients are averaged into one optimizer step."
    )
    epochs: int = Field(10, ge=1, description="Passes over the training images.")
    loss: Loss | None = Field(
        None,
        description="bce, dice, focal, lovasz_hinge: a sigmoid per class; cross_entropy, "
        "softmax_dice, softmax_focal, lovasz_softmax: a softmax over all labels. null: the "
        "task's usual one (bce for segmentation; detectors have their own).",
    )
    early_stopping_epochs: int | None = Field(
        None, ge=1, description="Stop after so many epochs without a better objective; null: off."
    )
    precision: Precision = Field("32-true", description="Arithmetic of the forward pass.")
    deterministic: bool = Field(
        True, description="Same seed, same result; slower on some GPU operations."
    )
    checkpoint_epochs: int = Field(
        1,
        ge=1,
        description="Epochs between two checkpoints.",
        json_schema_extra={"affects_result": False},
    )

    @model_validator(mode="after")
    def _settings_take_effect(self) -> "TrainingSettings":
        if self.momentum is not None and self.optimizer not in ("sgd", "rmsprop"):
            raise ValueError(
                f"momentum has no effect with optimizer '{self.optimizer}'; "
                "remove it or use 'sgd' or 'rmsprop'"
            )
        if self.nesterov and (self.optimizer != "sgd" or not self.momentum):
            raise ValueError("nesterov needs optimizer 'sgd' and a momentum above 0")
        return self


class EvaluationSettings(FrozenSettings):
    """How outputs become the predictions that are scored."""

    threshold: float = Field(
        0.5,
        gt=0,
        lt=1,
        description="Probability from which a pixel or box counts as found, to the nearest 0.001.",
    )
