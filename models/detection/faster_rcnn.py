"""Faster R-CNN (Ren et al. 2015): on VGG-16's last map, or on the feature pyramid of others."""

from typing import Any

from torch import nn
from torchvision.models.detection import (  # type: ignore[import-untyped]
    FasterRCNN_MobileNet_V3_Large_FPN_Weights,
    FasterRCNN_ResNet50_FPN_V2_Weights,
    FasterRCNN_ResNet50_FPN_Weights,
)
from torchvision.models.detection.faster_rcnn import (  # type: ignore[import-untyped]
    FastRCNNPredictor,
    TwoMLPHead,
)

from models.detection.backbones import VGGMap, load_imagenet, mobilenet_pyramid, without
from models.detection.faster_rcnn_settings import (
    VGG16_STRIDE,
    FasterRCNNMobileNetSettings,
    FasterRCNNResNetSettings,
    FasterRCNNVGG16Settings,
)
from models.detection.proposals import proposal_network
from models.detection.region_heads import SIDE, DroppingHead, ObjectBoxPredictor, RegionHeads
from models.detection.region_pooling import RegionPooling
from models.detection.region_pyramid import coco_statistics, pyramid_parts
from models.detection.settings import STRIDE
from models.detection.two_stage import ProposalDetector, RegionDetector
from models.pretrained import LoadedWeights, WeightsSource, load_into
from models.segmentation.vgg import rename_by, stage_layers, vgg16_source
from models.segmentation.vgg_settings import VggSettings

VGG16_LEVEL, MOBILENET_LEVEL = 4, 5  # logarithms to base 2 of the strides of their maps "0"
MOBILENET_MAPS = 3
RESNET_COCO = {
    "v1": FasterRCNN_ResNet50_FPN_Weights.COCO_V1,
    "v2": FasterRCNN_ResNet50_FPN_V2_Weights.COCO_V1,
}
MOBILENET_COCO = FasterRCNN_MobileNet_V3_Large_FPN_Weights.COCO_V1
COCO_CHANNELS = 91  # ids of COCO, and the background


def build_vgg16(settings: FasterRCNNVGG16Settings, out_channels: int) -> ProposalDetector:
    """Build the network on VGG-16 with random weights; channel 0 is the background.

    Images are padded to multiples of 16 pixels, so that one of 150 gives 10x10 places; the
    thesis's code cuts the rest off and has 9x9.
    """
    backbone = VGGMap(settings.base_channels, settings.trained_stages)
    channels, width = backbone.out_channels, settings.head_width
    predictor = ObjectBoxPredictor if settings.form == "thesis" else FastRCNNPredictor
    heads = RegionHeads(
        settings,
        pooling=RegionPooling(SIDE, levels=["0"], first_level=VGG16_LEVEL, kind=settings.pooling),
        head=DroppingHead(channels * SIDE**2, width, settings.dropout_probability),
        predictor=predictor(width, out_channels),
    )
    rpn = proposal_network(settings, channels, [settings.anchor_sizes])
    return ProposalDetector(backbone, rpn, heads, stride=VGG16_STRIDE)


def load_vgg16(network: RegionDetector, _: VggSettings) -> tuple[LoadedWeights, ...]:
    """Give convolutions and fully connected layers those of ImageNet's classifier.

    Raises:
        PretrainedWeightsError: they cannot be had.
        OSError: the disk is full.
    """
    stages = nn.ModuleList(network.backbone.get_submodule("stages").children())
    head = network.roi_heads.box_head
    kept = nn.ModuleDict({"stages": stages, "fc6": head.fc6, "fc7": head.fc7})
    layers = {
        **{theirs: f"stages.{ours}" for theirs, ours in stage_layers(stages).items()},
        "classifier.0": "fc6",
        "classifier.3": "fc7",
    }
    return (load_into(kept, vgg16_source(batch_norm=False), rename=rename_by(layers)),)


def build_resnet(settings: FasterRCNNResNetSettings, out_channels: int) -> ProposalDetector:
    """Build the network on a ResNet's pyramid with random weights; channel 0 is background."""
    network = ProposalDetector(*pyramid_parts(settings, out_channels), stride=STRIDE)
    return coco_statistics(network, settings)


def load_resnet(
    network: ProposalDetector, settings: FasterRCNNResNetSettings
) -> tuple[LoadedWeights, ...]:
    """Give the network the pretrained weights that the settings name.

    Raises:
        PretrainedWeightsError: they cannot be had.
        OSError: the disk is full.
    """
    if settings.pretrained == "imagenet":
        return (load_imagenet(network.backbone.get_submodule("body"), settings.backbone),)
    return (_load_coco(network, RESNET_COCO[settings.heads].url),)


def build_mobilenet(settings: FasterRCNNMobileNetSettings, out_channels: int) -> ProposalDetector:
    """Build the network on MobileNetV3 with random weights; channel 0 is the background.

    Regions are taken from the pyramid's first map alone, as in torchvision: the second one has
    the same stride.
    """
    channels, width = settings.pyramid_channels, settings.head_width
    heads = RegionHeads(
        settings,
        pooling=RegionPooling(
            SIDE, levels=["0"], first_level=MOBILENET_LEVEL, kind=settings.pooling
        ),
        head=TwoMLPHead(channels * SIDE**2, width),
        predictor=FastRCNNPredictor(width, out_channels),
    )
    rpn = proposal_network(settings, channels, [settings.anchor_sizes] * MOBILENET_MAPS)
    return ProposalDetector(mobilenet_pyramid(settings), rpn, heads, stride=STRIDE)


def load_mobilenet(
    network: ProposalDetector, settings: FasterRCNNMobileNetSettings
) -> tuple[LoadedWeights, ...]:
    """Give the network the pretrained weights that the settings name.

    Raises:
        PretrainedWeightsError: they cannot be had.
        OSError: the disk is full.
    """
    if settings.pretrained == "imagenet":
        return (load_imagenet(network.backbone.get_submodule("body"), "mobilenet_v3_large"),)
    return (_load_coco(network, MOBILENET_COCO.url),)


def _load_coco(network: ProposalDetector, url: str) -> LoadedWeights:
    """Give all layers torchvision's weights of COCO, the last ones if they are of its classes."""
    heads: Any = network.roi_heads
    kept = nn.ModuleDict({"backbone": network.backbone, "rpn": network.rpn})
    kept["roi_heads"] = whole = nn.ModuleDict({"box_head": heads.box_head})
    source = WeightsSource.named_by_hash(url)
    if heads.box_predictor.cls_score.out_features == COCO_CHANNELS:
        whole["box_predictor"] = heads.box_predictor
        return load_into(kept, source)
    return load_into(kept, source, rename=without("roi_heads.box_predictor."))
