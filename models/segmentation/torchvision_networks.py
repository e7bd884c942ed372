"""torchvision's segmentation networks: FCN and DeepLabv3 on ResNet or MobileNetV3, LR-ASPP.

Their bilinear upsampling is `functional.interpolate`, which under deterministic algorithms is
written out as indexing on CUDA (see `torch.nn.functional.interpolate`), so they train with
`training.deterministic` as they are.
"""

from functools import partial
from typing import Any, NamedTuple

from torch import Tensor, nn
from torch.nn import functional
from torchvision import models  # type: ignore[import-untyped]
from torchvision.models import segmentation  # type: ignore[import-untyped]
from torchvision.models.segmentation.deeplabv3 import ASPPPooling  # type: ignore[import-untyped]

from models.class_rows import ClassRows
from models.pretrained import LoadedWeights, WeightsSource, load_into
from models.segmentation.outputs import WithAuxiliary
from models.segmentation.pooled_norm import train_on_single_images
from models.segmentation.torchvision_settings import (
    DeepLabV3Settings,
    FCNResNetSettings,
    LRASPPSettings,
    TorchvisionSettings,
    backbone_of,
)


class _Backbone(NamedTuple):
    weights: Any  # torchvision's enum member
    prefix: str  # of the layers that the network keeps, in the names of the file's weights


BACKBONES = {
    "resnet50": _Backbone(models.ResNet50_Weights.IMAGENET1K_V1, ""),
    "resnet101": _Backbone(models.ResNet101_Weights.IMAGENET1K_V1, ""),
    "mobilenet_v3_large": _Backbone(models.MobileNet_V3_Large_Weights.IMAGENET1K_V1, "features."),
}
CLASSIFIERS = ("fc.", "classifier.")  # of the ImageNet networks


class TorchvisionNetwork(nn.Module):
    """Images (b, 3, h, w) to logits (b, c, h, w), with those of an auxiliary head in training.

    Args:
        network: torchvision's, whose own forward returns a dictionary and runs the auxiliary
            head even where nobody asks for it.
        auxiliary_weight: Of the auxiliary head's loss; no effect without such a head.
    """

    def __init__(self, network: nn.Module, auxiliary_weight: float) -> None:
        super().__init__()
        parts = dict(network.named_children())
        self.backbone = parts["backbone"]
        self.classifier = parts["classifier"]
        self.auxiliary = parts.get("aux_classifier")
        self.auxiliary_weight = auxiliary_weight
        train_on_single_images(self, ASPPPooling)

    @property
    def class_rows(self) -> tuple[ClassRows, ...]:
        """Return where the logits are computed: LR-ASPP adds those of two maps."""
        last = {"auxiliary.4"} if self.auxiliary is not None else set()
        names = {name for name, _ in self.named_modules()}
        last |= {"classifier.low_classifier", "classifier.high_classifier", "classifier.4"} & names
        return tuple(ClassRows(layer) for layer in sorted(last))

    @property
    def helpers(self) -> tuple[str, ...]:
        """Return the auxiliary head, which predictions do without."""
        return ("auxiliary",) if self.auxiliary is not None else ()

    def forward(self, images: Tensor) -> Tensor | WithAuxiliary:
        """Return logits of the images' size; in evaluation mode always a tensor."""
        features: dict[str, Tensor] = self.backbone(images)
        size_hw = images.shape[-2:]
        # LR-ASPP merges a "low" and a "high" map; the others have one, "out".
        logits = _enlarged(self.classifier(features.get("out", features)), size_hw)
        if self.auxiliary is None or not self.training:
            return logits
        auxiliary = _enlarged(self.auxiliary(features["aux"]), size_hw)
        return WithAuxiliary(logits, auxiliary, self.auxiliary_weight)


def build_fcn_resnet(settings: FCNResNetSettings, out_channels: int) -> TorchvisionNetwork:
    """Build FCN for RGB images, with random weights."""
    return _build(f"fcn_{settings.backbone}", settings.auxiliary_weight, out_channels)


def build_deeplabv3(settings: DeepLabV3Settings, out_channels: int) -> TorchvisionNetwork:
    """Build DeepLabv3 for RGB images, with random weights."""
    return _build(f"deeplabv3_{settings.backbone}", settings.auxiliary_weight, out_channels)


def build_lraspp(settings: LRASPPSettings, out_channels: int) -> TorchvisionNetwork:  # noqa: ARG001
    """Build LR-ASPP for RGB images, with random weights."""
    return _build("lraspp_mobilenet_v3_large", 0.0, out_channels)


def load_backbone(
    network: TorchvisionNetwork, settings: TorchvisionSettings
) -> tuple[LoadedWeights, ...]:
    """Give the backbone the pretrained weights that the settings name.

    Raises:
        PretrainedWeightsError: they cannot be had.
        OSError: the disk is full.
    """
    weights, prefix = BACKBONES[backbone_of(settings)]
    source = WeightsSource.named_by_hash(weights.url)
    rename = partial(name_in_backbone, prefix=prefix)
    return (load_into(network.backbone, source, rename=rename),)


def name_in_backbone(name: str, *, prefix: str) -> str | None:
    """Return what the backbone calls a weight of the ImageNet network; None: it lacks it."""
    return None if name.startswith(CLASSIFIERS) else name.removeprefix(prefix)


def _build(name: str, auxiliary_weight: float, out_channels: int) -> TorchvisionNetwork:
    build = getattr(segmentation, name)
    has_auxiliary = {"aux_loss": True} if auxiliary_weight > 0 else {}
    network = build(weights=None, weights_backbone=None, num_classes=out_channels, **has_auxiliary)
    return TorchvisionNetwork(network, auxiliary_weight)


def _enlarged(maps: Tensor, size_hw: tuple[int, ...]) -> Tensor:
    return functional.interpolate(maps, size=size_hw, mode="bilinear", align_corners=False)
