"""What a study file may say of a detector's backbone and feature pyramid; torch-free."""

from typing import Literal

from pydantic import Field, model_validator

from models.pretrained_settings import PretrainedModelSettings

PYRAMID_CHANNELS = 256  # of torchvision's pretrained detectors
COCO_BACKBONE = "resnet50"
USUALLY_TRAINED = 3  # stages of a pretrained backbone


class PyramidSettings(PretrainedModelSettings):
    """Fields of every detector on a feature pyramid (Lin et al. 2017)."""

    pretrained: Literal["none", "imagenet", "coco"] = Field(  # type: ignore[assignment]  # one more than the base has
        "none",
        description="Weights to start from, downloaded once into torch's cache (TORCH_HOME); all "
        "need data.normalize: imagenet. imagenet: of the backbone; coco: of all but the last "
        "layers; none: random.",
    )
    norm: Literal["batch", "frozen", "group"] | None = Field(
        None,
        description="batch: trained along; frozen: the pretrained statistics, fixed; group: "
        "groups of 32 channels (Wu & He 2018), for micro-batches of one or two images; null: "
        "frozen in a pretrained backbone (with heads v2 batch), else batch.",
    )
    trainable_layers: int | None = Field(
        None,
        ge=0,
        le=5,
        description="Stages of a pretrained backbone that are trained, from the last one on; "
        "null: 3.",
    )
    pyramid_channels: int = Field(
        PYRAMID_CHANNELS,
        ge=32,
        multiple_of=32,
        description="Channels of each level of the pyramid; fewer are quicker.",
    )

    @model_validator(mode="after")
    def _pretrained_settings_take_effect(self) -> "PyramidSettings":
        if self.pretrained == "none":
            self._fits_random_weights()
        elif self.norm == "group":
            raise ValueError(
                f"norm 'group' has no weights in pretrained '{self.pretrained}'; use 'frozen' or "
                "'batch', or set pretrained: none"
            )
        if self.pretrained == "coco":
            self._fits_coco()
        return self

    def _fits_random_weights(self) -> None:
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

    def _fits_coco(self) -> None:
        """Raise where torchvision's pretrained detector has other shapes; networks add theirs."""
        if self.pyramid_channels != PYRAMID_CHANNELS:
            raise ValueError(
                f"pretrained 'coco' has pyramid_channels {PYRAMID_CHANNELS}, got "
                f"{self.pyramid_channels}; use {PYRAMID_CHANNELS}, or set pretrained: imagenet"
            )

    @property
    def freezes_statistics(self) -> bool:
        """Tell whether a pretrained backbone's statistics stay where `norm` is null."""
        return True

    @property
    def backbone_norm(self) -> str:
        """Return "batch", "frozen" or "group"."""
        is_frozen = self.pretrained != "none" and self.freezes_statistics
        return self.norm or ("frozen" if is_frozen else "batch")

    @property
    def head_norm(self) -> str:
        """Return the same of layers that are trained anew, so that there is nothing to freeze."""
        return "group" if self.backbone_norm == "group" else "batch"

    @property
    def trained_stages(self) -> int | None:
        """Return how many stages are trained, from the last one on; None: all, and the rest."""
        if self.pretrained == "none":
            return None
        return USUALLY_TRAINED if self.trainable_layers is None else self.trainable_layers


class ResNetPyramidSettings(PyramidSettings):
    """Fields of detectors on the pyramid of a ResNet."""

    backbone: Literal["resnet18", "resnet34", "resnet50", "resnet101"] = Field(
        "resnet50",
        description="Network whose stages the feature pyramid is built on; pretrained: coco is "
        "there for resnet50.",
    )

    def _fits_coco(self) -> None:
        if self.backbone != COCO_BACKBONE:
            raise ValueError(
                f"pretrained 'coco' is of backbone '{COCO_BACKBONE}', got '{self.backbone}'; use "
                "that, or set pretrained: imagenet"
            )
        super()._fits_coco()
