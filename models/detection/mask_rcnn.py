"""Mask R-CNN on a feature pyramid (He et al. 2017), of torchvision's parts."""

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn
from torchvision import models  # type: ignore[import-untyped]
from torchvision.models.detection import (  # type: ignore[import-untyped]
    MaskRCNN,
    MaskRCNN_ResNet50_FPN_V2_Weights,
    MaskRCNN_ResNet50_FPN_Weights,
    faster_rcnn,
    mask_rcnn,
)
from torchvision.models.detection.backbone_utils import (  # type: ignore[import-untyped]
    BackboneWithFPN,
)
from torchvision.models.detection.image_list import ImageList  # type: ignore[import-untyped]
from torchvision.models.detection.roi_heads import (  # type: ignore[import-untyped]
    paste_masks_in_image,
)
from torchvision.models.detection.rpn import (  # type: ignore[import-untyped]
    AnchorGenerator,
    RPNHead,
)
from torchvision.ops import FrozenBatchNorm2d  # type: ignore[import-untyped]

from models.class_rows import ClassRows
from models.detection.detector import Detector, Maps, padded
from models.detection.outputs import Detection, Learned, Losses, Target
from models.detection.region_pooling import LEVELS, RegionPooling, kernels_as_built
from models.detection.settings import STRIDE, MaskRCNNSettings
from models.pretrained import LoadedWeights, WeightsSource, load_into

PYRAMID_CHANNELS = 256
BOX_SIDE, MASK_SIDE = 7, 14  # bins of a pooled region
TRAINED_STAGES = ("layer4", "layer3", "layer2", "layer1", "conv1")  # the last first
USUALLY_TRAINED = 3  # of a pretrained backbone
BACKBONES = {
    "resnet18": models.ResNet18_Weights.IMAGENET1K_V1,
    "resnet34": models.ResNet34_Weights.IMAGENET1K_V1,
    "resnet50": models.ResNet50_Weights.IMAGENET1K_V1,
    "resnet101": models.ResNet101_Weights.IMAGENET1K_V1,
}
WHOLE = {
    "v1": MaskRCNN_ResNet50_FPN_Weights.COCO_V1,
    "v2": MaskRCNN_ResNet50_FPN_V2_Weights.COCO_V1,
}


class MaskRCNNNetwork(Detector):
    """Backbone, proposals and heads of torchvision.

    Args:
        network: torchvision's, whose parts are kept under their names.
    """

    stride = STRIDE

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        parts = dict(network.named_children())
        self.backbone = parts["backbone"]
        self.rpn = parts["rpn"]
        self.roi_heads = parts["roi_heads"]

    @property
    def heads(self) -> tuple[nn.Module, ...]:
        """Return what finds proposals, and what looks at them."""
        return self.rpn, self.roi_heads

    @property
    def class_rows(self) -> tuple[ClassRows, ...]:
        """Return where scores, boxes and masks of classes are computed."""
        return (
            ClassRows("roi_heads.box_predictor.cls_score", has_background=True),
            ClassRows("roi_heads.box_predictor.bbox_pred", per_class=4, has_background=True),
            ClassRows("roi_heads.mask_predictor.mask_fcn_logits", has_background=True),
        )

    def maps(self, images: Tensor) -> Maps:
        """Return the levels of the feature pyramid."""
        levels: Maps = self.backbone(images)
        return levels

    def learn(self, batch: ImageList, maps: Maps, targets: list[Target]) -> Learned:
        """Return the losses of proposals and of regions."""
        proposals, of_proposals = self.rpn(batch, maps, targets)
        _, of_regions = self._regions(maps, proposals, batch.image_sizes, targets)
        return Learned({**of_regions, **of_proposals}, {})

    def detect(self, batch: ImageList, maps: Maps) -> list[Detection]:
        """Return objects with their masks."""
        proposals, _ = self.rpn(batch, maps)
        detections, _ = self._regions(maps, proposals, batch.image_sizes)
        for detection, size_hw in zip(detections, batch.image_sizes, strict=True):
            detection["masks"] = paste_masks_in_image(
                detection["masks"], detection["boxes"], size_hw
            )
        return detections

    def forward_at_fixed_cost(self, image: Tensor) -> None:
        """Run every layer as often as a training image makes it at most, also on "meta".

        How many regions a forward pass goes through depends on the image, and finding them needs
        values; the regions that are sampled for the loss bound it.

        Args:
            image: (1, 3, h, w).
        """
        maps: Maps = self.backbone(padded(list(image), STRIDE).tensors)
        heads: Any = self.roi_heads
        self.rpn.head(list(maps.values()))  # type: ignore[operator]  # a module
        sampler = heads.fg_bg_sampler
        regions = sampler.batch_size_per_image
        objects = int(regions * sampler.positive_fraction)
        pooled = partial(image.new_empty, dtype=torch.float32)
        boxes = pooled((regions, PYRAMID_CHANNELS, BOX_SIDE, BOX_SIDE))
        heads.box_predictor(heads.box_head(boxes))
        masks = pooled((objects, PYRAMID_CHANNELS, MASK_SIDE, MASK_SIDE))
        heads.mask_predictor(heads.mask_head(masks))

    def _regions(
        self,
        maps: Maps,
        proposals: list[Tensor],
        sizes_hw: list[tuple[int, int]],
        targets: list[Target] | None = None,
    ) -> tuple[list[Detection], Losses]:
        poolings = [each for each in self.roi_heads.children() if isinstance(each, RegionPooling)]
        with kernels_as_built(poolings, maps[LEVELS[0]].device):
            found: tuple[list[Detection], Losses] = self.roi_heads(
                maps, proposals, sizes_hw, targets
            )
        return found


def build_mask_rcnn(settings: MaskRCNNSettings, out_channels: int) -> MaskRCNNNetwork:
    """Build the network with random weights; channel 0 is the background."""
    anchors = AnchorGenerator(
        tuple((size,) for size in settings.anchor_sizes),
        (settings.aspect_ratios,) * len(settings.anchor_sizes),
    )
    pooled = {"box_roi_pool": RegionPooling(BOX_SIDE), "mask_roi_pool": RegionPooling(MASK_SIDE)}
    network = MaskRCNN(
        _pyramid(settings),
        num_classes=out_channels,
        rpn_anchor_generator=anchors,
        rpn_pre_nms_top_n_train=settings.proposals_training,
        rpn_post_nms_top_n_train=settings.proposals_training,
        rpn_pre_nms_top_n_test=settings.proposals,
        rpn_post_nms_top_n_test=settings.proposals,
        rpn_nms_thresh=settings.proposal_nms,
        box_score_thresh=settings.score_threshold,
        box_nms_thresh=settings.nms,
        box_detections_per_img=settings.detections,
        box_batch_size_per_image=settings.sampled_regions,
        **pooled,
        **_heads(settings, anchors.num_anchors_per_location()[0]),
    )
    if settings.pretrained == "coco" and settings.heads == "v1":
        for module in network.modules():
            if isinstance(module, FrozenBatchNorm2d):
                module.eps = 0.0  # as when these weights were trained
    return MaskRCNNNetwork(network)


def load_mask_rcnn(
    network: MaskRCNNNetwork, settings: MaskRCNNSettings
) -> tuple[LoadedWeights, ...]:
    """Give the network the pretrained weights that the settings name.

    Raises:
        PretrainedWeightsError: they cannot be had.
        OSError: the disk is full.
    """
    heads: Any = network.roi_heads
    if settings.pretrained == "imagenet":
        body = network.backbone.get_submodule("body")
        source = WeightsSource.named_by_hash(BACKBONES[settings.backbone].url)
        return (load_into(body, source, rename=_without("fc.")),)
    kept = nn.ModuleDict({"backbone": network.backbone, "rpn": network.rpn})
    kept["roi_heads"] = nn.ModuleDict(
        {
            "box_head": heads.box_head,
            "mask_head": heads.mask_head,
            "mask_predictor": nn.ModuleDict({"conv5_mask": heads.mask_predictor.conv5_mask}),
        }
    )
    source = WeightsSource.named_by_hash(WHOLE[settings.heads].url)
    last = ("roi_heads.box_predictor.", "roi_heads.mask_predictor.mask_fcn_logits.")
    return (load_into(kept, source, rename=_without(*last)),)


def _pyramid(settings: MaskRCNNSettings) -> BackboneWithFPN:
    body = getattr(models, settings.backbone)(norm_layer=_norm(settings.backbone_norm))
    if settings.pretrained != "none":
        count = settings.trainable_layers
        count = USUALLY_TRAINED if count is None else count
        trained = TRAINED_STAGES[:count] + (("bn1",) if count == len(TRAINED_STAGES) else ())
        for name, weights in body.named_parameters():
            weights.requires_grad_(name.startswith(trained))
    widths = [body.inplanes // 8 * 2**stage for stage in range(4)]
    return BackboneWithFPN(
        body,
        {f"layer{stage + 1}": str(stage) for stage in range(4)},
        widths,
        PYRAMID_CHANNELS,
        norm_layer=None if settings.heads == "v1" else _head_norm(settings),
    )


def _heads(settings: MaskRCNNSettings, anchors: int) -> Mapping[str, nn.Module]:
    """Return the heads that differ from torchvision's usual ones."""
    if settings.heads == "v1":
        return {}
    norm, four = _head_norm(settings), [PYRAMID_CHANNELS] * 4
    return {
        "rpn_head": RPNHead(PYRAMID_CHANNELS, anchors, conv_depth=2),
        "box_head": faster_rcnn.FastRCNNConvFCHead(
            (PYRAMID_CHANNELS, BOX_SIDE, BOX_SIDE), four, [1024], norm_layer=norm
        ),
        "mask_head": mask_rcnn.MaskRCNNHeads(PYRAMID_CHANNELS, four, 1, norm_layer=norm),
    }


def _head_norm(settings: MaskRCNNSettings) -> Callable[[int], nn.Module]:
    """Heads are trained anew, so that there is nothing to freeze."""
    return _norm("group" if settings.backbone_norm == "group" else "batch")


def _norm(kind: str) -> Callable[[int], nn.Module]:
    kinds: Mapping[str, Callable[[int], nn.Module]] = {
        "batch": nn.BatchNorm2d,
        "frozen": FrozenBatchNorm2d,
        "group": partial(nn.GroupNorm, 32),
    }
    return kinds[kind]


def _without(*prefixes: str) -> Callable[[str], str | None]:
    return lambda name: None if name.startswith(prefixes) else name
