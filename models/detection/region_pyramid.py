"""The parts that Faster and Mask R-CNN on the pyramid of a ResNet share."""

from typing import TypeVar

from torch import nn
from torchvision.models.detection.faster_rcnn import (  # type: ignore[import-untyped]
    FastRCNNConvFCHead,
    FastRCNNPredictor,
    TwoMLPHead,
)
from torchvision.ops import FrozenBatchNorm2d  # type: ignore[import-untyped]

from models.detection.backbone_settings import PyramidSettings
from models.detection.backbones import norm_layer, resnet_pyramid
from models.detection.proposals import ProposalNetwork, proposal_network
from models.detection.region_heads import SIDE, RegionHeads
from models.detection.region_pooling import RegionPooling
from models.detection.settings import RegionPyramidSettings

BOX_LAYERS = 4  # convolutions of the v2 box head
Network = TypeVar("Network", bound=nn.Module)


def pyramid_parts(
    settings: RegionPyramidSettings, out_channels: int
) -> tuple[nn.Module, ProposalNetwork, RegionHeads]:
    """Build backbone, proposal network and heads, with random weights.

    Args:
        settings: Of all three.
        out_channels: Classes, of which channel 0 is the background.
    """
    channels, is_v2 = settings.pyramid_channels, settings.heads == "v2"
    norm = norm_layer(settings.head_norm) if is_v2 else None
    backbone = resnet_pyramid(settings, norm=norm)
    rpn = proposal_network(
        settings,
        channels,
        [(size,) for size in settings.anchor_sizes],
        convolutions=2 if is_v2 else 1,
    )
    head = (
        FastRCNNConvFCHead(
            (channels, SIDE, SIDE),
            [channels] * BOX_LAYERS,
            [settings.head_width],
            norm_layer=norm,
        )
        if is_v2
        else TwoMLPHead(channels * SIDE**2, settings.head_width)
    )
    heads = RegionHeads(
        settings,
        pooling=RegionPooling(SIDE, kind=settings.pooling),
        head=head,
        predictor=FastRCNNPredictor(settings.head_width, out_channels),
    )
    return backbone, rpn, heads


def coco_statistics(network: Network, settings: PyramidSettings) -> Network:
    """Have fixed statistics used as when torchvision's first COCO weights were trained."""
    if settings.pretrained == "coco" and settings.freezes_statistics:
        for module in network.modules():
            if isinstance(module, FrozenBatchNorm2d):
                module.eps = 0.0
    return network
