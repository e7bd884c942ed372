"""What a study file may say of Faster R-CNN, and the sizes it takes; torch-free."""

from typing import Literal

from pydantic import Field, model_validator

from models.detection.backbone_settings import PyramidSettings
from models.detection.region_settings import ProposalSettings, Side
from models.detection.settings import STRIDE, RegionPyramidSettings, fits_coco_heads
from models.detection.vgg16_settings import VGG16RegionSettings
from models.segmentation.image_sizes import size_fault
from models.settings import ModelSettings

# At default settings, without pretrained weights; "per channel" is a score and a box.
VGG16_PARAMETERS = 136_643_437  # without the last layers
VGG16_PARAMETERS_PER_CHANNEL = 20_485
RESNET_PARAMETERS = 41_342_031
RESNET_PARAMETERS_PER_CHANNEL = 5_125
MOBILENET_PARAMETERS = 18_944_379
MOBILENET_PARAMETERS_PER_CHANNEL = 5_125
VGG16_STRIDE = 16  # of the map
COCO_SIZES = 5  # anchor sizes of torchvision's pretrained MobileNet


class FasterRCNNVGG16Settings(VGG16RegionSettings, ProposalSettings):
    """Fields of Faster R-CNN on VGG-16 (Ren et al. 2015)."""

    name: Literal["faster_rcnn_vgg16"] = "faster_rcnn_vgg16"
    form: Literal["torchvision", "thesis"] = Field(
        "torchvision",
        description="torchvision: box regression has outputs for the background too, and there "
        "is no dropout; thesis: outputs for the objects alone, and dropout.",
    )
    dropout: float | None = Field(
        None,
        ge=0,
        lt=1,
        description="Probability to drop an activation of the two fully connected layers; null: "
        "0.5 in the thesis's form (the original's), else 0.",
    )
    anchor_sizes: tuple[Side, ...] = Field(
        (128, 256, 512),
        min_length=1,
        description="Sides of the anchors of each place, pixels of the network's input; the "
        "paper's are for images of 600 pixels.",
    )
    candidates_training: int | None = Field(
        12_000,
        ge=1,
        description="Most anchors of an image, by score, that enter non-maximum suppression while "
        "training; null: proposals_training.",
    )
    candidates: int | None = Field(
        6000, ge=1, description="The same while scoring; null: proposals."
    )
    proposals: int = Field(300, ge=1, description="Most proposals of an image while scoring.")
    sampled_regions: int = Field(
        128,
        ge=1,
        description="Regions of an image that the loss is taken of, at most; the thesis's 'RoIs'.",
    )

    @property
    def dropout_probability(self) -> float:
        """Return the probability to drop an activation."""
        usual = 0.5 if self.form == "thesis" else 0.0
        return usual if self.dropout is None else self.dropout


class FasterRCNNResNetSettings(RegionPyramidSettings):
    """Fields of Faster R-CNN on the feature pyramid of a ResNet (Lin et al. 2017)."""

    name: Literal["faster_rcnn_resnet"] = "faster_rcnn_resnet"


class FasterRCNNMobileNetSettings(PyramidSettings, ProposalSettings):
    """Fields of Faster R-CNN on the feature pyramid of MobileNetV3-Large (Howard et al. 2019).

    torchvision's form for images of 320 pixels differs in `proposals: 150` alone.
    """

    name: Literal["faster_rcnn_mobilenet"] = "faster_rcnn_mobilenet"
    norm: Literal["batch", "frozen"] | None = Field(  # its channels make no groups
        None,
        description="batch: trained along; frozen: the pretrained statistics, fixed; null: "
        "frozen in a pretrained backbone, else batch.",
    )
    trainable_layers: int | None = Field(
        None,
        ge=0,
        le=6,
        description="Stages of a pretrained backbone that are trained, from the last one on; "
        "null: 3.",
    )
    anchor_sizes: tuple[Side, ...] = Field(
        (32, 64, 128, 256, 512),
        min_length=1,
        description="Sides of the anchors of each place, on every level of the pyramid (strides "
        "32, 32, 64), pixels of the network's input.",
    )
    proposal_threshold: float = Field(0.05, ge=0, le=1, description="Least score of a proposal.")

    @model_validator(mode="after")
    def _heads_fit_coco(self) -> "FasterRCNNMobileNetSettings":
        if self.pretrained != "coco":
            return self
        fits_coco_heads(self)
        if len(self.anchor_sizes) != COCO_SIZES:
            raise ValueError(
                f"pretrained 'coco' needs {COCO_SIZES} anchor_sizes, got "
                f"{len(self.anchor_sizes)}; give five, or set pretrained: imagenet"
            )
        return self


def vgg16_size_rule(settings: ModelSettings, image_size: int) -> str | None:
    """Return None where the network takes images of this side, else what must hold."""
    return size_fault(settings.name, image_size, stride=VGG16_STRIDE)


def region_pyramid_size_rule(settings: ModelSettings, image_size: int) -> str | None:
    """Return None where the network takes images of this side, else what must hold."""
    return size_fault(settings.name, image_size, stride=STRIDE)
