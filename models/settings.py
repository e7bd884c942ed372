"""What a study file may say under `model`, `training` and `evaluation`; torch-free.

Each architecture subclasses `ModelSettings` in its family's `settings.py` with a literal `name`.
"""

from typing import Annotated, Literal, TypeAlias

from pydantic import Field, field_validator, model_validator

from models.frozen_settings import FrozenSettings
from models.loss_settings import FEWEST_OF_TRIPLET, LossSettings
from models.optimizer_settings import OptimizerSettings
from models.schedule_settings import (
    ConstantSchedule,
    CosineSchedule,
    OneCycleSchedule,
    Schedule,
    Warmup,
    spans,
)

Precision = Literal["32-true", "bf16-mixed", "16-mixed"]
# Counted to the nearest 0.001: nearer to 0 everything would be found.
Threshold: TypeAlias = Annotated[float, Field(ge=0.001, le=0.999)]
AlsoScored = Literal["boundary_f1", "rand_error"]
OF_RUN = "study:"  # before the name of a run to start from, which is no file then


class ModelSettings(FrozenSettings):
    """Fields of every model."""

    name: str = Field(description="Name of the model; `visionstudy models list` shows all.")


class TransferSettings(FrozenSettings):
    """Trained weights that a training starts from, and which of them learn."""

    init_from: str | None = Field(
        None,
        min_length=1,
        description="study:NAME, a study of the workspace (its winner), or study:NAME/CELL; or a "
        "file of weights as trials keep it (best-12.pt). What has the same name and shape is "
        "carried over, classes by their names; what is of new classes starts anew. null: nothing "
        "but what model.pretrained names.",
    )
    classes: tuple[str, ...] | None = Field(
        None,
        min_length=1,
        description="Classes of the weights in a file, in label order; null: as the events.jsonl "
        "of the training beside it says. Where nobody says, layers of classes start anew.",
    )
    mode: Literal["fine_tuning", "feature_extractor"] = Field(
        "fine_tuning",
        description="fine_tuning: all layers learn, or those from `freeze_to` on; "
        "feature_extractor: the last layers alone, whose size depends on the classes.",
    )
    freeze_to: str | None = Field(
        None,
        min_length=1,
        description="First layer that learns, by its dotted name: those before it, in the order "
        "in which the network lists them, stay as they are, with the statistics of their batch "
        "normalisation. null: all learn.",
    )
    learning_rate_factors: dict[str, Annotated[float, Field(gt=0, le=1000)]] = Field(
        default_factory=dict,
        description="Layer -> what its learning rate is multiplied by, e.g. {backbone: 0.1}; of "
        "a layer and a part of it, the part's holds.",
    )

    @model_validator(mode="after")
    def _names_a_start(self) -> "TransferSettings":
        source = self.init_from
        if source is not None and not source.removeprefix(OF_RUN).strip("/ "):
            raise ValueError(f"init_from must name a study after {OF_RUN}, got '{source}'")
        if self.classes is not None and (source is None or source.startswith(OF_RUN)):
            raise ValueError(
                "classes says what the labels of a file's weights mean, and has no effect with "
                f"init_from {source or 'null'}; remove it"
            )
        if self.classes is not None and len(set(self.classes)) < len(self.classes):
            raise ValueError(f"classes must name each once, got {', '.join(self.classes)}")
        return self

    @model_validator(mode="after")
    def _settings_take_effect(self) -> "TransferSettings":
        if self.mode == "feature_extractor" and self.freeze_to is not None:
            raise ValueError(
                "freeze_to has no effect with mode 'feature_extractor', where the last layers "
                "alone learn; remove it, or use mode 'fine_tuning'"
            )
        changes_nothing = self.mode == "fine_tuning" and self.freeze_to is None
        if self.init_from is None and changes_nothing and not self.learning_rate_factors:
            raise ValueError(
                "transfer must say what to start from (init_from) or which weights learn "
                "(mode, freeze_to, learning_rate_factors); fill it in, or write null"
            )
        return self


class TrainingSettings(LossSettings, OptimizerSettings):
    """How a model is trained."""

    schedule: Schedule = Field(
        default_factory=ConstantSchedule, description="How the learning rate changes."
    )
    warmup: Warmup | None = Field(
        None,
        description="Begin with a small learning rate that grows with every optimizer step; "
        "null: none.",
    )
    clip_gradients: float | None = Field(
        None,
        gt=0,
        description="Longest gradient of an optimizer step: the norm over all weights together; "
        "a longer one is shortened to it. null: none is.",
    )
    gradient_checkpointing: bool = Field(
        False,
        description="Keep the input of each of the network's blocks for the backward pass and "
        "compute what is inside again: less memory, a third more time, the same result.",
    )
    batch_size: int = Field(8, ge=1, description="Images per optimizer step (times `accumulate`).")
    accumulate: int = Field(
        1, ge=1, description="Batches whose gradients are averaged into one optimizer step."
    )
    epochs: int = Field(
        10,
        ge=0,
        description="Passes over the training images; 0: the weights that the network starts "
        "from are scored as they are.",
    )
    transfer: TransferSettings | None = Field(
        None,
        description="Start from trained weights, and say which of them learn; null: all learn, "
        "from random weights or those that model.pretrained names.",
    )
    macs_limit: float | None = Field(
        None,
        gt=0,
        description="Most multiply-accumulates: training ends with the epoch in which so many are "
        "spent (3 x a forward pass x images seen), and the schedule counts on it; null: `epochs` "
        "alone say when.",
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
    def _schedule_takes_effect(self) -> "TrainingSettings":
        for span in spans(self.schedule, self.warmup):
            if span.epochs >= self.epochs:
                raise ValueError(
                    f"{span.name} must be below epochs {self.epochs}, or {span.lost}; "
                    f"got {span.epochs:g}"
                )
        match self.schedule:
            case OneCycleSchedule():
                self._check_cycle(self.schedule)
            case CosineSchedule(final_learning_rate=final) if final > self.learning_rate:
                raise ValueError(
                    "schedule.final_learning_rate must be at most learning_rate "
                    f"{self.learning_rate:g}, from which cosine falls; got {final:g}; lower it, "
                    "or raise learning_rate"
                )
        return self

    def _check_cycle(self, schedule: OneCycleSchedule) -> None:
        if self.warmup is not None:
            raise ValueError(
                "warmup has no place before schedule one_cycle, which begins with one of its "
                "own; remove it, or set schedule.start_factor and schedule.rising_share"
            )
        lowest, highest = schedule.lowest_momentum, self.usual_momentum()
        if lowest is not None and not lowest < highest:
            name = "beta1" if "adam" in self.optimizer else "momentum"
            raise ValueError(
                f"schedule.lowest_momentum must be below {name} {highest:g}, from which it falls; "
                f"got {lowest:g}; raise {name}, or write null"
            )
        if lowest == 0 and self.optimizer == "rmsprop":
            # torch keeps no momentum of a weight whose first step comes while there is none.
            raise ValueError(
                "schedule.lowest_momentum must be above 0 with optimizer 'rmsprop', which cannot "
                "take up momentum later; got 0; write 0.01, say, or null"
            )

    @model_validator(mode="after")
    def _triplets_are_there_and_learn(self) -> "TrainingSettings":
        if self.loss != "triplet":
            return self
        if self.batch_size < FEWEST_OF_TRIPLET:
            raise ValueError(
                f"loss 'triplet' needs a batch_size of at least {FEWEST_OF_TRIPLET}, for two "
                f"images of a class and one of another; got {self.batch_size}"
            )
        if self.transfer is not None and self.transfer.mode == "feature_extractor":
            raise ValueError(
                "loss 'triplet' has no effect with transfer.mode 'feature_extractor', which "
                "freezes what makes the embedding; use 'cross_entropy', or mode 'fine_tuning'"
            )
        return self


class EvaluationSettings(FrozenSettings):
    """How outputs become the predictions that are scored."""

    threshold: Threshold = Field(
        0.5,
        description="What counts as found, to the nearest 0.001. Semantic segmentation: the "
        "least probability of a pixel of a class; instance segmentation: of a pixel of an "
        "object's mask; object detection: the least score of a box in precision, recall, F1, the "
        "confusion matrix and pictures. Average precision of boxes is over all scores.",
    )
    also: tuple[AlsoScored, ...] = Field(
        (),
        description="Costly metrics of segmentation. boundary_f1: agreement of outlines, at "
        "thresholds to the nearest 0.05; rand_error: the Rand and the pixel error of ISBI 2012, "
        "the last class being the object.",
    )

    @field_validator("also")
    @classmethod
    def _also_names_each_once(cls, also: tuple[AlsoScored, ...]) -> tuple[AlsoScored, ...]:
        for index, name in enumerate(also):
            if name in also[:index]:
                raise ValueError(f"also must name '{name}' once; remove the second")
        return also
