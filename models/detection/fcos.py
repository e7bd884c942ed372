"""FCOS (Tian et al. 2019, "FCOS: fully convolutional one-stage object detection").

With the improvements of Tian et al. 2020: only places near an object's centre are its own, and
how central a place is is learnt beside the boxes, by a GIoU loss.
"""

from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional
from torchvision.models.detection import (  # type: ignore[import-untyped]
    FCOS_ResNet50_FPN_Weights,
)
from torchvision.models.detection._utils import BoxLinearCoder  # type: ignore[import-untyped]
from torchvision.models.detection.anchor_utils import (  # type: ignore[import-untyped]
    AnchorGenerator,
)
from torchvision.models.detection.fcos import (  # type: ignore[import-untyped]
    FCOSClassificationHead,
    FCOSRegressionHead,
)
from torchvision.ops import generalized_box_iou_loss  # type: ignore[import-untyped]
from torchvision.ops.feature_pyramid_network import (  # type: ignore[import-untyped]
    LastLevelP6P7,
)

from models.detection.backbones import group_norm, resnet_pyramid
from models.detection.detector import Maps
from models.detection.focal_pyramid import STAGES, FocalPyramid, load_pyramid
from models.detection.matching import NONE
from models.detection.one_stage import BOXES, SCORES, Numbers
from models.detection.one_stage_settings import FCOSSettings
from models.detection.outputs import Losses, Target
from models.pretrained import LoadedWeights

CENTRES = "centres"  # kind of numbers: how central a place is
STRIDES = (8, 16, 32, 64, 128)  # of the levels, pixels; sides of the squares around their places


class FCOS(FocalPyramid):
    """Every place says how far the borders of its object are; there are no anchors.

    What it starts from are squares of the level's stride around each place.

    Args:
        backbone: Images (b, 3, h, w) to named maps, from the largest on.
        head: torchvision's heads.
        settings: Of the study.
        classes: Number of them.
    """

    def __init__(
        self, backbone: nn.Module, head: nn.ModuleDict, settings: FCOSSettings, *, classes: int
    ) -> None:
        super().__init__(
            backbone,
            head,
            generator=AnchorGenerator(
                tuple((stride,) for stride in STRIDES), ((1.0,),) * len(STRIDES)
            ),
            columns={SCORES: classes, BOXES: 4, CENTRES: 1},
            settings=settings,
        )
        self.reaches = settings.level_reaches
        self.radius = settings.centre_radius
        self.coder = BoxLinearCoder(normalize_by_size=True)

    def maps(self, images: Tensor) -> Maps:
        """Return scores, boxes and centredness of each level."""
        classes: Any = self.head["classification_head"]
        boxes: Any = self.head["regression_head"]
        maps: Maps = {}
        for level, each in enumerate(self.backbone(images).values()):
            maps[f"{SCORES}.{level}"] = classes.cls_logits(classes.conv(each))
            found = boxes.conv(each)
            maps[f"{BOXES}.{level}"] = functional.relu(boxes.bbox_reg(found))
            maps[f"{CENTRES}.{level}"] = boxes.bbox_ctrness(found)
        return maps

    def scores(self, numbers: Numbers) -> Tensor:
        """Return the geometric mean of a class's probability and of how central a place is."""
        return (numbers[SCORES].sigmoid() * numbers[CENTRES].sigmoid()).sqrt()

    def boxes(self, numbers: Numbers, anchors: Tensor) -> Tensor:
        """Return what lies between the borders."""
        boxes: Tensor = self.coder.decode(numbers[BOXES], anchors)
        return boxes

    def image_losses(self, numbers: Numbers, anchors: Tensor, target: Target) -> Losses:
        """Return the losses of scores, boxes and centredness, by the number of objects' places."""
        matched = objects_of_places(
            target["boxes"], anchors, reaches=self.reaches, radius=self.radius
        )
        has_object = matched != NONE
        objects = matched[has_object]
        boxes, places = target["boxes"][objects], anchors[has_object]
        found = self.coder.decode(numbers[BOXES][has_object], places)
        losses = {
            "classification": self.focal_loss(
                numbers[SCORES], has_object, target["labels"][objects]
            ),
            "bbox_regression": generalized_box_iou_loss(found, boxes, reduction="sum"),
            "bbox_ctrness": functional.binary_cross_entropy_with_logits(
                numbers[CENTRES][has_object, 0],
                centredness(self.coder.encode(places, boxes)),
                reduction="sum",
            ),
        }
        return {name: loss / max(1, len(objects)) for name, loss in losses.items()}


def objects_of_places(
    objects: Tensor, squares: Tensor, *, reaches: tuple[float, ...], radius: float
) -> Tensor:
    """Return which object each place has: of those that it may have, the smallest.

    Args:
        objects: (n, 4) xyxy, pixels.
        squares: (places, 4) xyxy, around each place; their side is the stride of its level.
        reaches: Farthest border of an object of each level but the last, pixels.
        radius: Farthest place of an object from its centre, strides.

    Returns:
        (places,) int64: index of an object, or NONE.
    """
    if not len(objects):
        return squares.new_full((len(squares),), NONE, dtype=torch.int64)
    places = (squares[:, :2] + squares[:, 2:]) / 2
    strides = squares[:, 2] - squares[:, 0]
    borders = torch.cat(
        (places[:, None] - objects[:, :2], objects[:, 2:] - places[:, None]), dim=2
    )  # (places, n, 4): left, top, right, bottom
    offsets = (places[:, None] - (objects[:, :2] + objects[:, 2:]) / 2).abs().amax(dim=2)
    farthest = borders.amax(dim=2)
    least, most = _reach_of_levels(strides, reaches)
    may_have = (
        (borders.amin(dim=2) > 0)
        & (offsets < radius * strides[:, None])
        & (farthest >= least[:, None])
        & (farthest <= most[:, None])
    )
    areas = (objects[:, 2:] - objects[:, :2]).prod(dim=1)
    smallest, matched = torch.where(may_have, areas, torch.inf).min(dim=1)
    return torch.where(smallest < torch.inf, matched, NONE)


def centredness(borders: Tensor) -> Tensor:
    """Return 1 in the middle of an object and 0 at its borders; Tian et al. 2019, eq. 3.

    Args:
        borders: (n, 4) how far left, top, right and bottom are, above 0.
    """
    across, down = borders[:, 0::2], borders[:, 1::2]
    shares = across.amin(dim=1) / across.amax(dim=1) * down.amin(dim=1) / down.amax(dim=1)
    return shares.sqrt()


def _reach_of_levels(strides: Tensor, reaches: tuple[float, ...]) -> tuple[Tensor, Tensor]:
    """Return the least and the greatest farthest border of what each place may have."""
    levels = torch.searchsorted(strides.new_tensor(STRIDES), strides)
    bounds = strides.new_tensor((0.0, *reaches, torch.inf))
    return bounds[levels], bounds[levels + 1]


def build_fcos(settings: FCOSSettings, out_channels: int) -> FCOS:
    """Build the network with random weights.

    Args:
        settings: Of the study.
        out_channels: Classes and a background, which the network has no outputs for.
    """
    channels, layers, classes = settings.pyramid_channels, settings.head_layers, out_channels - 1
    backbone = resnet_pyramid(settings, stages=STAGES, extra=LastLevelP6P7(channels, channels))
    head = nn.ModuleDict(
        {
            "classification_head": FCOSClassificationHead(
                channels,
                1,  # square of a place
                classes,
                layers,
                prior_probability=settings.prior,
                norm_layer=group_norm,
            ),
            "regression_head": FCOSRegressionHead(channels, 1, layers, norm_layer=group_norm),
        }
    )
    return FCOS(backbone, head, settings, classes=classes)


def load_fcos(network: FCOS, settings: FCOSSettings) -> tuple[LoadedWeights, ...]:
    """Give the network the pretrained weights that the settings name.

    Raises:
        PretrainedWeightsError: they cannot be had.
        OSError: the disk is full.
    """
    url = FCOS_ResNet50_FPN_Weights.COCO_V1.url
    return load_pyramid(network, settings, url, str)
