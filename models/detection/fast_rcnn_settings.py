"""What a study file may say of Fast R-CNN; torch-free."""

from typing import Literal

from pydantic import Field

from models.detection.backbone_settings import PYRAMID_CHANNELS, ResNetPyramidSettings
from models.detection.region_settings import RegionSettings, Share
from models.detection.search_settings import SearchSettings
from models.detection.vgg16_settings import VGG16RegionSettings

# At default settings, without pretrained weights; "per channel" is a score and a box.
FAST_VGG16_PARAMETERS = 134_244_156  # without the last layers, less the box of the background
FAST_VGG16_PARAMETERS_PER_CHANNEL = 20_485
STAGES = 4  # of the ResNet, the layers before the first one among them
FAST_RESNET_PARAMETERS = 17_330_236
FAST_RESNET_PARAMETERS_PER_CHANNEL = 5_125


class FastRCNNSettings(RegionSettings, SearchSettings):
    """Fields of both forms of Fast R-CNN (Girshick 2015)."""

    sampled_regions: int = Field(
        64, ge=1, description="Regions of an image that the loss is taken of, at most."
    )
    least_background_iou: Share = Field(
        0.1,
        description="IoU with a true box that background must reach to be sampled, in images "
        "that have any: 0.1 takes hard negatives alone (the paper's); 0 takes all.",
    )
    score_threshold: Share = Field(0.05, description="Least score of a detection.")
    nms: Share = Field(
        0.3, description="IoU from which the lower of two detections of a class is dropped."
    )


class FastRCNNVGG16Settings(VGG16RegionSettings, FastRCNNSettings):
    """Fields of Fast R-CNN on VGG-16."""

    name: Literal["fast_rcnn_vgg16"] = "fast_rcnn_vgg16"
    pooling: Literal["roi_align", "roi_pool"] = Field(
        "roi_pool",
        description="How a region of any size becomes 7x7 values: roi_pool takes maxima of whole "
        "pixels (the paper's); roi_align interpolates between them (He et al. 2017).",
    )
    dropout: float = Field(
        0.5,
        ge=0,
        lt=1,
        description="Probability to drop an activation of the two fully connected layers.",
    )


class FastRCNNResNetSettings(ResNetPyramidSettings, FastRCNNSettings):
    """Fields of Fast R-CNN on a ResNet's map of stride 16."""

    name: Literal["fast_rcnn_resnet"] = "fast_rcnn_resnet"
    backbone: Literal["resnet18", "resnet34", "resnet50", "resnet101"] = Field(
        "resnet18", description="Network whose third stage makes the map; it has no fourth."
    )
    pretrained: Literal["none", "imagenet"] = Field(
        "none",
        description="Weights that the backbone starts from, downloaded once into torch's cache "
        "(TORCH_HOME). imagenet: of a classifier trained on ImageNet, which needs "
        "data.normalize: imagenet; none: random.",
    )
    trainable_layers: int | None = Field(
        None,
        ge=0,
        le=STAGES,
        description="Stages of a pretrained backbone that are trained, from the last one on; "
        "null: 2.",
    )
    pyramid_channels: int = Field(
        PYRAMID_CHANNELS,
        ge=32,
        multiple_of=32,
        description="Channels that the map is brought to; fewer are quicker.",
    )

    @property
    def trained_stages(self) -> int | None:
        """Return how many stages are trained, the fourth, which is left out, being the last."""
        found = super().trained_stages
        if found is None or self.trainable_layers is None:
            return found
        return found + 1
