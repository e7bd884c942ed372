"""What a study file may say of what training minimises; torch-free.

Which losses a task takes is in its entry of the catalog; which of them a setting has an effect in
is in `LOSSES_OF_SETTINGS`.
"""

from collections.abc import Iterator, Mapping
from types import MappingProxyType
from typing import Annotated, Any, Literal, TypeAlias

from pydantic import BeforeValidator, Field, model_validator

from models.frozen_settings import FrozenSettings

Loss = Literal[
    "bce",
    "dice",
    "focal",
    "lovasz_hinge",
    "cross_entropy",
    "softmax_dice",
    "softmax_focal",
    "lovasz_softmax",
    "mse",
    "huber",
    "triplet",
]
SIGMOID_LOSSES: tuple[Loss, ...] = (
    "bce",
    "dice",
    "focal",
    "lovasz_hinge",
)  # of pixels, with a sigmoid per class
SOFTMAX_LOSSES: tuple[Loss, ...] = (
    "cross_entropy",
    "softmax_dice",
    "softmax_focal",
    "lovasz_softmax",
)  # of pixels, with a softmax over all labels
IMAGE_LOSSES: tuple[Loss, ...] = (
    "cross_entropy",
    "softmax_focal",
    "mse",
    "huber",
    "triplet",
)  # of one class each
FOCAL_LOSSES: tuple[Loss, ...] = ("focal", "softmax_focal")
PIXEL_LOSSES: tuple[Loss, ...] = (
    "bce",
    "cross_entropy",
    *FOCAL_LOSSES,
)  # a sum over pixels, which can be weighted
USUAL_LOSS: Loss = "bce"  # of segmentation
USUAL_IMAGE_LOSS: Loss = "cross_entropy"
USUAL_TRIPLET_WEIGHT, USUAL_TRIPLET_MARGIN = 1.0, 0.2  # the margin is Schroff et al.'s
USUAL_HUBER_DELTA = 0.5
MOST_WEIGHT = 1e6  # of a pixel or an image
LOSSES_OF_SETTINGS: Mapping[str, tuple[Loss, ...]] = MappingProxyType(
    {
        "focal_gamma": FOCAL_LOSSES,
        "focal_alpha": ("focal",),
        "label_smoothing": ("cross_entropy", "triplet"),
        "huber_delta": ("huber",),
        "triplet_weight": ("triplet",),
        "triplet_margin": ("triplet",),
        "mining": ("triplet",),
        "class_weights": (*PIXEL_LOSSES, "mse", "huber", "triplet"),
        "border_weight": PIXEL_LOSSES,
    }
)  # setting -> losses that it has an effect in
OF_IMAGES = ("label_smoothing", "huber_delta", "triplet_weight", "triplet_margin", "mining")
OF_PIXELS = ("focal_alpha", "border_weight")
Mining = Literal["batch_hard", "batch_all", "semi_hard"]
USUAL_MINING: Mining = "batch_hard"
LATER: dict[str, Any] = {"since": "0.2"}
FEWEST_OF_TRIPLET = 3  # images


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


class LossSettings(FrozenSettings):
    """What training minimises; the formulas are in docs/training.md."""

    loss: Loss | None = Field(
        None,
        description="Of pixels: bce, dice, focal, lovasz_hinge, a sigmoid per class; "
        "cross_entropy, softmax_dice, softmax_focal, lovasz_softmax, a softmax over all labels. "
        "Of one class per image: cross_entropy, softmax_focal, mse, huber, triplet, a softmax "
        "over the classes. null: the task's usual one (bce for segmentation, cross_entropy for "
        "classification; detectors have their own).",
    )
    focal_gamma: float | None = Field(
        None,
        gt=0,
        le=10,
        description="How much less a focal loss counts what is right already: the exponent gamma "
        "of Lin et al. 2017, eq. 4; null: 2, with focal and softmax_focal.",
    )
    focal_alpha: float | None = Field(
        None,
        gt=0,
        lt=1,
        description="Weight of a class's pixels in loss focal, that of all others being "
        "1 - focal_alpha (Lin et al. 2017, eq. 5); null: both 1.",
    )
    label_smoothing: float | None = Field(
        None,
        gt=0,
        lt=1,
        description="Probability that the true class of an image shares among all classes alike, "
        "in cross_entropy and triplet (Szegedy et al. 2016, section 7, who take 0.1); null: none.",
        json_schema_extra=LATER,
    )
    huber_delta: float | None = Field(
        None,
        gt=0,
        lt=1,
        description="Difference of probabilities from which on loss huber grows in a straight "
        "line; null: 0.5.",
        json_schema_extra=LATER,
    )
    triplet_weight: float | None = Field(
        None,
        gt=0,
        le=1000,
        description="What the triplet loss is multiplied by before it is added to cross entropy, "
        "with loss triplet; null: 1.",
        json_schema_extra=LATER,
    )
    triplet_margin: float | None = Field(
        None,
        gt=0,
        le=4,
        description="By how much images of other classes should be farther away than those of an "
        "image's own, with loss triplet: squared distance of embeddings of length 1, of which "
        "the largest is 4; null: 0.2 (Schroff et al. 2015).",
        json_schema_extra=LATER,
    )
    mining: Mining | None = Field(
        None,
        description="Triplets of a batch that count, with loss triplet. batch_hard: each image "
        "with its farthest one of its class and the nearest of another; batch_all: all that are "
        "not within their margin yet; semi_hard: each pair of a class with the nearest other that "
        "is farther away and within the margin. null: batch_hard.",
        json_schema_extra=LATER,
    )
    class_weights: ClassWeights = Field(
        None,
        description="Weight of a pixel or an image by its true class, in bce, cross_entropy, "
        "focal, softmax_focal, mse, huber and triplet. median_frequency: the median of all "
        "classes' frequencies in the training images over the class's own (Eigen and Fergus "
        "2015); {class: weight}: these, and 1 for classes that are not named; null: 1.",
    )
    border_weight: BorderWeight | None = Field(
        None,
        description="Weight added between objects that nearly touch, in bce, cross_entropy, "
        "focal and softmax_focal: U-Net's w0 exp(-(d1 + d2)^2 / (2 sigma^2)); {}: U-Net's "
        "values; null: none.",
    )

    @model_validator(mode="after")
    def _settings_of_the_loss_take_effect(self) -> "LossSettings":
        # What null means is the task's: `studies.spec.idle_settings` knows it.
        for _, message in idle_with(self, self.loss) if self.loss else ():
            raise ValueError(message)
        return self


def idle_with(given: LossSettings, loss: Loss) -> Iterator[tuple[str, str]]:
    """Yield each setting that is given and that a loss makes nothing of, and what to do."""
    for name, losses in LOSSES_OF_SETTINGS.items():
        if getattr(given, name) is not None and loss not in losses:
            yield (
                name,
                f"{name} has no effect with loss '{loss}'; remove it or use loss "
                f"{_either(_of_the_same_kind(loss, losses))}",
            )


def _of_the_same_kind(loss: str, losses: tuple[Loss, ...]) -> tuple[Loss, ...]:
    """Return those that a task with this loss takes as well; all where it takes none."""
    kinds = (SIGMOID_LOSSES + SOFTMAX_LOSSES, IMAGE_LOSSES)
    taken = {each for kind in kinds if loss in kind for each in kind}
    return tuple(each for each in losses if each in taken) or losses


def _either(names: tuple[Loss, ...]) -> str:
    quoted = [f"'{name}'" for name in names]
    return " or ".join([", ".join(quoted[:-1]), quoted[-1]] if quoted[1:] else quoted)
