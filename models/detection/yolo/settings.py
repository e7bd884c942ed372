"""What a study file may say of YOLO, and the sizes it takes; torch-free."""

from typing import Annotated, ClassVar, Literal

from pydantic import Field, model_validator

from models.detection.one_stage_settings import DetectionLimits
from models.pretrained_settings import PretrainedModelSettings
from models.segmentation.image_sizes import size_fault
from models.settings import ModelSettings

CELL = 64  # pixels of the image for each cell of YOLOv1's grid
STRIDE = 32  # pixels of the image for each cell of the coarsest map of versions 2 and 3
YOLOV3_MAPS = 3
YOLOV3_TINY_MAPS = 2
# With one channel for the background, which the networks do not have.
YOLOV1_PARAMETERS, YOLOV1_PARAMETERS_PER_CHANNEL = 267_487_737, 200_753
YOLOV2_PARAMETERS, YOLOV2_PARAMETERS_PER_CHANNEL = 50_547_764, 5_125
YOLOV3_PARAMETERS, YOLOV3_PARAMETERS_PER_CHANNEL = 61_512_964, 5_385
YOLOV3_TINY_PARAMETERS, YOLOV3_TINY_PARAMETERS_PER_CHANNEL = 8_665_256, 2_310

Share = Annotated[float, Field(ge=0, le=1)]
Weight = Annotated[float, Field(ge=0)]
Length = Annotated[float, Field(gt=0)]
Prior = tuple[Length, Length]  # width and height of a box


class YOLOSettings(ModelSettings, DetectionLimits):
    """Fields of every version."""

    width: float = Field(
        1.0,
        gt=0,
        le=1,
        description="Multiplier of the filters of every layer but the last, to the nearest 4; "
        "below 1 for small studies.",
    )
    score_threshold: Share = Field(0.005, description="Least score of a detection.")
    nms: Share = Field(
        0.45, description="IoU above which the lower of two detections of a class is dropped."
    )
    candidates: int = Field(
        1000,
        ge=1,
        description="Most boxes and classes of an image, by score, that nms looks at; an "
        "untrained network has hundreds of thousands above the least score.",
    )


class YOLOv1Settings(YOLOSettings):
    """Fields of YOLOv1 (Redmon et al. 2016)."""

    name: Literal["yolov1"] = "yolov1"
    grid: int = Field(
        7,
        ge=1,
        description="S: rows and columns of cells, each 64 pixels of the image; data.image_size "
        "must be 64 times as much.",
    )
    boxes: int = Field(2, ge=1, description="B: boxes that each cell predicts.")
    dropout: float = Field(
        0.5, ge=0, lt=1, description="Share of the first connected layer's outputs set to 0."
    )
    coordinate_weight: Weight = Field(
        5.0, description="Lambda_coord: weight of the coordinates in the loss."
    )
    no_object_weight: Weight = Field(
        0.5, description="Lambda_noobj: weight of the confidence of boxes without an object."
    )


class AnchoredYOLOSettings(YOLOSettings, PretrainedModelSettings):
    """Fields of the versions that start from priors, boxes of given sizes."""

    expects_normalized: ClassVar[bool] = False  # Darknet's weights know pixels in [0, 1]

    @model_validator(mode="after")
    def _fits_pretrained(self) -> "AnchoredYOLOSettings":
        if self.pretrained != "none" and self.width != 1:
            raise ValueError(
                f"pretrained '{self.pretrained}' is of width 1, got {self.width:g}; use that, or "
                "set pretrained: none"
            )
        return self


class YOLOv2Settings(AnchoredYOLOSettings):
    """Fields of YOLOv2 (Redmon & Farhadi 2017)."""

    name: Literal["yolov2"] = "yolov2"
    pretrained: Literal["none", "imagenet", "coco", "voc"] = Field(  # type: ignore[assignment]  # more than the base has
        "none",
        description="Darknet's weights to start from, downloaded once into torch's cache "
        "(TORCH_HOME); they need data.normalize: null. imagenet: of Darknet-19; coco, voc: of all "
        "but the last layer, and of that too for as many classes, which must be in COCO's or "
        "VOC's order, and 5 priors; none: random.",
    )
    priors: tuple[Prior, ...] | None = Field(
        None,
        min_length=1,
        description="Width and height of the boxes that a cell starts from, in cells of 32 "
        "pixels; null: the five of the paper's network for 416 pixels, that for COCO with "
        "pretrained: coco, else that for VOC.",
    )
    ignore_iou: Share = Field(
        0.6,
        description="IoU with an object above which a box that is not the object's own counts "
        "neither as an object nor as none.",
    )
    object_weight: Weight = Field(
        5.0, description="Weight of the objectness of boxes that have an object."
    )
    no_object_weight: Weight = Field(
        1.0, description="Weight of the objectness of boxes that have none."
    )
    coordinate_weight: Weight = Field(1.0, description="Weight of the coordinates in the loss.")
    class_weight: Weight = Field(1.0, description="Weight of the classes in the loss.")


class YOLOv3LossSettings(AnchoredYOLOSettings):
    """Fields that both sizes of YOLOv3 have."""

    ignore_iou: Share = Field(
        0.7,
        description="IoU with an object above which a box that is not the object's own counts "
        "neither as an object nor as none; the paper has 0.5, its cfg for COCO 0.7.",
    )


class YOLOv3Settings(YOLOv3LossSettings):
    """Fields of YOLOv3 (Redmon & Farhadi 2018)."""

    name: Literal["yolov3"] = "yolov3"
    pretrained: Literal["none", "imagenet", "coco"] = Field(  # type: ignore[assignment]  # more than the base has
        "none",
        description="Darknet's weights to start from, downloaded once into torch's cache "
        "(TORCH_HOME); they need data.normalize: null. imagenet: of Darknet-53; coco: of all but "
        "the last layers, and of these too for 80 classes, which must be in COCO's order, and 9 "
        "priors; none: random.",
    )
    priors: tuple[Prior, ...] = Field(
        (
            (10, 13),
            (16, 30),
            (33, 23),
            (30, 61),
            (62, 45),
            (59, 119),
            (116, 90),
            (156, 198),
            (373, 326),
        ),
        min_length=YOLOV3_MAPS,
        description="Width and height of the boxes that cells start from, pixels of the network's "
        "input, from small to large: a third each for the cells of 8, 16 and 32 pixels. The "
        "default is the paper's for 416 pixels; smaller images want smaller ones.",
    )

    @model_validator(mode="after")
    def _has_priors_for_all_maps(self) -> "YOLOv3Settings":
        _check_shared(len(self.priors), YOLOV3_MAPS)
        return self


class YOLOv3TinySettings(YOLOv3LossSettings):
    """Fields of YOLOv3-tiny, of which there is a cfg and no paper."""

    name: Literal["yolov3_tiny"] = "yolov3_tiny"
    pretrained: Literal["none", "coco"] = Field(  # type: ignore[assignment]  # others than the base has
        "none",
        description="Darknet's weights to start from, downloaded once into torch's cache "
        "(TORCH_HOME); they need data.normalize: null. coco: of all but the last layers, and of "
        "these too for 80 classes, which must be in COCO's order, and 6 priors; none: random.",
    )
    priors: tuple[Prior, ...] = Field(
        ((10, 14), (23, 27), (37, 58), (81, 82), (135, 169), (344, 319)),
        min_length=YOLOV3_TINY_MAPS,
        description="Width and height of the boxes that cells start from, pixels of the network's "
        "input, from small to large: half for the cells of 16 pixels, half for those of 32. The "
        "default is the cfg's for 416 pixels; smaller images want smaller ones.",
    )

    @model_validator(mode="after")
    def _has_priors_for_all_maps(self) -> "YOLOv3TinySettings":
        _check_shared(len(self.priors), YOLOV3_TINY_MAPS)
        return self


def _check_shared(priors: int, maps: int) -> None:
    if priors % maps:
        raise ValueError(
            f"priors must be as many for each of {maps} maps, got {priors}; give "
            f"{priors // maps * maps} or {(priors // maps + 1) * maps}"
        )


def yolov1_size_rule(settings: YOLOv1Settings, image_size: int) -> str | None:
    """Return None where the network takes images of this side, else what must hold."""
    side = settings.grid * CELL
    if image_size == side:
        return None
    nearest = max(1, round(image_size / CELL))
    return (
        f"image size of {settings.name} must be {side}, {CELL} pixels for each of grid "
        f"{settings.grid}, got {image_size}; use {side}, or {nearest * CELL} with grid {nearest}"
    )


def yolo_size_rule(settings: AnchoredYOLOSettings, image_size: int) -> str | None:
    """Return None where the network takes images of this side, else what must hold."""
    return size_fault(settings.name, image_size, stride=STRIDE)
