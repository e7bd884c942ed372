"""What a study file may say of R-CNN, and the sizes it takes; torch-free."""

from typing import Annotated, Literal

from pydantic import Field, model_validator

from models.detection.search_settings import SearchSettings
from models.pretrained_settings import PretrainedModelSettings
from models.settings import ModelSettings

# AlexNet at default settings; SVMs and box regressors are no parameters, they are fitted.
RCNN_PARAMETERS, RCNN_PARAMETERS_PER_CHANNEL = 57_003_840, 4_097
LEAST_CROP = 63  # pixels that AlexNet's last pooling leaves one of
LEAST_SIDE = 16  # pixels of an image
ALEXNET_WIDTH = 4096
ALEXNET_SIDE = 6  # rows and columns of the last map of a crop of 227 pixels
POOLINGS = 3
OF_BOXES = ("box_iou", "ridge", "box_pairs")  # have an effect with box_regression alone
Share = Annotated[float, Field(ge=0, le=1)]


class RCNNSettings(PretrainedModelSettings, SearchSettings):
    """Fields of R-CNN on AlexNet."""

    name: Literal["rcnn"] = "rcnn"
    crop: int = Field(
        227,
        ge=LEAST_CROP,
        description="Side that every region is warped to, pixels; smaller ones are quicker.",
    )
    context: int = Field(
        16,
        ge=0,
        description="Pixels of a crop, on each side, that show what surrounds the region.",
    )
    head_width: int = Field(
        ALEXNET_WIDTH,
        ge=1,
        description="Units of the two fully connected layers; 4096: AlexNet's.",
    )
    dropout: float = Field(
        0.5, ge=0, lt=1, description="Probability to drop an input of these layers."
    )
    sampled_regions: int = Field(
        128, ge=1, description="Regions of an image that the network is fine-tuned on, at most."
    )
    foreground_share: float = Field(
        0.25,
        gt=0,
        le=1,
        description="Share of sampled_regions that may be objects; the rest is background.",
    )
    foreground_iou: Share = Field(
        0.5,
        description="IoU with a true box from which a region is an object in fine-tuning; all "
        "others are background.",
    )
    svm_negative_iou: Share = Field(
        0.3,
        description="IoU with every true box of a class below which a region is background to "
        "the class's SVM; true boxes alone are objects, other regions are left out.",
    )
    svm_c: float = Field(
        1e-3, gt=0, description="C of the SVMs: how much an example on the wrong side costs."
    )
    hard_negatives: int = Field(
        5000,
        ge=1,
        description="Most background regions that a class's SVM is fitted to: those that it is "
        "wrongest about, of all training images, looked through once.",
    )
    box_regression: bool = Field(
        True, description="Whether boxes are moved by regressors, one for each class."
    )
    box_iou: Share = Field(
        0.6, description="IoU with a true box from which a region says how boxes are to be moved."
    )
    ridge: float = Field(
        1000.0, gt=0, description="Lambda: penalty of the regressors' squared weights."
    )
    box_pairs: int = Field(
        2000,
        ge=1,
        description="Most regions that a class's box regressor is fitted to, drawn at random.",
    )
    score_threshold: Share = Field(
        0.05,
        description="Least score of a detection: the sigmoid of the SVM's margin, which is no "
        "probability; 0.5 is on the border.",
    )
    nms: Share = Field(
        0.3, description="IoU above which the lower of two detections of a class is dropped."
    )
    detections: int = Field(
        100, ge=1, le=100, description="Most detections of an image; COCO counts at most 100."
    )

    @model_validator(mode="after")
    def _regions_can_be_seen_and_sampled(self) -> "RCNNSettings":
        if 2 * self.context >= self.crop:
            raise ValueError(
                f"context on both sides must leave something of the crop's {self.crop} pixels to "
                f"the region, got {self.context}; use at most {(self.crop - 1) // 2}"
            )
        if int(self.sampled_regions * self.foreground_share) < 1:
            raise ValueError(
                f"foreground_share {self.foreground_share:g} of {self.sampled_regions} "
                "sampled_regions must be at least one region, or no object is ever learnt; raise "
                "one of them"
            )
        return self

    @model_validator(mode="after")
    def _settings_take_effect(self) -> "RCNNSettings":
        if self.pretrained != "none" and self.head_width != ALEXNET_WIDTH:
            raise ValueError(
                f"pretrained 'imagenet' has fully connected layers of {ALEXNET_WIDTH} units, got "
                f"head_width {self.head_width}; use {ALEXNET_WIDTH}, or pretrained 'none'"
            )
        if self.pretrained != "none" and self.pool5_side != ALEXNET_SIDE:
            raise ValueError(
                f"pretrained 'imagenet' needs a crop whose last map has {ALEXNET_SIDE}x"
                f"{ALEXNET_SIDE} places, got {self.crop} with {self.pool5_side}x{self.pool5_side}"
                "; use 227, or pretrained 'none'"
            )
        for name in OF_BOXES:
            if not self.box_regression and getattr(self, name) != self._usual(name):
                raise ValueError(
                    f"{name} has no effect with box_regression false; remove it, or set "
                    "box_regression: true"
                )
        return self

    @property
    def pool5_side(self) -> int:
        """Return rows and columns of a crop after AlexNet's last pooling."""
        side = (self.crop + 2 * 2 - 11) // 4 + 1  # the first convolution: 11x11, stride 4
        for _ in range(POOLINGS):
            side = (side - 3) // 2 + 1  # of 3x3, stride 2
        return side

    @classmethod
    def _usual(cls, name: str) -> object:
        return cls.model_fields[name].default


def rcnn_size_rule(settings: ModelSettings, image_size: int) -> str | None:
    """Return None where the network takes images of this side, else what must hold."""
    if image_size >= LEAST_SIDE:
        return None
    return (
        f"image size of {settings.name} must be at least {LEAST_SIDE}, for there to be regions, "
        f"got {image_size}; use {LEAST_SIDE}"
    )
