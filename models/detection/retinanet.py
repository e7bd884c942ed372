"""RetinaNet (Lin et al. 2017, "Focal loss for dense object detection"), of torchvision's parts."""

import re
from collections.abc import Callable
from typing import Any, cast

from torch import Tensor, nn
from torch.nn import functional
from torchvision.models.detection import (  # type: ignore[import-untyped]
    RetinaNet_ResNet50_FPN_V2_Weights,
    RetinaNet_ResNet50_FPN_Weights,
)
from torchvision.models.detection._utils import (  # type: ignore[import-untyped]
    BoxCoder,
    Matcher,
)
from torchvision.models.detection.anchor_utils import (  # type: ignore[import-untyped]
    AnchorGenerator,
)
from torchvision.models.detection.retinanet import (  # type: ignore[import-untyped]
    RetinaNetClassificationHead,
    RetinaNetRegressionHead,
)
from torchvision.ops import generalized_box_iou_loss  # type: ignore[import-untyped]
from torchvision.ops.feature_pyramid_network import (  # type: ignore[import-untyped]
    LastLevelP6P7,
)

from models.detection.backbones import group_norm, resnet_pyramid
from models.detection.detector import Maps
from models.detection.focal_pyramid import STAGES, FocalPyramid, load_pyramid
from models.detection.one_stage import BOXES, SCORES, Numbers, objects_of
from models.detection.one_stage_settings import RetinaNetSettings
from models.detection.outputs import Losses, Target
from models.detection.region_pyramid import coco_statistics
from models.pretrained import LoadedWeights

LAST_CHANNELS = {"resnet18": 512, "resnet34": 512, "resnet50": 2048, "resnet101": 2048}
COCO = {
    "v1": RetinaNet_ResNet50_FPN_Weights.COCO_V1,
    "v2": RetinaNet_ResNet50_FPN_V2_Weights.COCO_V1,
}


class RetinaNet(FocalPyramid):
    """Every level's places start from anchors, as a region proposal network's do.

    Args:
        backbone: Images (b, 3, h, w) to named maps, from the largest on.
        head: torchvision's heads.
        settings: Of the study.
        classes: Number of them.
    """

    def __init__(
        self,
        backbone: nn.Module,
        head: nn.ModuleDict,
        settings: RetinaNetSettings,
        *,
        classes: int,
    ) -> None:
        super().__init__(
            backbone,
            head,
            generator=AnchorGenerator(
                tuple(sides(size, settings.anchor_scales) for size in settings.anchor_sizes),
                (settings.aspect_ratios,) * len(settings.anchor_sizes),
            ),
            columns={SCORES: classes, BOXES: 4},
            settings=settings,
        )
        self.matcher = Matcher(
            settings.foreground_iou, settings.background_iou, allow_low_quality_matches=True
        )
        self.coder = BoxCoder((1.0, 1.0, 1.0, 1.0))
        self.is_v2 = settings.heads == "v2"

    def maps(self, images: Tensor) -> Maps:
        """Return scores and boxes of each level."""
        classes: Any = self.head["classification_head"]
        boxes: Any = self.head["regression_head"]
        maps: Maps = {}
        for level, each in enumerate(self.backbone(images).values()):
            maps[f"{SCORES}.{level}"] = classes.cls_logits(classes.conv(each))
            maps[f"{BOXES}.{level}"] = boxes.bbox_reg(boxes.conv(each))
        return maps

    def scores(self, numbers: Numbers) -> Tensor:
        """Return a sigmoid of each class."""
        return numbers[SCORES].sigmoid()

    def boxes(self, numbers: Numbers, anchors: Tensor) -> Tensor:
        """Return anchors, moved and scaled."""
        boxes: Tensor = self.coder.decode_single(numbers[BOXES], anchors)
        return boxes

    def image_losses(self, numbers: Numbers, anchors: Tensor, target: Target) -> Losses:
        """Return the losses of scores and boxes, each by the number of anchors with objects."""
        matched = objects_of(self.matcher, target["boxes"], anchors)
        has_object = matched >= 0
        is_counted = matched != Matcher.BETWEEN_THRESHOLDS
        objects = matched[has_object]
        count = max(1, len(objects))
        of_scores = self.focal_loss(
            numbers[SCORES][is_counted], has_object[is_counted], target["labels"][objects]
        )
        of_boxes = self._box_loss(
            numbers[BOXES][has_object], anchors[has_object], target["boxes"][objects]
        )
        return {"classification": of_scores / count, "bbox_regression": of_boxes / count}

    def _box_loss(self, numbers: Tensor, anchors: Tensor, objects: Tensor) -> Tensor:
        if self.is_v2:
            found = self.coder.decode_single(numbers, anchors)
            overlap: Tensor = generalized_box_iou_loss(found, objects, reduction="sum")
            return overlap
        return functional.l1_loss(
            numbers, self.coder.encode_single(objects, anchors), reduction="sum"
        )


def sides(smallest: int, count: int) -> tuple[int, ...]:
    """Return sides of anchors in whole pixels: equal factors from the smallest to its double."""
    return tuple(int(smallest * 2 ** (step / count)) for step in range(count))


def build_retinanet(settings: RetinaNetSettings, out_channels: int) -> RetinaNet:
    """Build the network with random weights.

    Args:
        settings: Of the study.
        out_channels: Classes and a background, which the network has no outputs for.
    """
    is_v2, channels = settings.heads == "v2", settings.pyramid_channels
    norm: Callable[[int], nn.Module] | None = group_norm if is_v2 else None
    source = LAST_CHANNELS[settings.backbone] if is_v2 else channels
    backbone = resnet_pyramid(settings, stages=STAGES, extra=LastLevelP6P7(source, channels))
    anchors, classes = settings.anchors_of_a_place, out_channels - 1
    head = nn.ModuleDict(
        {
            "classification_head": RetinaNetClassificationHead(
                channels, anchors, classes, prior_probability=settings.prior, norm_layer=norm
            ),
            "regression_head": RetinaNetRegressionHead(channels, anchors, norm_layer=norm),
        }
    )
    for part in head.children():
        part.conv = cast(nn.Sequential, part.conv)[: settings.head_layers]
    return coco_statistics(RetinaNet(backbone, head, settings, classes=classes), settings)


def load_retinanet(network: RetinaNet, settings: RetinaNetSettings) -> tuple[LoadedWeights, ...]:
    """Give the network the pretrained weights that the settings name.

    Raises:
        PretrainedWeightsError: they cannot be had.
        OSError: the disk is full.
    """
    return load_pyramid(network, settings, COCO[settings.heads].url, _of_today)


def _of_today(name: str) -> str:
    """Number a head's layers as torchvision does since 0.13.

    The file of v1 has "conv.2.weight" for the second convolution, the network "conv.1.0.weight".
    """
    return re.sub(
        r"^(head\.\w+\.conv)\.(\d)\.(weight|bias)$",
        lambda found: f"{found[1]}.{int(found[2]) // 2}.0.{found[3]}",
        name,
    )
