"""S3D of torchvision's layers: Inception-v1 with separable filters (Xie et al. 2018).

Put together here, so that it can be narrower than torchvision's and sees smaller frames; at its
default width it has torchvision's weights, by their names.
"""

from functools import partial

from torch import Tensor, nn
from torchvision.models.video import S3D_Weights  # type: ignore[import-untyped]
from torchvision.models.video.s3d import (  # type: ignore[import-untyped]
    SepInceptionBlock3D,
    TemporalSeparableConv,
)
from torchvision.ops.misc import Conv3dNormActivation  # type: ignore[import-untyped]

from models.class_rows import ClassRows
from models.pretrained import LoadedWeights, WeightsSource, load_into
from models.video.inception import STEM, modules_of
from models.video.inception_settings import S3DSettings
from models.video.pixels import PixelStatistics, pixels_of
from models.video.pooling import AveragePool, MaxPool, pool_deterministically
from models.video.widths import scaled

NORM_EPSILON = 0.001


class S3D(nn.Module):
    """Clips (b, 3, t, h, w) to logits (b, classes)."""

    def __init__(self, settings: S3DSettings, classes: int) -> None:
        super().__init__()
        is_pretrained = settings.pretrained != "none"
        self.pixels = pixels_of(S3D_Weights.KINETICS400_V1) if is_pretrained else PixelStatistics()
        self.features, channels = _features(settings)
        self.pooling = AveragePool((2, 7, 7))
        self.classifier = nn.Sequential(
            nn.Dropout(settings.dropout), nn.Conv3d(channels, classes, 1)
        )

    @property
    def class_rows(self) -> tuple[ClassRows, ...]:
        """Return where the logits are computed."""
        return (ClassRows("classifier.1"),)

    def forward(self, clips: Tensor) -> Tensor:
        """Return the mean over time, and over space in large clips, of the logits."""
        maps = self.pooling(self.features(self.pixels(clips)))
        logits: Tensor = self.classifier(maps).mean(dim=(2, 3, 4))
        return logits


def build_s3d(settings: S3DSettings, out_channels: int) -> S3D:
    """Build S3D with random weights."""
    return S3D(settings, out_channels)


def load_s3d(network: S3D, settings: S3DSettings) -> tuple[LoadedWeights, ...]:  # noqa: ARG001
    """Give all layers but the last the weights of Kinetics-400.

    Raises:
        PretrainedWeightsError: they cannot be had.
        OSError: the disk is full.
    """
    source = WeightsSource.named_by_hash(S3D_Weights.KINETICS400_V1.url)
    return (load_into(network.features, source, rename=name_in_features),)


def name_in_features(name: str) -> str | None:
    """Return what `features` calls a weight of torchvision's network; None: it lacks it."""
    prefix, _, rest = name.partition(".")
    return rest if prefix == "features" else None


def _features(settings: S3DSettings) -> tuple[nn.Sequential, int]:
    """Return all layers but the last, and the channels that they return."""
    norm = partial(nn.BatchNorm3d, eps=NORM_EPSILON, momentum=settings.norm_momentum)
    first, second, channels = (scaled(count, settings.width) for count in STEM)
    across = partial(MaxPool, (1, 3, 3), (1, 2, 2), padding=(0, 1, 1))
    layers: list[nn.Module] = [
        TemporalSeparableConv(3, first, 7, 2, 3, norm),
        across(),
        Conv3dNormActivation(first, second, kernel_size=1, stride=1, norm_layer=norm),
        TemporalSeparableConv(second, channels, 3, 1, 1, norm),
        across(),
    ]
    for name, branches in modules_of(settings.width).items():
        if name == "4a":
            layers.append(MaxPool((3, 3, 3), (2, 2, 2), padding=(1, 1, 1)))
        elif name == "5a":
            layers.append(MaxPool((2, 2, 2), (2, 2, 2)))
        layers.append(SepInceptionBlock3D(channels, *branches, norm))
        channels = branches.out_channels
    features = nn.Sequential(*layers)
    pool_deterministically(features)
    return features, channels
