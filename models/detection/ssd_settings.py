"""What a study file may say of SSD, and the sizes it takes; torch-free."""

from collections.abc import Mapping
from typing import Annotated, ClassVar, Literal, TypeAlias

from pydantic import Field, model_validator

from models.detection.one_stage_settings import STRIDE, DetectionLimits
from models.pretrained_settings import PretrainedModelSettings
from models.segmentation.image_sizes import size_fault
from models.segmentation.vgg_settings import VggSettings
from models.settings import ModelSettings

# At default settings, without pretrained weights; one channel is that of the background.
SSD300_PARAMETERS, SSD300_PARAMETERS_PER_CHANNEL = 23_478_584, 133_662
SSD512_PARAMETERS, SSD512_PARAMETERS_PER_CHANNEL = 24_091_344, 147_492
SSDLITE_PARAMETERS, SSDLITE_PARAMETERS_PER_CHANNEL = 2_178_800, 13_860

Window: TypeAlias = tuple[int, int, int]  # kernel, stride and padding of a convolution, pixels
HALVING, SHRINKING, ENDING = (3, 2, 1), (3, 1, 0), (4, 1, 1)
VGG_MAPS = 2  # on VGG-16's own layers, of strides 8 and 16
LARGEST = 1024  # pixels; where the search for a side that fits ends

Positive = Annotated[float, Field(gt=0)]
Share = Annotated[float, Field(ge=0, le=1)]
Ratios: TypeAlias = tuple[Annotated[float, Field(gt=1)], ...]
Scales: TypeAlias = tuple[Positive, ...]


class MultiBoxSettings(DetectionLimits, PretrainedModelSettings):
    """Fields of every form of SSD."""

    usual_ratios: ClassVar[tuple[Ratios, ...]]  # of each map
    usual_scales: ClassVar[Mapping[str, Scales]]  # of each map and one more
    coco_scales: ClassVar[str] = "coco"  # those of them that weights of COCO were trained with
    other_scales: ClassVar[str] = "voc"  # those of them that all others start from

    aspect_ratios: tuple[Ratios, ...] | None = Field(
        None,
        min_length=VGG_MAPS,
        description="For each map, from the largest on, how many times longer than the other one "
        "side of its default boxes is; each number gives a lying and a standing box, beside two "
        "squares. No more maps are made than are named here: small images have room for fewer. "
        "null: the paper's.",
    )
    scales: str | Scales | None = Field(
        None,
        description="Side of each map's square default boxes as share of the image's, and one "
        "number more: a map's second square is between its own and the next one's.",
    )
    foreground_iou: Share = Field(
        0.5,
        description="IoU with a true box from which a default box is an object; the best one of "
        "each true box always is.",
    )
    negatives_per_object: float | None = Field(
        3.0,
        gt=0,
        description="Hard negative mining: boxes without an object that count, those of greatest "
        "loss, for each box of the image that has one; null: all count.",
    )
    candidates: int = Field(
        400, ge=1, description="Most boxes of a class, by score, that nms looks at."
    )
    detections: int = Field(
        200,
        ge=1,
        le=1000,
        description="Most detections of an image; COCO counts at most 100 of a class.",
    )

    @property
    def ratios(self) -> tuple[Ratios, ...]:
        """Return the aspect ratios of each map."""
        return self.usual_ratios if self.aspect_ratios is None else self.aspect_ratios

    @property
    def box_scales(self) -> Scales:
        """Return the scale of each map, and one more."""
        chosen = self.scales
        if chosen is None:
            chosen = self.coco_scales if str(self.pretrained) == "coco" else self.other_scales
        named = self.usual_scales[chosen] if isinstance(chosen, str) else chosen
        return named[: len(self.ratios) + 1]

    @model_validator(mode="after")
    def _boxes_fit_the_maps(self) -> "MultiBoxSettings":
        maps, most = len(self.ratios), len(self.usual_ratios)
        if maps > most:
            raise ValueError(
                f"aspect_ratios must be of at most {most} maps, as many as {self.name} has, got "
                f"{maps}; give {most} or fewer"
            )
        if isinstance(self.scales, tuple) and len(self.scales) != maps + 1:
            raise ValueError(
                f"scales must be {maps + 1} numbers, one more than there are maps, got "
                f"{len(self.scales)}; give {maps + 1}"
            )
        return self

    @model_validator(mode="after")
    def _boxes_are_those_of_pretrained_layers(self) -> "MultiBoxSettings":
        if str(self.pretrained) != "coco":
            return self
        if self.ratios != self.usual_ratios:
            raise ValueError(
                "aspect_ratios must be those that pretrained 'coco' was trained with, "
                f"{self.usual_ratios}, got {self.ratios}; remove them, or set pretrained: imagenet"
            )
        trained = self.usual_scales[self.coco_scales]
        if self.box_scales != trained:
            raise ValueError(
                f"scales must be those that pretrained 'coco' was trained with, {trained}, got "
                f"{self.box_scales}; remove them, or set pretrained: imagenet"
            )
        return self


class SSDSettings(VggSettings, MultiBoxSettings):
    """Fields of SSD300 and SSD512 (Liu et al. 2016, "SSD: single shot multibox detector")."""

    windows: ClassVar[tuple[Window, ...]]  # of the layers that make the maps from the third on

    scales: Literal["voc", "coco"] | Scales | None = Field(
        None,
        description="Side of each map's square default boxes as share of the image's, and one "
        "number more: a map's second square is between its own and the next one's. voc, coco: "
        "as the paper has them for these datasets; null: coco with weights of COCO, which know "
        "no others, else voc.",
    )
    trainable_layers: int | None = Field(
        None,
        ge=0,
        le=5,
        description="Stages of a pretrained VGG-16 that are trained, from the last one on; null: "
        "4.",
    )
    score_threshold: Share = Field(0.01, description="Least score of a detection.")
    nms: Share = Field(
        0.45, description="IoU above which the lower of two detections of a class is dropped."
    )

    @model_validator(mode="after")
    def _trainable_layers_take_effect(self) -> "SSDSettings":
        if self.pretrained == "none" and self.trainable_layers is not None:
            raise ValueError(
                "trainable_layers would keep random layers as they are; remove it, or set "
                "pretrained: imagenet"
            )
        return self

    @property
    def trained_stages(self) -> int | None:
        """Return how many stages are trained, from the last one on; None: all."""
        if self.pretrained == "none":
            return None
        return 4 if self.trainable_layers is None else self.trainable_layers


class SSD300Settings(SSDSettings):
    """Fields of the form for images of 300 pixels."""

    usual_ratios = ((2,), (2, 3), (2, 3), (2, 3), (2,), (2,))
    usual_scales: ClassVar[Mapping[str, Scales]] = {
        "voc": (0.1, 0.2, 0.375, 0.55, 0.725, 0.9, 1.075),
        "coco": (0.07, 0.15, 0.33, 0.51, 0.69, 0.87, 1.05),
    }
    windows = (HALVING, HALVING, SHRINKING, SHRINKING)

    name: Literal["ssd300"] = "ssd300"
    pretrained: Literal["none", "imagenet", "coco"] = Field(  # type: ignore[assignment]  # one more than the base has
        "none",
        description="Weights to start from, downloaded once into torch's cache (TORCH_HOME); both "
        "need data.normalize: imagenet. imagenet: of VGG-16, its connected layers thinned out as "
        "in the paper; coco: of all but the scores of classes; none: random.",
    )


class SSD512Settings(SSDSettings):
    """Fields of the form for images of 512 pixels."""

    usual_ratios = ((2,), (2, 3), (2, 3), (2, 3), (2, 3), (2,), (2,))
    usual_scales: ClassVar[Mapping[str, Scales]] = {
        "voc": (0.07, 0.15, 0.3, 0.45, 0.6, 0.75, 0.9, 1.05),
        "coco": (0.04, 0.1, 0.26, 0.42, 0.58, 0.74, 0.9, 1.06),
    }
    windows = (HALVING, HALVING, HALVING, HALVING, ENDING)

    name: Literal["ssd512"] = "ssd512"


class SSDLiteSettings(MultiBoxSettings):
    """Fields of SSDlite on MobileNetV3-Large (Howard et al. 2019, section 6.3)."""

    usual_ratios = ((2, 3),) * 6
    usual_scales: ClassVar[Mapping[str, Scales]] = {
        "torchvision": (0.2, 0.35, 0.5, 0.65, 0.8, 0.95, 1.0)
    }
    coco_scales = other_scales = "torchvision"

    name: Literal["ssdlite"] = "ssdlite"
    pretrained: Literal["none", "imagenet", "coco"] = Field(  # type: ignore[assignment]  # one more than the base has
        "none",
        description="Weights to start from, downloaded once into torch's cache (TORCH_HOME); both "
        "need data.normalize: imagenet. imagenet: of MobileNetV3, whose last layers are then "
        "twice as wide; coco: of all but the scores of classes; none: random.",
    )
    scales: Literal["torchvision"] | Scales = Field(
        "torchvision",
        description="Side of each map's square default boxes as share of the image's, and one "
        "number more: a map's second square is between its own and the next one's. torchvision: "
        "from 0.2 to 0.95 in equal steps.",
    )
    norm_momentum: float = Field(
        0.03,
        gt=0,
        le=1,
        description="Share of each batch in the statistics that batch normalisation uses while "
        "scoring; a training of a few hundred steps wants more, as 0.1.",
    )
    score_threshold: Share = Field(0.001, description="Least score of a detection.")
    nms: Share = Field(
        0.55, description="IoU above which the lower of two detections of a class is dropped."
    )
    candidates: int = Field(
        300, ge=1, description="Most boxes of a class, by score, that nms looks at."
    )
    detections: int = Field(
        300,
        ge=1,
        le=1000,
        description="Most detections of an image; COCO counts at most 100 of a class.",
    )


def map_sides(settings: SSDSettings, image_size: int) -> list[int]:
    """Return the sides of the maps, pixels, from the largest on; below 1: there is none.

    VGG-16's third pooling rounds up, the others down.
    """
    side = -(-(image_size // 2 // 2) // 2)
    sides = [side, side // 2]
    for kernel, stride, padding in settings.windows:
        sides.append((sides[-1] + 2 * padding - kernel) // stride + 1)
    return sides[: len(settings.ratios)]


def ssd_size_rule(settings: SSDSettings, image_size: int) -> str | None:
    """Return None where the network takes images of this side, else what must hold."""
    if min(map_sides(settings, image_size)) >= 1:
        return None
    least = next(side for side in range(1, LARGEST) if min(map_sides(settings, side)) >= 1)
    maps = len(settings.ratios)
    return (
        f"image size of {settings.name} must be at least {least}, for {maps} maps, got "
        f"{image_size}; use {least}, or aspect_ratios of fewer maps"
    )


def ssdlite_size_rule(settings: ModelSettings, image_size: int) -> str | None:
    """Return None where the network takes images of this side, else what must hold."""
    return size_fault(settings.name, image_size, stride=STRIDE)
