"""What a study file may say under `model`, `training` and `evaluation`; torch-free.

Each architecture subclasses `ModelSettings` in its family's `settings.py` with a literal `name`.
"""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Annotated, Literal, TypeAlias

from pydantic import BeforeValidator, Field, field_validator, model_validator

from models.frozen_settings import FrozenSettings
from models.optimizer_settings import OptimizerSettings
from models.schedule_settings import ConstantSchedule, OneCycleSchedule, Schedule, Warmup, spans

SIGMOID_LOSSES = ("bce", "dice", "focal", "lovasz_hinge")  # a sigmoid per class
SOFTMAX_LOSSES = ("cross_entropy", "softmax_dice", "softmax_focal", "lovasz_softmax")
FOCAL_LOSSES = ("focal", "softmax_focal")
PIXEL_LOSSES = ("bce", "cross_entropy", *FOCAL_LOSSES)  # a sum over pixels, which can be weighted
USUAL_LOSS = "bce"  # of segmentation
MOST_WEIGHT = 1e6  # of a pixel
LOSSES_OF_SETTINGS: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        "focal_gamma": FOCAL_LOSSES,
        "focal_alpha": ("focal",),
        "class_weights": PIXEL_LOSSES,
        "border_weight": PIXEL_LOSSES,
    }
)  # setting -> losses that it has an effect in
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
# Counted to the nearest 0.001: nearer to 0 everything would be found.
Threshold: TypeAlias = Annotated[float, Field(ge=0.001, le=0.999)]
AlsoScored = Literal["boundary_f1", "rand_error"]
OF_RUN = "study:"  # before the name of a run to start from, which is no file then


class ModelSettings(FrozenSettings):
    """Fields of every model."""

    name: str = Field(description="Name of the model; `visionstudy models list` shows all.")


class BorderWeight(FrozenSettings):
    """Weight of the pixels between objects that nearly touch (Ronneberger et al. 2015, eq. 2)."""

    of: str | None = Field(
        None,
        description="Class whose connected areas are the objects; null: the one class beside the "
        "background.",
    )
    w0: float = Field(
        10.0, gt=0, le=MOST_WEIGHT, description="Weight added where two objects all but touch."
    )
    sigma: float = Field(
        5.0,
        gt=0,
        le=1000,
        description="How far it reaches: it falls with the sum of the distances to the two "
        "nearest objects, as a Gaussian of this standard deviation; pixels of the network's "
        "input.",
    )


def _weights_of_classes(value: object) -> object:
    if value is not None and value != "median_frequency" and not _is_filled_mapping(value):
        raise ValueError(
            "must be median_frequency, a mapping of class names to weights, such as {car: 2.5}, "
            f"or null; got {value}"
        )
    if isinstance(value, Mapping):
        for name, weight in value.items():
            is_number = isinstance(weight, int | float) and not isinstance(weight, bool)
            if not (is_number and 0 < weight <= MOST_WEIGHT):
                raise ValueError(
                    f"{name} must have a weight above 0 and at most {MOST_WEIGHT:g}, got {weight}"
                )
    return value


def _is_filled_mapping(value: object) -> bool:
    return isinstance(value, Mapping) and len(value) > 0


ClassWeights: TypeAlias = Annotated[
    Literal["median_frequency"] | dict[str, Annotated[float, Field(gt=0, le=MOST_WEIGHT)]] | None,
    BeforeValidator(_weights_of_classes),
]


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


class TrainingSettings(OptimizerSettings):
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
    loss: Loss | None = Field(
        None,
        description="bce, dice, focal, lovasz_hinge: a sigmoid per class; cross_entropy, "
        "softmax_dice, softmax_focal, lovasz_softmax: a softmax over all labels. null: the "
        "task's usual one (bce for segmentation; detectors have their own).",
    )
    focal_gamma: float | None = Field(
        None,
        gt=0,
        le=10,
        description="How much less a focal loss counts pixels that are right already: the "
        "exponent gamma of Lin et al. 2017, eq. 4; null: 2, with focal and softmax_focal.",
    )
    focal_alpha: float | None = Field(
        None,
        gt=0,
        lt=1,
        description="Weight of a class's pixels in loss focal, that of all others being "
        "1 - focal_alpha (Lin et al. 2017, eq. 5); null: both 1.",
    )
    class_weights: ClassWeights = Field(
        None,
        description="Weight of a pixel by its true class, in bce, cross_entropy, focal and "
        "softmax_focal. median_frequency: the median of all classes' frequencies in the training "
        "images over the class's own (Eigen and Fergus 2015); {class: weight}: these, and 1 for "
        "classes that are not named; null: 1.",
    )
    border_weight: BorderWeight | None = Field(
        None,
        description="Weight added between objects that nearly touch, in bce, cross_entropy, "
        "focal and softmax_focal: U-Net's w0 exp(-(d1 + d2)^2 / (2 sigma^2)); {}: U-Net's "
        "values; null: none.",
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
        if isinstance(self.schedule, OneCycleSchedule):
            self._check_cycle(self.schedule)
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

    @model_validator(mode="after")
    def _settings_of_the_loss_take_effect(self) -> "TrainingSettings":
        loss = self.loss or USUAL_LOSS
        for name, losses in LOSSES_OF_SETTINGS.items():
            if getattr(self, name) is not None and loss not in losses:
                raise ValueError(
                    f"{name} has no effect with loss '{loss}'; remove it or use loss "
                    f"{_either(losses)}"
                )
        return self


def _either(names: tuple[str, ...]) -> str:
    quoted = [f"'{name}'" for name in names]
    return " or ".join([", ".join(quoted[:-1]), quoted[-1]] if quoted[1:] else quoted)


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
