"""torchvision's transformers of clips: MViT and Video Swin."""

from typing import Any, NamedTuple

from torch import Tensor, nn
from torchvision.models import video  # type: ignore[import-untyped]
from torchvision.ops import StochasticDepth  # type: ignore[import-untyped]

from models.class_rows import ClassRows
from models.pretrained import LoadedWeights, WeightsSource, load_into
from models.video.pixels import PixelStatistics, pixels_of
from models.video.pooling import pool_deterministically
from models.video.torchvision_settings import MViTSettings, Swin3DSettings

LAST = "head."
SWIN_STOCHASTIC_DEPTH = 0.1  # of torchvision's functions, which take no other


class _Version(NamedTuple):
    build: Any  # torchvision's function
    weights: Any  # torchvision's enum member


MVIT = {
    "v1_b": _Version(video.mvit_v1_b, video.MViT_V1_B_Weights.KINETICS400_V1),
    "v2_s": _Version(video.mvit_v2_s, video.MViT_V2_S_Weights.KINETICS400_V1),
}
SWIN = {
    "t": _Version(video.swin3d_t, video.Swin3D_T_Weights.KINETICS400_V1),
    "s": _Version(video.swin3d_s, video.Swin3D_S_Weights.KINETICS400_V1),
    "b": _Version(video.swin3d_b, video.Swin3D_B_Weights.KINETICS400_V1),
}


class VideoTransformer(nn.Module):
    """Clips (b, 3, t, h, w) to logits (b, classes).

    Args:
        features: torchvision's network, from which its last layers, `head`, are taken.
        pixels: What brings clips to what its weights were trained on.
    """

    def __init__(self, features: nn.Module, pixels: PixelStatistics) -> None:
        super().__init__()
        self.pixels = pixels
        self.head = features.get_submodule("head")
        features.head = nn.Identity()
        pool_deterministically(features)
        self.features = features

    @property
    def class_rows(self) -> tuple[ClassRows, ...]:
        """Return where the logits are computed: after MViT's dropout."""
        return (ClassRows("head" if isinstance(self.head, nn.Linear) else "head.1"),)

    def forward(self, clips: Tensor) -> Tensor:
        """Return the logits of the class token, or of the mean of all tokens."""
        logits: Tensor = self.head(self.features(self.pixels(clips)))
        return logits


def build_mvit(settings: MViTSettings, out_channels: int) -> VideoTransformer:
    """Build MViT with random weights, drawn as torchvision does."""
    network = _version(settings).build(
        weights=None,
        num_classes=out_channels,
        dropout=settings.dropout,
        stochastic_depth_prob=settings.stochastic_depth,
    )
    return VideoTransformer(network, _pixels(settings))


def build_swin3d(settings: Swin3DSettings, out_channels: int) -> VideoTransformer:
    """Build a Video Swin Transformer with random weights, drawn as torchvision does."""
    network = _version(settings).build(weights=None, num_classes=out_channels)
    for block in network.modules():
        if isinstance(block, StochasticDepth):
            block.p *= settings.stochastic_depth / SWIN_STOCHASTIC_DEPTH
    return VideoTransformer(network, _pixels(settings))


def load_transformer(
    network: VideoTransformer, settings: MViTSettings | Swin3DSettings
) -> tuple[LoadedWeights, ...]:
    """Give all layers but the last the weights of Kinetics-400.

    Raises:
        PretrainedWeightsError: they cannot be had.
        OSError: the disk is full.
    """
    source = WeightsSource.named_by_hash(_version(settings).weights.url)
    return (load_into(network.features, source, rename=name_in_features),)


def name_in_features(name: str) -> str | None:
    """Return what `features` calls a weight of torchvision's network; None: it lacks it."""
    return None if name.startswith(LAST) else name


def _version(settings: MViTSettings | Swin3DSettings) -> _Version:
    return (MVIT if isinstance(settings, MViTSettings) else SWIN)[settings.version]


def _pixels(settings: MViTSettings | Swin3DSettings) -> PixelStatistics:
    is_pretrained = settings.pretrained != "none"
    return pixels_of(_version(settings).weights) if is_pretrained else PixelStatistics()
