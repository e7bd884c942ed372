"""What a study file may say of detectors, and the sizes they take; torch-free."""

from typing import Annotated, Literal

from pydantic import Field, model_validator

from models.pretrained_settings import PretrainedModelSettings
from models.segmentation.image_sizes import size_fault

# With trainable batch normalisation, as without pretrained weights.
MASK_RCNN_PARAMETERS = 43_964_751  # but those of the last layers
MASK_RCNN_PARAMETERS_PER_CHANNEL = 5_382  # score 1,025, box 4,100, mask 257
STRIDE = 32  # of the smallest map of the backbone

Side = Annotated[int, Field(ge=1)]
Ratio = Annotated[float, Field(gt=0)]
Share = Annotated[float, Field(ge=0, le=1)]


class MaskRCNNSettings(PretrainedModelSettings):
    """Fields of Mask R-CNN on a feature pyramid (He et al. 2017; Lin et al. 2017)."""

    name: Literal["mask_rcnn"] = "mask_rcnn"
    backbone: Literal["resnet18", "resnet34", "resnet50", "resnet101"] = Field(
        "resnet50", description="Network whose four stages the feature pyramid is built on."
    )
    heads: Literal["v1", "v2"] = Field(
        "v1",
        description="v1: the paper's; v2: more convolutions, with batch normalisation, in the "
        "proposal and box heads and the pyramid (Li et al. 2021), torchvision's _v2.",
    )
    pretrained: Literal["none", "imagenet", "coco"] = Field(  # type: ignore[assignment]  # one more than the base has
        "none",
        description="Weights to start from, downloaded once into torch's cache (TORCH_HOME); all "
        "need data.normalize: imagenet. imagenet: of the backbone; coco: of all but the last "
        "layers, for resnet50; none: random.",
    )
    norm: Literal["batch", "frozen", "group"] | None = Field(
        None,
        description="batch: trained along; frozen: the pretrained statistics, fixed; group: "
        "groups of 32 channels (Wu & He 2018), for micro-batches of one or two images; null: "
        "frozen in a pretrained backbone with heads v1, else batch.",
    )
    trainable_layers: int | None = Field(
        None,
        ge=0,
        le=5,
        description="Stages of a pretrained backbone that are trained, from the last one on; "
        "null: 3.",
    )
    anchor_sizes: tuple[Side, Side, Side, Side, Side] = Field(
        (32, 64, 128, 256, 512),
        description="Side of the anchors on each level of the pyramid (strides 4, 8, 16, 32, 64), "
        "pixels of the network's input; smaller images want smaller ones.",
    )
    aspect_ratios: tuple[Ratio, ...] = Field(
        (0.5, 1.0, 2.0), min_length=1, description="Height by width of the anchors of a place."
    )
    proposals_training: int = Field(
        2000, ge=1, description="Most proposals of an image while training."
    )
    proposals: int = Field(1000, ge=1, description="Most proposals of an image while scoring.")
    proposal_nms: Share = Field(
        0.7, description="IoU from which the lower of two proposals is dropped."
    )
    sampled_regions: int = Field(
        512, ge=4, description="Proposals of an image that the loss is taken of, 1 in 4 an object."
    )
    score_threshold: Share = Field(0.05, description="Least score of a detection.")
    nms: Share = Field(
        0.5, description="IoU from which the lower of two detections of a class is dropped."
    )
    detections: int = Field(
        100, ge=1, le=100, description="Most detections of an image; COCO counts at most 100."
    )

    @model_validator(mode="after")
    def _settings_take_effect(self) -> "MaskRCNNSettings":
        if self.pretrained == "none":
            if self.trainable_layers is not None:
                raise ValueError(
                    "trainable_layers would keep random layers as they are; remove it, or set "
                    "pretrained: imagenet or coco"
                )
            if self.norm == "frozen":
                raise ValueError(
                    "norm 'frozen' keeps pretrained statistics, and there are none; use 'batch' "
                    "or 'group', or set pretrained: imagenet or coco"
                )
            return self
        if self.norm == "group":
            raise ValueError(
                f"norm 'group' has no weights in pretrained '{self.pretrained}'; use 'frozen' or "
                "'batch', or set pretrained: none"
            )
        if self.pretrained == "coco":
            self._fits_coco()
        return self

    def _fits_coco(self) -> None:
        if self.backbone != "resnet50":
            raise ValueError(
                f"pretrained 'coco' is of backbone 'resnet50', got '{self.backbone}'; use that, "
                "or set pretrained: imagenet"
            )
        if len(self.aspect_ratios) != 3:
            raise ValueError(
                f"pretrained 'coco' needs 3 aspect_ratios, got {len(self.aspect_ratios)}; "
                "give three, or set pretrained: imagenet"
            )

    @property
    def backbone_norm(self) -> str:
        """Return "batch", "frozen" or "group"."""
        usual = "frozen" if self.pretrained != "none" and self.heads == "v1" else "batch"
        return self.norm or usual


def mask_rcnn_size_rule(settings: MaskRCNNSettings, image_size: int) -> str | None:
    """Return None where the network takes images of this side, else what must hold."""
    return size_fault(settings.name, image_size, stride=STRIDE)
