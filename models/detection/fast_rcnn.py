"""Fast R-CNN (Girshick 2015): regions of selective search, classified on maps of whole images."""

from torch import Tensor, nn
from torchvision.models.detection.faster_rcnn import TwoMLPHead  # type: ignore[import-untyped]
from torchvision.models.detection.image_list import ImageList  # type: ignore[import-untyped]

from models.detection.backbones import IMAGENET, VGGMap, resnet_pyramid, without
from models.detection.detector import Maps
from models.detection.fast_rcnn_settings import FastRCNNResNetSettings, FastRCNNVGG16Settings
from models.detection.outputs import Losses, Target
from models.detection.region_heads import SIDE, DroppingHead, ObjectBoxPredictor, RegionHeads
from models.detection.region_pooling import RegionPooling
from models.detection.selective_search.proposals import SearchedRegions
from models.detection.two_stage import RegionDetector
from models.pretrained import LoadedWeights, WeightsSource, load_into

STRIDE, LEVEL = 16, 4  # of the map, pixels; its logarithm to base 2
RESNET_STAGE = 3  # whose map it is
SCORE_STD, BOX_STD = 0.01, 0.001  # of the last layers' first weights (section 2.3)


class SearchingDetector(RegionDetector):
    """A region detector whose regions nothing has learnt to find.

    Args:
        backbone: Images (b, 3, h, w) to named maps, all of `backbone.out_channels`.
        regions: Finds regions.
        roi_heads: What looks at them.
        stride: Pixels; of the backbone's smallest map that it makes by convolutions.
    """

    def __init__(
        self,
        backbone: nn.Module,
        regions: SearchedRegions,
        roi_heads: RegionHeads,
        *,
        stride: int,
    ) -> None:
        super().__init__(backbone, roi_heads, stride=stride)
        self.regions = regions

    def propose(
        self,
        batch: ImageList,
        maps: Maps,  # noqa: ARG002  # regions are found in the pixels
        targets: list[Target] | None = None,  # noqa: ARG002  # and not learnt
    ) -> tuple[list[Tensor], Losses]:
        """Return the regions of selective search, and no losses."""
        return self.regions(batch), {}


def build_vgg16(settings: FastRCNNVGG16Settings, out_channels: int) -> SearchingDetector:
    """Build the network on VGG-16 with random weights; channel 0 is the background."""
    backbone = VGGMap(settings.base_channels, settings.trained_stages)
    head = DroppingHead(backbone.out_channels * SIDE**2, settings.head_width, settings.dropout)
    heads = RegionHeads(
        settings,
        pooling=RegionPooling(SIDE, levels=["0"], first_level=LEVEL, kind=settings.pooling),
        head=head,
        predictor=_predictor(settings.head_width, out_channels),
    )
    regions = SearchedRegions(settings, is_normalized=settings.pretrained != "none")
    return SearchingDetector(backbone, regions, heads, stride=STRIDE)


def build_resnet(settings: FastRCNNResNetSettings, out_channels: int) -> SearchingDetector:
    """Build the network on a ResNet with random weights; channel 0 is the background.

    A pyramid would be idle: regions of images below 448 pixels come from its first level alone,
    and nothing else looks at the others.
    """
    heads = RegionHeads(
        settings,
        pooling=RegionPooling(SIDE, levels=["0"], first_level=LEVEL, kind=settings.pooling),
        head=TwoMLPHead(settings.pyramid_channels * SIDE**2, settings.head_width),
        predictor=_predictor(settings.head_width, out_channels),
    )
    backbone = resnet_pyramid(settings, stages=(RESNET_STAGE,))
    regions = SearchedRegions(settings, is_normalized=settings.pretrained != "none")
    return SearchingDetector(backbone, regions, heads, stride=STRIDE)


def load_resnet(
    network: SearchingDetector, settings: FastRCNNResNetSettings
) -> tuple[LoadedWeights, ...]:
    """Give the backbone the weights of ImageNet's classifier.

    Raises:
        PretrainedWeightsError: they cannot be had.
        OSError: the disk is full.
    """
    source = WeightsSource.named_by_hash(IMAGENET[settings.backbone].url)
    body = network.backbone.get_submodule("body")
    return (load_into(body, source, rename=without("fc.", "layer4.")),)


def _predictor(inputs: int, channels: int) -> ObjectBoxPredictor:
    """Build the last layers, and draw their weights as the paper does."""
    predictor = ObjectBoxPredictor(inputs, channels)
    for layer, std in ((predictor.cls_score, SCORE_STD), (predictor.bbox_pred, BOX_STD)):
        nn.init.normal_(layer.weight, std=std)
        nn.init.zeros_(layer.bias)
    return predictor
