"""What a study file may say of RetinaNet and FCOS, and the sizes they take; torch-free."""

from typing import Annotated, Literal

from pydantic import Field, model_validator

from models.detection.backbone_settings import ResNetPyramidSettings
from models.frozen_settings import FrozenSettings
from models.segmentation.image_sizes import size_fault
from models.settings import ModelSettings

# At default settings, without pretrained weights. One channel is that of the background, which
# the networks have no outputs for.
RETINANET_PARAMETERS, RETINANET_PARAMETERS_PER_CHANNEL = 32_159_579, 20_745
FCOS_PARAMETERS, FCOS_PARAMETERS_PER_CHANNEL = 32_110_660, 2_305
STRIDE = 32  # of the smallest map of the backbone
COCO_ANCHORS, COCO_LAYERS = 9, 4  # of a place, and of a head, in torchvision's networks

Side = Annotated[int, Field(ge=1)]
Positive = Annotated[float, Field(gt=0)]
Share = Annotated[float, Field(ge=0, le=1)]


class DetectionLimits(FrozenSettings):
    """Fields of every network that finds objects in one stage."""

    score_threshold: Share = Field(0.05, description="Least score of a detection.")
    candidates: int = Field(
        1000,
        ge=1,
        description="Most boxes and classes of a level of the pyramid, by score, that nms looks "
        "at.",
    )
    nms: Share = Field(
        0.5, description="IoU above which the lower of two detections of a class is dropped."
    )
    detections: int = Field(
        100, ge=1, le=100, description="Most detections of an image; COCO counts at most 100."
    )


class FocalPyramidSettings(ResNetPyramidSettings, DetectionLimits):
    """Fields of the networks with a focal loss on the levels of a pyramid."""

    focal_gamma: float = Field(
        2.0,
        ge=0,
        description="Focal loss: exponent of the probability that is missing; 0: cross-entropy.",
    )
    focal_alpha: float = Field(
        0.25,
        gt=0,
        lt=1,
        description="Focal loss: weight of objects; the background's is 1 less it.",
    )
    prior: float = Field(
        0.01,
        gt=0,
        lt=1,
        description="Probability of each class at every place before training, so that the many "
        "places without objects do not drown the others at first.",
    )
    head_layers: int = Field(
        COCO_LAYERS,
        ge=1,
        le=COCO_LAYERS,
        description="Convolutions before the outputs, of scores and of boxes each; fewer are "
        "quicker.",
    )

    def _fits_coco(self) -> None:
        super()._fits_coco()
        if self.head_layers != COCO_LAYERS:
            raise ValueError(
                f"pretrained 'coco' has head_layers {COCO_LAYERS}, got {self.head_layers}; use "
                f"{COCO_LAYERS}, or set pretrained: imagenet"
            )


class RetinaNetSettings(FocalPyramidSettings):
    """Fields of RetinaNet (Lin et al. 2017, "Focal loss for dense object detection")."""

    name: Literal["retinanet"] = "retinanet"
    heads: Literal["v1", "v2"] = Field(
        "v1",
        description="v1: the paper's, with an L1 loss of boxes; v2: group normalisation in the "
        "heads, a GIoU loss, and the pyramid's top made of the backbone's last map (Zhang et al. "
        "2020), torchvision's _v2.",
    )
    anchor_sizes: tuple[Side, Side, Side, Side, Side] = Field(
        (32, 64, 128, 256, 512),
        description="Side of the smallest anchors on each level of the pyramid (strides 8, 16, "
        "32, 64, 128), pixels of the network's input; smaller images want smaller ones.",
    )
    anchor_scales: int = Field(
        3,
        ge=1,
        description="Sides of anchors on a level, in equal factors between its smallest and twice "
        "that; 3: 1, 1.26 and 1.59 times as much.",
    )
    aspect_ratios: tuple[Positive, ...] = Field(
        (0.5, 1.0, 2.0), min_length=1, description="Height by width of the anchors of a place."
    )
    foreground_iou: Share = Field(
        0.5,
        description="IoU with a true box from which an anchor is an object; the best one of each "
        "true box always is.",
    )
    background_iou: Share = Field(
        0.4, description="IoU below which an anchor is background; others count for nothing."
    )

    @model_validator(mode="after")
    def _thresholds_are_in_order(self) -> "RetinaNetSettings":
        if self.background_iou > self.foreground_iou:
            raise ValueError(
                "background_iou must be at most foreground_iou, got "
                f"{self.background_iou:g} and {self.foreground_iou:g}; swap them"
            )
        return self

    @property
    def anchors_of_a_place(self) -> int:
        """Return how many boxes every place of a map starts from."""
        return self.anchor_scales * len(self.aspect_ratios)

    @property
    def freezes_statistics(self) -> bool:
        """Tell whether a pretrained backbone's statistics stay where `norm` is null."""
        return self.heads == "v1"

    def _fits_coco(self) -> None:
        super()._fits_coco()
        if self.anchors_of_a_place != COCO_ANCHORS:
            raise ValueError(
                f"pretrained 'coco' needs {COCO_ANCHORS} anchors of a place, got anchor_scales "
                f"{self.anchor_scales} times {len(self.aspect_ratios)} aspect_ratios; use 3 of "
                "each, or set pretrained: imagenet"
            )


class FCOSSettings(FocalPyramidSettings):
    """Fields of FCOS (Tian et al. 2019, 2020), which has no anchors."""

    name: Literal["fcos"] = "fcos"
    level_reaches: tuple[Positive, Positive, Positive, Positive] = Field(
        (64, 128, 256, 512),
        description="Which objects are found on which level: the first has those whose farthest "
        "border is at most so many pixels of the network's input from a place, and so on; the "
        "fifth has the rest. Smaller images want less.",
    )
    centre_radius: float = Field(
        1.5,
        gt=0,
        description="Places of an object are those no farther from its centre than so many "
        "strides of the level, across and down (Tian et al. 2020).",
    )
    score_threshold: Share = Field(0.2, description="Least score of a detection.")
    nms: Share = Field(
        0.6, description="IoU above which the lower of two detections of a class is dropped."
    )

    @model_validator(mode="after")
    def _reaches_are_in_order(self) -> "FCOSSettings":
        if list(self.level_reaches) != sorted(set(self.level_reaches)):
            raise ValueError(
                "level_reaches must grow from level to level, got "
                f"{', '.join(f'{reach:g}' for reach in self.level_reaches)}; sort them"
            )
        return self


def one_stage_size_rule(settings: ModelSettings, image_size: int) -> str | None:
    """Return None where the network takes images of this side, else what must hold."""
    return size_fault(settings.name, image_size, stride=STRIDE)
