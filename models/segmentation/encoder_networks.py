"""Decoders on an encoder, by segmentation_models_pytorch: U-Net, U-Net++, FPN, DeepLabv3+.

They upsample by `functional.interpolate`, nearest or bilinear; both have a deterministic backward
pass on CUDA (see `torchvision_networks`). Left out is what has none: PSPNet's pooling to 2x2,
3x3 and 6x6 pixels.
"""

from typing import Any

import segmentation_models_pytorch as smp  # type: ignore[import-untyped]
from segmentation_models_pytorch.decoders.deeplabv3.decoder import (  # type: ignore[import-untyped]
    ASPPPooling,
)
from segmentation_models_pytorch.encoders import encoders  # type: ignore[import-untyped]
from torch import nn

from models.class_rows import ClassRows
from models.pretrained import LoadedWeights, WeightsSource, load_into
from models.segmentation.encoder_settings import (
    AnyEncoderSettings,
    DeepLabV3PlusSettings,
    FPNSettings,
    UNetEncoderSettings,
    UNetPlusPlusSettings,
)
from models.segmentation.pooled_norm import train_on_single_images

ATROUS_RATES = {16: (6, 12, 18), 8: (12, 24, 36)}  # Chen et al. 2017, section 4.1
SERVER = "https://huggingface.co"


def build_unet_encoder(settings: UNetEncoderSettings, out_channels: int) -> nn.Module:
    """Build U-Net on an encoder for RGB images, with random weights."""
    return _with_class_rows(smp.Unet(settings.encoder, encoder_weights=None, classes=out_channels))


def build_unetplusplus(settings: UNetPlusPlusSettings, out_channels: int) -> nn.Module:
    """Build U-Net++ for RGB images, with random weights."""
    return _with_class_rows(
        smp.UnetPlusPlus(settings.encoder, encoder_weights=None, classes=out_channels)
    )


def build_fpn(settings: FPNSettings, out_channels: int) -> nn.Module:
    """Build a feature pyramid network for RGB images, with random weights."""
    return _with_class_rows(smp.FPN(settings.encoder, encoder_weights=None, classes=out_channels))


def build_deeplabv3plus(settings: DeepLabV3PlusSettings, out_channels: int) -> nn.Module:
    """Build DeepLabv3+ for RGB images, with random weights."""
    network: nn.Module = smp.DeepLabV3Plus(
        settings.encoder,
        encoder_weights=None,
        encoder_output_stride=settings.output_stride,
        decoder_atrous_rates=ATROUS_RATES[settings.output_stride],
        classes=out_channels,
    )
    train_on_single_images(network, ASPPPooling)
    return _with_class_rows(network)


def load_encoder(network: nn.Module, settings: AnyEncoderSettings) -> tuple[LoadedWeights, ...]:
    """Give the encoder the pretrained weights that the settings name.

    Raises:
        PretrainedWeightsError: they cannot be had.
        OSError: the disk is full.
    """
    source = encoder_source(settings.encoder, settings.pretrained)
    return (load_into(network.get_submodule("encoder"), source),)


def _with_class_rows(network: Any) -> nn.Module:  # noqa: ANN401  # the library has no types
    """Say of any of these networks where its logits are computed."""
    network.class_rows = (ClassRows("segmentation_head.0"),)
    found: nn.Module = network
    return found


def encoder_source(encoder: str, pretrained: str) -> WeightsSource:
    """Return where an encoder's weights come from: one revision, which cannot change."""
    entry = encoders[encoder]["pretrained_settings"][pretrained]
    repository, revision = entry["repo_id"], entry["revision"]
    return WeightsSource(
        url=f"{SERVER}/{repository}/resolve/{revision}/model.safetensors",
        name=f"{repository.replace('/', '.')}.{revision[:8]}.safetensors",
    )
