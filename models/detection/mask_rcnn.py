"""Mask R-CNN on a feature pyramid (He et al. 2017), of torchvision's parts."""

from typing import Any

import torch
from torch import Tensor, nn
from torchvision.models.detection import (  # type: ignore[import-untyped]
    MaskRCNN_ResNet50_FPN_V2_Weights,
    MaskRCNN_ResNet50_FPN_Weights,
)
from torchvision.models.detection.image_list import ImageList  # type: ignore[import-untyped]
from torchvision.models.detection.mask_rcnn import (  # type: ignore[import-untyped]
    MaskRCNNHeads,
    MaskRCNNPredictor,
)
from torchvision.models.detection.roi_heads import (  # type: ignore[import-untyped]
    maskrcnn_loss,
    paste_masks_in_image,
)

from models.class_rows import ClassRows
from models.detection.backbones import load_imagenet, norm_layer, without
from models.detection.detector import Maps
from models.detection.outputs import Detection, Losses, Measures, Target
from models.detection.region_heads import RegionHeads, Sampled
from models.detection.region_pooling import RegionPooling
from models.detection.region_pyramid import coco_statistics, pyramid_parts
from models.detection.settings import STRIDE, MaskRCNNSettings
from models.detection.two_stage import ProposalDetector, SizesHw
from models.pretrained import LoadedWeights, WeightsSource, load_into

MASK_SIDE = 14  # bins per axis of a region whose mask is found
MASK_CHANNELS = 256  # of each layer of the mask's head
MASK_LAYERS = 4
WHOLE = {
    "v1": MaskRCNN_ResNet50_FPN_Weights.COCO_V1,
    "v2": MaskRCNN_ResNet50_FPN_V2_Weights.COCO_V1,
}


class MaskRCNNNetwork(ProposalDetector):
    """Regions' classes and boxes, and a mask for each of their objects."""

    @property
    def class_rows(self) -> tuple[ClassRows, ...]:
        """Return where scores, boxes and masks of classes are computed."""
        masks = ClassRows("roi_heads.mask_predictor.mask_fcn_logits", has_background=True)
        return (*super().class_rows, masks)

    def learn_regions(
        self, maps: Maps, sampled: Sampled, sizes_hw: SizesHw, targets: list[Target]
    ) -> tuple[Losses, Measures]:
        """Return losses and measures of sampled regions, with that of masks."""
        losses, measures = super().learn_regions(maps, sampled, sizes_hw, targets)
        heads: Any = self.roi_heads
        hold = [torch.where(labels > 0)[0] for labels in sampled.labels]
        boxes = [each[objects] for each, objects in zip(sampled.boxes, hold, strict=True)]
        of_mask = maskrcnn_loss(
            heads.mask_predictor(heads.mask_head(heads.mask_roi_pool(maps, boxes, sizes_hw))),
            boxes,
            [each["masks"] for each in targets],
            [each["labels"] for each in targets],
            [each[objects] for each, objects in zip(sampled.matched, hold, strict=True)],
        )
        return {**losses, "loss_mask": of_mask}, measures

    def find(self, batch: ImageList, maps: Maps, proposals: list[Tensor]) -> list[Detection]:
        """Return objects with their masks."""
        detections = super().find(batch, maps, proposals)
        for detection, size_hw in zip(detections, batch.image_sizes, strict=True):
            detection["masks"] = paste_masks_in_image(
                detection["masks"], detection["boxes"], size_hw
            )
        return detections

    def forward_at_fixed_cost(self, image: Tensor) -> None:
        """Run every layer as often as a training image makes it at most, also on "meta".

        Args:
            image: (1, 3, h, w).
        """
        super().forward_at_fixed_cost(image)
        heads: Any = self.roi_heads
        sampler = heads.fg_bg_sampler
        objects = int(sampler.batch_size_per_image * sampler.positive_fraction)
        pooled = self._pooled(heads.mask_roi_pool, objects, image)
        heads.mask_predictor(heads.mask_head(pooled))


def build_mask_rcnn(settings: MaskRCNNSettings, out_channels: int) -> MaskRCNNNetwork:
    """Build the network with random weights; channel 0 is the background."""
    backbone, rpn, heads = pyramid_parts(settings, out_channels)
    _add_mask_head(heads, settings, out_channels)
    return coco_statistics(MaskRCNNNetwork(backbone, rpn, heads, stride=STRIDE), settings)


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
        return (load_imagenet(network.backbone.get_submodule("body"), settings.backbone),)
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
    return (load_into(kept, source, rename=without(*last)),)


def _add_mask_head(heads: RegionHeads, settings: MaskRCNNSettings, out_channels: int) -> None:
    """Give the heads what torchvision's make masks with, where they have it."""
    is_v2 = settings.heads == "v2"
    heads.mask_roi_pool = RegionPooling(MASK_SIDE, kind=settings.pooling)
    heads.mask_head = MaskRCNNHeads(
        settings.pyramid_channels,
        [MASK_CHANNELS] * MASK_LAYERS,
        1,  # pixel between the taps of a kernel
        norm_layer=norm_layer(settings.head_norm) if is_v2 else None,
    )
    heads.mask_predictor = MaskRCNNPredictor(MASK_CHANNELS, MASK_CHANNELS, out_channels)
