"""Backbones of detectors: a feature pyramid on a ResNet or MobileNetV3, or VGG-16's last map."""

from collections.abc import Callable, Mapping, Sequence

from torch import Tensor, nn
from torch.nn import functional
from torchvision import models  # type: ignore[import-untyped]
from torchvision.models.detection.backbone_utils import (  # type: ignore[import-untyped]
    BackboneWithFPN,
)
from torchvision.ops import FrozenBatchNorm2d  # type: ignore[import-untyped]
from torchvision.ops.feature_pyramid_network import (  # type: ignore[import-untyped]
    ExtraFPNBlock,
)

from models.detection.backbone_settings import PyramidSettings, ResNetPyramidSettings
from models.pretrained import LoadedWeights, WeightsSource, load_into
from models.segmentation.vgg import vgg16_stages, vgg16_widths

NormLayer = Callable[[int], nn.Module]
GROUPS = 32  # of channels that are normalised together
RESNET_STAGES = ("layer4", "layer3", "layer2", "layer1", "conv1")  # the last first
IMAGENET = {
    "resnet18": models.ResNet18_Weights.IMAGENET1K_V1,
    "resnet34": models.ResNet34_Weights.IMAGENET1K_V1,
    "resnet50": models.ResNet50_Weights.IMAGENET1K_V1,
    "resnet101": models.ResNet101_Weights.IMAGENET1K_V1,
    "mobilenet_v3_large": models.MobileNet_V3_Large_Weights.IMAGENET1K_V1,
}


def norm_layer(kind: str) -> NormLayer:
    """Return what builds a normalisation of so many channels.

    Args:
        kind: "batch", "frozen" or "group".
    """
    kinds: Mapping[str, NormLayer] = {
        "batch": nn.BatchNorm2d,
        "frozen": FrozenBatchNorm2d,
        "group": group_norm,
    }
    return kinds[kind]


def group_norm(channels: int) -> nn.GroupNorm:
    """Build 32 groups, or fewer where one would be of a single channel.

    The top of a small image's pyramid is one pixel, and of one number there is no variance.
    """
    return nn.GroupNorm(min(GROUPS, channels // 2), channels)


def resnet_pyramid(
    settings: ResNetPyramidSettings,
    *,
    stages: Sequence[int] = (1, 2, 3, 4),
    extra: ExtraFPNBlock | None = None,
    norm: NormLayer | None = None,
) -> BackboneWithFPN:
    """Build a ResNet and the pyramid on its stages, with random weights.

    Args:
        settings: Of backbone and pyramid; they say what is trained.
        stages: Whose maps the pyramid takes, of strides 4, 8, 16, 32.
        extra: What makes levels above; None: one by pooling, "pool".
        norm: Of the pyramid's layers; None: they have none.

    Returns:
        What gives the levels as "0", "1", … from the largest map on, those of `extra` last.
    """
    body = getattr(models, settings.backbone)(norm_layer=norm_layer(settings.backbone_norm))
    count = settings.trained_stages
    if count is not None:
        trained = RESNET_STAGES[:count] + (("bn1",) if count == len(RESNET_STAGES) else ())
        for name, weights in body.named_parameters():
            weights.requires_grad_(name.startswith(trained))
    return BackboneWithFPN(
        body,
        {f"layer{stage}": str(level) for level, stage in enumerate(stages)},
        [body.inplanes // 16 * 2**stage for stage in stages],
        settings.pyramid_channels,
        extra_blocks=extra,
        norm_layer=norm,
    )


def mobilenet_pyramid(settings: PyramidSettings) -> BackboneWithFPN:
    """Build MobileNetV3-Large and torchvision's pyramid on it, with random weights.

    Its levels "0" and "1" both have stride 32, "pool" has 64.
    """
    body = models.mobilenet_v3_large(norm_layer=norm_layer(settings.backbone_norm)).features
    strided = [place for place, block in enumerate(body) if getattr(block, "_is_cn", False)]
    starts = [0, *strided, len(body) - 1]
    count = settings.trained_stages
    if count is not None:
        first = starts[len(starts) - count] if count else len(body)
        body[:first].requires_grad_(requires_grad=False)
    last = starts[-2:]
    return BackboneWithFPN(
        body,
        {str(place): str(level) for level, place in enumerate(last)},
        [body[place].out_channels for place in last],
        settings.pyramid_channels,
    )


class VGGMap(nn.Module):
    """VGG-16's convolutions without the last pooling: images to one map "0" of stride 16.

    Args:
        base_channels: Of the first stage; 64 is VGG-16, whose map has 512 channels.
        trained_stages: How many of the five are trained, from the last one on; None: all.
    """

    def __init__(self, base_channels: int, trained_stages: int | None) -> None:
        super().__init__()
        self.stages = vgg16_stages(base_channels, batch_norm=False)
        self.out_channels = vgg16_widths(base_channels)[-1]
        if trained_stages is not None:
            frozen = list(self.stages)[: len(self.stages) - trained_stages]
            for stage in frozen:
                stage.requires_grad_(requires_grad=False)

    def forward(self, images: Tensor) -> dict[str, Tensor]:
        """Return {"0": (b, out_channels, h / 16, w / 16)} of (b, 3, h, w) images."""
        first, *others = self.stages
        maps = first(images)
        for stage in others:
            maps = stage(functional.max_pool2d(maps, 2))
        return {"0": maps}


def load_imagenet(body: nn.Module, name: str) -> LoadedWeights:
    """Give a pyramid's body the weights of torchvision's classifier.

    Args:
        body: `backbone.body` of a pyramid.
        name: Of the network, a key of `IMAGENET`.

    Raises:
        PretrainedWeightsError: they cannot be had.
        OSError: the disk is full.
    """
    source = WeightsSource.named_by_hash(IMAGENET[name].url)
    if name.startswith("resnet"):
        return load_into(body, source, rename=without("fc."))
    return load_into(body, source, rename=_of_features)


def without(*prefixes: str) -> Callable[[str], str | None]:
    """Return what leaves out weights whose names start so."""
    return lambda name: None if name.startswith(prefixes) else name


def _of_features(name: str) -> str | None:
    """Rename "features.0.0.weight" to "0.0.weight" and leave the classifier out."""
    return name.removeprefix("features.") if name.startswith("features.") else None
