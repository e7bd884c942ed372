"""What a study file may say of VGG-16 where it looks at regions; torch-free."""

from pydantic import Field, model_validator

from models.detection.backbone_settings import USUALLY_TRAINED
from models.segmentation.vgg_settings import VggSettings

VGG16_HEAD_WIDTH = 4096


class VGG16RegionSettings(VggSettings):
    """Fields of detectors that have VGG-16's convolutions and its fully connected layers."""

    head_width: int = Field(
        VGG16_HEAD_WIDTH,
        ge=1,
        description="Units of the two fully connected layers of a region's head; 4096: VGG-16's.",
    )
    trainable_layers: int | None = Field(
        None,
        ge=0,
        le=5,
        description="Stages of a pretrained VGG-16 that are trained, from the last one on; null: "
        "3, as in the paper.",
    )

    @model_validator(mode="after")
    def _pretrained_settings_take_effect(self) -> "VGG16RegionSettings":
        if self.pretrained == "none":
            if self.trainable_layers is not None:
                raise ValueError(
                    "trainable_layers would keep random layers as they are; remove it, or set "
                    "pretrained: imagenet"
                )
        elif self.head_width != VGG16_HEAD_WIDTH:
            raise ValueError(
                f"pretrained 'imagenet' has fully connected layers of {VGG16_HEAD_WIDTH} units, "
                f"got head_width {self.head_width}; use {VGG16_HEAD_WIDTH}, or pretrained 'none'"
            )
        return self

    @property
    def trained_stages(self) -> int | None:
        """Return how many stages are trained, from the last one on; None: all."""
        if self.pretrained == "none":
            return None
        return USUALLY_TRAINED if self.trainable_layers is None else self.trainable_layers
