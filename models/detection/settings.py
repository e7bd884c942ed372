"""What a study file may say of Mask R-CNN, and of pyramids with regions; torch-free."""

from typing import Literal

from pydantic import Field, model_validator

from models.detection.backbone_settings import ResNetPyramidSettings
from models.detection.region_settings import ProposalSettings, Side
from models.segmentation.image_sizes import size_fault
from models.settings import ModelSettings

# With trainable batch normalisation, as without pretrained weights.
MASK_RCNN_PARAMETERS = 43_964_751  # but those of the last layers
MASK_RCNN_PARAMETERS_PER_CHANNEL = 5_382  # score 1,025, box 4,100, mask 257
STRIDE = 32  # of the smallest map of the backbone
COCO_HEAD_WIDTH, COCO_RATIOS = 1024, 3  # of torchvision's pretrained networks


class RegionPyramidSettings(ResNetPyramidSettings, ProposalSettings):
    """Fields of networks that propose and classify regions on the pyramid of a ResNet."""

    heads: Literal["v1", "v2"] = Field(
        "v1",
        description="v1: the paper's; v2: more convolutions, with batch normalisation, in the "
        "proposal and box heads and the pyramid (Li et al. 2021), torchvision's _v2.",
    )
    anchor_sizes: tuple[Side, Side, Side, Side, Side] = Field(
        (32, 64, 128, 256, 512),
        description="Side of the anchors on each level of the pyramid (strides 4, 8, 16, 32, 64), "
        "pixels of the network's input; smaller images want smaller ones.",
    )

    @model_validator(mode="after")
    def _head_fits_coco(self) -> "RegionPyramidSettings":
        if self.pretrained == "coco":
            fits_coco_heads(self)
        return self

    @property
    def freezes_statistics(self) -> bool:
        """Tell whether a pretrained backbone's statistics stay where `norm` is null."""
        return self.heads == "v1"


class MaskRCNNSettings(RegionPyramidSettings):
    """Fields of Mask R-CNN on a feature pyramid (He et al. 2017; Lin et al. 2017)."""

    name: Literal["mask_rcnn"] = "mask_rcnn"


def fits_coco_heads(settings: ProposalSettings) -> None:
    """Raise where torchvision's pretrained heads have other shapes.

    Raises:
        ValueError: they have.
    """
    if len(settings.aspect_ratios) != COCO_RATIOS:
        raise ValueError(
            f"pretrained 'coco' needs {COCO_RATIOS} aspect_ratios, got "
            f"{len(settings.aspect_ratios)}; give three, or set pretrained: imagenet"
        )
    if settings.head_width != COCO_HEAD_WIDTH:
        raise ValueError(
            f"pretrained 'coco' has head_width {COCO_HEAD_WIDTH}, got {settings.head_width}; use "
            f"{COCO_HEAD_WIDTH}, or set pretrained: imagenet"
        )


def mask_rcnn_size_rule(settings: ModelSettings, image_size: int) -> str | None:
    """Return None where the network takes images of this side, else what must hold."""
    return size_fault(settings.name, image_size, stride=STRIDE)
