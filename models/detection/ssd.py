"""SSD (Liu et al. 2016, "SSD: single shot multibox detector"), with torchvision's heads."""

import math
from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional
from torchvision.models.detection._utils import (  # type: ignore[import-untyped]
    BoxCoder,
    SSDMatcher,
)
from torchvision.models.detection.image_list import ImageList  # type: ignore[import-untyped]
from torchvision.models.detection.ssd import SSDHead  # type: ignore[import-untyped]

from models.class_rows import ClassRows
from models.detection.default_boxes import DefaultBoxes
from models.detection.detector import Maps
from models.detection.one_stage import BOXES, SCORES, AnchoredDetector, Numbers, objects_of
from models.detection.outputs import Losses, Target
from models.detection.ssd_maps import SSDMaps
from models.detection.ssd_settings import (
    HALVING,
    VGG_MAPS,
    MultiBoxSettings,
    SSDSettings,
    Window,
)
from models.detection.suppression import Candidates, best_of_each_class

SCALED = (10.0, 10.0, 5.0, 5.0)  # factors of box targets; the authors' "variances" 0.1 and 0.2
CLASSES = "head.classification_head.module_list"


class SSD(AnchoredDetector):
    """Scores and offsets for the default boxes of maps of several sizes.

    Args:
        backbone: Square images (b, 3, h, h) to maps, from the largest on.
        head: torchvision's, of scores and boxes.
        default_boxes: Of every place.
        settings: Of the study.
        channels: Classes, of which channel 0 is the background.
    """

    stride = 1  # the maps' sides are rounded, not the image's

    def __init__(
        self,
        backbone: nn.Module,
        head: nn.Module,
        *,
        default_boxes: DefaultBoxes,
        settings: MultiBoxSettings,
        channels: int,
    ) -> None:
        super().__init__({SCORES: channels, BOXES: 4}, settings)
        self.backbone = backbone
        self.head = head
        self.default_boxes = default_boxes
        self.matcher = SSDMatcher(settings.foreground_iou)
        self.negatives_per_object = settings.negatives_per_object
        self.coder = BoxCoder(SCALED)

    @property
    def class_rows(self) -> tuple[ClassRows, ...]:
        """Return where scores of classes are computed."""
        layers = self.head.get_submodule("classification_head.module_list").children()
        return tuple(
            ClassRows(f"{CLASSES}.{level}{_last(layer)}", repeats=repeats, has_background=True)
            for level, (layer, repeats) in enumerate(
                zip(layers, self.default_boxes.of_a_place, strict=True)
            )
        )

    def maps(self, images: Tensor) -> Maps:
        """Return scores and boxes of each map."""
        classes, boxes = (
            self.head.get_submodule(f"{kind}_head.module_list")
            for kind in ("classification", "regression")
        )
        found: list[Tensor] = list(self.backbone(images).values())
        return {
            f"{kind}.{level}": layer(each)
            for kind, layers in ((SCORES, classes), (BOXES, boxes))
            for level, (layer, each) in enumerate(zip(layers.children(), found, strict=True))
        }

    def anchors(self, batch: ImageList, maps: Sequence[Tensor]) -> Tensor:
        """Return the default boxes (n, 4)."""
        return self.default_boxes(batch, maps)

    def scores(self, numbers: Numbers) -> Tensor:
        """Return a softmax over the classes and the background, without the latter."""
        return numbers[SCORES].softmax(dim=1)[:, 1:]

    def boxes(self, numbers: Numbers, anchors: Tensor) -> Tensor:
        """Return default boxes, moved and scaled."""
        boxes: Tensor = self.coder.decode_single(numbers[BOXES], anchors)
        return boxes

    def candidates(self, levels: Sequence[Numbers], anchors: Sequence[Tensor]) -> Candidates:
        """Return the best boxes of each class of an image."""
        numbers = {kind: torch.cat([each[kind] for each in levels]) for kind in self.columns}
        return best_of_each_class(
            self.boxes(numbers, torch.cat(list(anchors))),
            self.scores(numbers),
            count=self.limits.candidates,
            above=self.limits.score_threshold,
        )

    def image_losses(self, numbers: Numbers, anchors: Tensor, target: Target) -> Losses:
        """Return the losses of scores and boxes, by the number of boxes with objects; eq. 1."""
        matched = objects_of(self.matcher, target["boxes"], anchors)
        has_object = matched >= 0
        objects = matched[has_object]
        labels = torch.zeros_like(matched)
        labels[has_object] = target["labels"][objects]
        of_scores = functional.cross_entropy(numbers[SCORES], labels, reduction="none")
        of_boxes = functional.smooth_l1_loss(
            numbers[BOXES][has_object],
            self.coder.encode_single(target["boxes"][objects], anchors[has_object]),
            reduction="sum",
        )
        hardest = hard_negatives(
            of_scores[~has_object], objects=len(objects), ratio=self.negatives_per_object
        )
        count = max(1, len(objects))
        return {
            "classification": (of_scores[has_object].sum() + hardest.sum()) / count,
            "bbox_regression": of_boxes / count,
        }


def hard_negatives(losses: Tensor, *, objects: int, ratio: float | None) -> Tensor:
    """Return the greatest losses of boxes without an object; section 2.2.

    Args:
        losses: (n,) of all of them.
        objects: Boxes that have one.
        ratio: How many are wanted for each of those; None: all.
    """
    if ratio is None:
        return losses
    return losses.topk(min(len(losses), math.ceil(ratio * objects))).values


def build_ssd(settings: SSDSettings, out_channels: int) -> SSD:
    """Build SSD300 or SSD512 with random weights; channel 0 is the background."""
    windows = settings.windows[: len(settings.ratios) - VGG_MAPS]
    backbone = SSDMaps(settings.base_channels, windows, settings.trained_stages)
    boxes = DefaultBoxes(settings.ratios, settings.box_scales, _strides(windows))
    head = SSDHead(backbone.out_channels, boxes.of_a_place, out_channels)
    return SSD(backbone, head, default_boxes=boxes, settings=settings, channels=out_channels)


def _last(layers: nn.Module) -> str:
    """Return what names the last of several layers: that of SSDlite has another one before it."""
    return f".{len(layers) - 1}" if isinstance(layers, nn.Sequential) else ""


def _strides(windows: Sequence[Window]) -> tuple[int | None, ...]:
    """Return the stride of each map; None of those whose layers do more than halve.

    Places of these are spread evenly over the image, as by the paper's formula. The others are
    where the layers look, as in the authors' code: 38 places 8 pixels apart, in 300 pixels.
    """
    strides: list[int | None] = [8, 16]
    for window in windows:
        before = strides[-1]
        strides.append(2 * before if before and window == HALVING else None)
    return tuple(strides)
