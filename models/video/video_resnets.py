"""The ResNets of clips of Tran et al. 2018, of torchvision's blocks: R3D, MC3 and R(2+1)D.

Put together here, so that they can be narrower than torchvision's; at their default width they
have torchvision's weights, by their names.
"""

from collections import OrderedDict
from typing import Any, NamedTuple

from torch import Tensor, nn
from torchvision.models import video  # type: ignore[import-untyped]
from torchvision.models.video.resnet import (  # type: ignore[import-untyped]
    BasicBlock,
    Conv2Plus1D,
    Conv3DNoTemporal,
    Conv3DSimple,
)

from models.class_rows import ClassRows
from models.pretrained import LoadedWeights, WeightsSource, load_into
from models.video.pixels import PixelStatistics, pixels_of
from models.video.torchvision_settings import VideoResNetSettings
from models.video.widths import scaled

STAGES = (64, 128, 256, 512)  # channels; two blocks each
BETWEEN = 45  # channels between R(2+1)D's first two convolutions
LAST = "fc."


class _Version(NamedTuple):
    weights: Any  # torchvision's enum member
    convolutions: tuple[Any, ...]  # torchvision's classes, one for each stage
    is_separable: bool  # its first convolution too


VERSIONS = {
    "r3d_18": _Version(video.R3D_18_Weights.KINETICS400_V1, (Conv3DSimple,) * 4, False),
    "mc3_18": _Version(
        video.MC3_18_Weights.KINETICS400_V1, (Conv3DSimple, *(Conv3DNoTemporal,) * 3), False
    ),
    "r2plus1d_18": _Version(video.R2Plus1D_18_Weights.KINETICS400_V1, (Conv2Plus1D,) * 4, True),
}


class VideoResNet(nn.Module):
    """Clips (b, 3, t, h, w) to logits (b, classes)."""

    def __init__(self, settings: VideoResNetSettings, classes: int) -> None:
        super().__init__()
        version = VERSIONS[settings.name]
        is_pretrained = settings.pretrained != "none"
        self.pixels = pixels_of(version.weights) if is_pretrained else PixelStatistics()
        self.features = _features(version, settings.width)
        self.output = nn.Linear(scaled(STAGES[-1], settings.width), classes)
        self.apply(_draw)

    @property
    def class_rows(self) -> tuple[ClassRows, ...]:
        """Return where the logits are computed."""
        return (ClassRows("output"),)

    def forward(self, clips: Tensor) -> Tensor:
        """Return the logits of the features' mean over time and space."""
        features = self.features(self.pixels(clips)).mean(dim=(2, 3, 4))
        logits: Tensor = self.output(features)
        return logits


def build_video_resnet(settings: VideoResNetSettings, out_channels: int) -> VideoResNet:
    """Build one of the three with random weights, drawn as torchvision does."""
    return VideoResNet(settings, out_channels)


def load_video_resnet(
    network: VideoResNet, settings: VideoResNetSettings
) -> tuple[LoadedWeights, ...]:
    """Give all layers but the last the weights of Kinetics-400.

    Raises:
        PretrainedWeightsError: they cannot be had.
        OSError: the disk is full.
    """
    source = WeightsSource.named_by_hash(VERSIONS[settings.name].weights.url)
    return (load_into(network.features, source, rename=name_in_features),)


def name_in_features(name: str) -> str | None:
    """Return what `features` calls a weight of torchvision's network; None: it lacks it."""
    return None if name.startswith(LAST) else name


def _features(version: _Version, width: float) -> nn.Sequential:
    channels = scaled(STAGES[0], width)
    layers: OrderedDict[str, nn.Module] = OrderedDict(stem=_stem(version, width))
    for number, (filters, convolution) in enumerate(
        zip(STAGES, version.convolutions, strict=True), start=1
    ):
        after = scaled(filters, width)
        stride = 1 if number == 1 else 2
        shortcut = None if number == 1 else _shortcut(channels, after, convolution)
        layers[f"layer{number}"] = nn.Sequential(
            BasicBlock(channels, after, convolution, stride, shortcut),
            BasicBlock(after, after, convolution),
        )
        channels = after
    return nn.Sequential(layers)


def _shortcut(before: int, after: int, convolution: Any) -> nn.Sequential:  # noqa: ANN401  # a class of untyped torchvision
    stride = convolution.get_downsample_stride(2)
    return nn.Sequential(
        nn.Conv3d(before, after, 1, stride=stride, bias=False), nn.BatchNorm3d(after)
    )


def _stem(version: _Version, width: float) -> nn.Sequential:
    """Return the first layers: 7x7 pixels of three frames, at half the size."""
    after = scaled(STAGES[0], width)
    if not version.is_separable:
        return _convolution(3, after, (3, 7, 7), stride=2)
    between = scaled(BETWEEN, width)
    return nn.Sequential(
        *_convolution(3, between, (1, 7, 7), stride=2),
        *_convolution(between, after, (3, 1, 1), stride=1),
    )


def _convolution(
    before: int, after: int, kernel: tuple[int, int, int], *, stride: int
) -> nn.Sequential:
    frames, rows, columns = (extent // 2 for extent in kernel)
    return nn.Sequential(
        nn.Conv3d(
            before,
            after,
            kernel,
            stride=(1, stride, stride),
            padding=(frames, rows, columns),
            bias=False,
        ),
        nn.BatchNorm3d(after),
        nn.ReLU(inplace=True),
    )


def _draw(module: nn.Module) -> None:
    """Draw weights as torchvision does."""
    if isinstance(module, nn.Conv3d):
        nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")
    elif isinstance(module, nn.Linear):
        nn.init.normal_(module.weight, std=0.01)
        nn.init.zeros_(module.bias)
