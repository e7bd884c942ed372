"""What a study file may say under `data.augment` and `data.normalize`; torch-free.

An element of `augment` is a name, with all defaults, or a mapping with `name` and parameters.
Both are read to the same settings, and so have the same fingerprint. Lengths that do not depend
on the size of the picture are shares of its sides; what is in pixels is in pixels of the
network's input. `p` is always the probability that a picture is changed at all.
"""

from collections.abc import Mapping
from typing import Annotated, Literal, TypeAlias, get_args

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, model_validator
from pydantic_core import PydanticKnownError

IMAGENET_MEAN = (0.485, 0.456, 0.406)  # of its training images as RGB in [0, 1]
IMAGENET_STD = (0.229, 0.224, 0.225)
MOST_FOLDS_FREE = 1.6  # of strength / radius: exp(1/2), beyond which a warp folds over itself

Chance = Annotated[
    float, Field(ge=0, le=1, description="Probability that a picture is changed at all.")
]
Jitter = Annotated[float, Field(ge=0, le=1)]
Share = Annotated[float, Field(gt=0, le=1)]
Ratio = Annotated[float, Field(ge=0.1, le=10)]
Sigma = Annotated[float, Field(ge=0.05, le=50)]
Deviation = Annotated[float, Field(gt=0, le=1)]
Mean = Annotated[float, Field(ge=0, le=1)]


def _two_numbers(value: object) -> object:
    if not isinstance(value, list | tuple) or len(value) != 2:
        raise ValueError(
            f"must be two numbers, the least and the largest, such as [0.5, 1]; got {value}"
        )
    return value


def _in_order(ends: tuple[float, float]) -> tuple[float, float]:
    if ends[0] > ends[1]:
        raise ValueError(f"must name the least first, got [{ends[0]:g}, {ends[1]:g}]")
    return ends


def _three_numbers(value: object) -> object:
    if not isinstance(value, list | tuple) or len(value) != 3:
        raise ValueError(f"must be three numbers, of red, green and blue; got {value}")
    return value


TWO_NUMBERS, IN_ORDER = BeforeValidator(_two_numbers), AfterValidator(_in_order)
THREE_NUMBERS = BeforeValidator(_three_numbers)


class StrictSettings(BaseModel):
    """Settings that cannot change after loading; an unknown key is an error."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class AugmentSettings(StrictSettings):
    """Settings of one random change."""

    model_config = ConfigDict(json_schema_extra={"required": ["name"]})


class HorizontalFlip(AugmentSettings):
    """Exchange left and right."""

    name: Literal["horizontal_flip"] = Field("horizontal_flip", description="Mirror left-right.")
    p: Chance = 0.5


class VerticalFlip(AugmentSettings):
    """Exchange top and bottom."""

    name: Literal["vertical_flip"] = Field("vertical_flip", description="Mirror top-bottom.")
    p: Chance = 0.5


class Rotate90(AugmentSettings):
    """Turn by 90, 180 or 270 degrees, each equally likely."""

    name: Literal["rotate_90"] = Field("rotate_90", description="Quarter turns.")
    p: Chance = 0.75  # with no turn at all, four outcomes that are equally likely


class Rotate(AugmentSettings):
    """Turn about the middle."""

    name: Literal["rotate"] = Field("rotate", description="Turn about the middle.")
    degrees: float = Field(
        10.0, gt=0, le=180, description="Largest angle, degrees; drawn evenly from -degrees to it."
    )
    p: Chance = 1.0


class RandomCrop(AugmentSettings):
    """Pad every side, then cut a window of the old size anywhere (He et al. 2016, CIFAR)."""

    name: Literal["random_crop"] = Field("random_crop", description="Pad, then cut the old size.")
    padding: int = Field(4, ge=1, le=1024, description="Added to every side, pixels.")
    p: Chance = 1.0


class RandomResizedCrop(AugmentSettings):
    """Cut a window of random size and shape and scale it to the old size (Szegedy et al. 2015)."""

    name: Literal["random_resized_crop"] = Field(
        "random_resized_crop", description="Cut a random window, scale it to the old size."
    )
    scale: Annotated[tuple[Share, Share], TWO_NUMBERS, IN_ORDER] = Field(
        (0.08, 1.0), description="Least and largest share of the picture's area in the window."
    )
    ratio: Annotated[tuple[Ratio, Ratio], TWO_NUMBERS, IN_ORDER] = Field(
        (3 / 4, 4 / 3), description="Least and largest width / height of the window."
    )
    p: Chance = 1.0


class Shift(AugmentSettings):
    """Move by whole pixels."""

    name: Literal["shift"] = Field("shift", description="Move sideways and up or down.")
    fraction: float = Field(
        0.1,
        gt=0,
        lt=1,
        description="Largest shift, as a share of width and of height; each drawn evenly from "
        "-fraction to it.",
    )
    p: Chance = 1.0


class Scale(AugmentSettings):
    """Enlarge or shrink about the middle; width and height alike."""

    name: Literal["scale"] = Field("scale", description="Enlarge or shrink about the middle.")
    factor: Annotated[tuple[Ratio, Ratio], TWO_NUMBERS, IN_ORDER] = Field(
        (0.8, 1.25),
        description="Least and largest factor; 2 doubles lengths. Drawn evenly by its logarithm.",
    )
    p: Chance = 1.0


class ColorJitter(AugmentSettings):
    """Change brightness, contrast, saturation and hue, in random order."""

    name: Literal["color_jitter"] = Field("color_jitter", description="Change the colours.")
    brightness: Jitter = Field(0.2, description="Factor drawn from 1 - brightness to 1 + it.")
    contrast: Jitter = Field(0.2, description="Factor drawn from 1 - contrast to 1 + it.")
    saturation: Jitter = Field(0.2, description="Factor drawn from 1 - saturation to 1 + it.")
    hue: float = Field(
        0.0,
        ge=0,
        le=0.5,
        description="Share of the colour circle, drawn from -hue to it; takes the longest.",
    )
    p: Chance = 1.0


class PcaColor(AugmentSettings):
    """Add to all pixels along the main axes of colour (Krizhevsky et al. 2012, section 4.1)."""

    name: Literal["pca_color"] = Field("pca_color", description="AlexNet's noise of colours.")
    std: float = Field(
        0.1,
        gt=0,
        le=2,
        description="Standard deviation of what each axis is multiplied by; its length is the "
        "axis's variance over ImageNet's pixels. AlexNet's is 0.1.",
    )
    p: Chance = 1.0


class Blur(AugmentSettings):
    """Smooth by a Gaussian."""

    name: Literal["blur"] = Field("blur", description="Smooth by a Gaussian.")
    sigma: Annotated[tuple[Sigma, Sigma], TWO_NUMBERS, IN_ORDER] = Field(
        (0.1, 2.0), description="Least and largest standard deviation, pixels."
    )
    p: Chance = 0.5


class Cutout(AugmentSettings):
    """Hide squares, whose middle may be any pixel (DeVries and Taylor 2017).

    Boxes and label maps stay: what is hidden is still to be found.
    """

    name: Literal["cutout"] = Field("cutout", description="Hide squares of the picture.")
    size: float = Field(
        0.25, gt=0, le=1, description="Side of a square, as a share of the shorter side."
    )
    holes: int = Field(1, ge=1, le=64, description="Squares per picture; they may overlap.")
    p: Chance = 1.0


class RandomErasing(AugmentSettings):
    """Put noise into a rectangle (Zhong et al. 2020, algorithm 1).

    Boxes and label maps stay: what is hidden is still to be found. Nothing is done where none of
    ten rectangles that are drawn fits into the picture.
    """

    name: Literal["random_erasing"] = Field(
        "random_erasing", description="Put noise into a rectangle."
    )
    scale: Annotated[tuple[Share, Share], TWO_NUMBERS, IN_ORDER] = Field(
        (0.02, 0.33), description="Least and largest share of the picture's area."
    )
    ratio: Annotated[tuple[Ratio, Ratio], TWO_NUMBERS, IN_ORDER] = Field(
        (0.3, 3.3), description="Least and largest width / height; drawn evenly by its logarithm."
    )
    p: Chance = 0.5


class Elastic(AugmentSettings):
    """Deform smoothly, as U-Net did (Ronneberger et al. 2015, section 3.1).

    A displacement is drawn at every point of a coarse grid and interpolated bicubically.
    """

    name: Literal["elastic"] = Field("elastic", description="U-Net's smooth deformation.")
    sigma: float = Field(
        10.0,
        gt=0,
        le=200,
        description="Standard deviation of the displacements along each axis, pixels; U-Net's 10 "
        "was for tiles of 512 to 572 pixels.",
    )
    grid: int = Field(3, ge=2, le=16, description="Points of the coarse grid along each side.")
    p: Chance = 1.0


class LocalWarp(AugmentSettings):
    """Drag a few places, with what is around them, and leave the rest as it is."""

    name: Literal["local_warp"] = Field("local_warp", description="Drag a few places.")
    points: int = Field(3, ge=1, le=32, description="Places that are dragged.")
    radius: float = Field(
        0.15,
        gt=0,
        le=1,
        description="How far a drag reaches (standard deviation of its Gaussian), as a share of "
        "the shorter side.",
    )
    strength: float = Field(
        0.05,
        gt=0,
        le=0.5,
        description="Longest drag, as a share of the shorter side; its length is drawn evenly "
        "from 0, its direction from all.",
    )
    p: Chance = 1.0

    @model_validator(mode="after")
    def _does_not_fold(self) -> "LocalWarp":
        if self.strength > MOST_FOLDS_FREE * self.radius:
            raise ValueError(
                f"strength must be at most {MOST_FOLDS_FREE:g} times radius, else the picture "
                f"folds over itself; got {self.strength:g} with radius {self.radius:g}"
            )
        return self


AnyAugmentation: TypeAlias = (
    HorizontalFlip
    | VerticalFlip
    | Rotate90
    | Rotate
    | RandomCrop
    | RandomResizedCrop
    | Shift
    | Scale
    | ColorJitter
    | PcaColor
    | Blur
    | Cutout
    | RandomErasing
    | Elastic
    | LocalWarp
)
AugmentationName = Literal[
    "horizontal_flip",
    "vertical_flip",
    "rotate_90",
    "rotate",
    "random_crop",
    "random_resized_crop",
    "shift",
    "scale",
    "color_jitter",
    "pca_color",
    "blur",
    "cutout",
    "random_erasing",
    "elastic",
    "local_warp",
]
NAMES: tuple[str, ...] = get_args(AugmentationName)


def _spelled_out(value: object) -> object:
    """Turn a bare name into a mapping; what is neither is an error that says so."""
    if isinstance(value, str):
        if value not in NAMES:
            raise PydanticKnownError("literal_error", {"expected": _choices(NAMES)})
        return {"name": value}
    if isinstance(value, Mapping) and "name" not in value:
        meant = next((key for key in value if key in NAMES), NAMES[0])
        raise ValueError(
            f"{meant} must be the value of a key `name`, with its parameters beside it: "
            f"{{name: {meant}, …}}"
            if meant in value
            else f"must have a key `name`, such as {{name: {meant}}}"
        )
    if not isinstance(value, Mapping | AugmentSettings):
        raise ValueError(f"must be a name, such as {NAMES[0]}, or a mapping with one; got {value}")
    return value


def _choices(names: tuple[str, ...]) -> str:
    """Join names as pydantic does in its own messages."""
    quoted = [f"'{name}'" for name in names]
    return " or ".join([", ".join(quoted[:-1]), quoted[-1]] if quoted[1:] else quoted)


Augmentation: TypeAlias = Annotated[
    AnyAugmentation,
    Field(discriminator="name"),
    BeforeValidator(
        _spelled_out,
        json_schema_input_type=AugmentationName
        | Annotated[AnyAugmentation, Field(discriminator="name")],
    ),
]


class Normalization(StrictSettings):
    """What is subtracted from pixels in [0, 1], and what they are divided by then."""

    mean: Annotated[tuple[Mean, Mean, Mean], THREE_NUMBERS] = Field(
        description="Mean of red, green and blue, where pixels are from 0 to 1."
    )
    std: Annotated[tuple[Deviation, Deviation, Deviation], THREE_NUMBERS] = Field(
        description="Standard deviation of red, green and blue, where pixels are from 0 to 1."
    )


def _by_name(value: object) -> object:
    if isinstance(value, str):
        if value != "imagenet":
            raise PydanticKnownError("literal_error", {"expected": _choices(("imagenet",))})
        return {"mean": IMAGENET_MEAN, "std": IMAGENET_STD}
    if not isinstance(value, Mapping | Normalization | None):
        raise ValueError(
            "must be imagenet, or a mapping with `mean` and `std` of red, green and blue; "
            f"got {value}"
        )
    return value


Normalize: TypeAlias = Annotated[
    Normalization | None,
    BeforeValidator(_by_name, json_schema_input_type=Literal["imagenet"] | Normalization | None),
]
