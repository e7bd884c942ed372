"""What looks at regions: their sampling, their classes and boxes, and the losses of both."""

from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional
from torchvision.models.detection.faster_rcnn import (  # type: ignore[import-untyped]
    TwoMLPHead,
)
from torchvision.models.detection.roi_heads import RoIHeads  # type: ignore[import-untyped]
from torchvision.ops import box_iou  # type: ignore[import-untyped]

from models.detection.outputs import Losses, Measures
from models.detection.region_pooling import RegionPooling
from models.detection.region_settings import RegionSettings

SIDE = 7  # bins per axis of a region that is classified
BETA = 1 / 9  # where the loss of a box turns from a square to a line, as torchvision has it


class Sampled(NamedTuple):
    """Regions that a loss is taken of; an entry for each image."""

    boxes: list[Tensor]  # (n, 4) xyxy pixels
    matched: list[Tensor]  # (n,) index of the true box; anything for background
    labels: list[Tensor]  # (n,) 0 is the background
    deltas: list[Tensor]  # (n, 4) target of the box regression; anything for background


class RegionHeads(RoIHeads):  # type: ignore[misc]  # torchvision has no types
    """torchvision's, which may be made to sample hard negatives alone.

    Args:
        settings: Of sampling and detections.
        pooling: Of the regions that are classified.
        head: Pooled regions (n, c, 7, 7) to (n, width).
        predictor: (n, width) to logits (n, classes) and deltas (n, 4 * classes), with those of
            the background.
    """

    def __init__(
        self,
        settings: RegionSettings,
        *,
        pooling: RegionPooling,
        head: nn.Module,
        predictor: nn.Module,
    ) -> None:
        super().__init__(
            pooling,
            head,
            predictor,
            settings.foreground_iou,
            settings.background_iou,
            settings.sampled_regions,
            settings.foreground_share,
            settings.box_weights,
            settings.score_threshold,
            settings.nms,
            settings.detections,
        )
        self.least_background_iou = settings.least_background_iou

    def assign_targets_to_proposals(
        self, proposals: list[Tensor], gt_boxes: list[Tensor], gt_labels: list[Tensor]
    ) -> tuple[list[Tensor], list[Tensor]]:
        """Return index of the true box, and label, of each region; label -1 is not sampled."""
        matched, labels = super().assign_targets_to_proposals(proposals, gt_boxes, gt_labels)
        if self.least_background_iou > 0:
            for boxes, true, label in zip(proposals, gt_boxes, labels, strict=True):
                if len(true):  # else every region is as easy as any other
                    best = box_iou(true, boxes).amax(dim=0)
                    label[(label == 0) & (best < self.least_background_iou)] = -1
        return matched, labels


class DroppingHead(TwoMLPHead):  # type: ignore[misc]  # torchvision has no types
    """Two fully connected layers, each followed by dropout, as VGG-16 has them.

    Args:
        inputs: Values of a pooled region.
        width: Units of each layer.
        dropout: Probability to drop an activation.
    """

    def __init__(self, inputs: int, width: int, dropout: float) -> None:
        super().__init__(inputs, width)
        self.dropout = nn.Dropout(dropout)

    def forward(self, x: Tensor) -> Tensor:
        """Return (n, width) of (n, c, side, side)."""
        first = self.dropout(functional.relu(self.fc6(x.flatten(1))))
        second: Tensor = self.dropout(functional.relu(self.fc7(first)))
        return second


class ObjectBoxPredictor(nn.Module):
    """Scores of classes and background, boxes of classes alone: the original's last layers.

    Args:
        inputs: Units of the layer before.
        classes: With the background.
    """

    def __init__(self, inputs: int, classes: int) -> None:
        super().__init__()
        self.cls_score = nn.Linear(inputs, classes)
        self.bbox_pred = nn.Linear(inputs, 4 * (classes - 1))

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Return logits (n, classes) and deltas (n, 4 * classes), the background's zero."""
        return self.cls_score(x), functional.pad(self.bbox_pred(x), (4, 0))


def region_losses(logits: Tensor, deltas: Tensor, sampled: Sampled) -> tuple[Losses, Measures]:
    """Compare what was predicted for sampled regions with the truth (Girshick 2015, eq. 1).

    The losses are torchvision's of each image, averaged over the images. Measures:
    `region_accuracy`, the share of sampled regions whose likeliest class is right, and
    `box_mse`, the squared error of the deltas of regions that hold an object, averaged over
    their four numbers. Deltas are in the network's units: shifts in sides of the region and
    logarithms of factors, times `box_weights`.

    Args:
        logits: (n, classes) of the regions of all images, in order.
        deltas: (n, 4 * classes).
        sampled: The same regions.
    """
    counts = [len(each) for each in sampled.labels]
    own = [
        _of_label(each, labels)
        for each, labels in zip(torch.split(deltas, counts), sampled.labels, strict=True)
    ]
    wanted = [
        each[labels > 0] for each, labels in zip(sampled.deltas, sampled.labels, strict=True)
    ]
    classes = [
        functional.cross_entropy(each, labels, reduction="sum") / max(1, len(labels))
        for each, labels in zip(torch.split(logits, counts), sampled.labels, strict=True)
    ]
    boxes = [
        functional.smooth_l1_loss(one, other, beta=BETA, reduction="sum") / max(1, count)
        for one, other, count in zip(own, wanted, counts, strict=True)
    ]
    losses = {
        "loss_classifier": torch.stack(classes).mean(),
        "loss_box_reg": torch.stack(boxes).mean(),
    }
    with torch.no_grad():
        hits = logits.argmax(dim=1) == torch.cat(sampled.labels)
        errors = (torch.cat(own) - torch.cat(wanted)).square().mean(dim=1)
    return losses, {"region_accuracy": _summed(hits.float()), "box_mse": _summed(errors)}


def _summed(values: Tensor) -> Tensor:
    """Return (2,): the sum of (n,) values and n."""
    return torch.stack([values.sum(), torch.ones_like(values).sum()])


def _of_label(deltas: Tensor, labels: Tensor) -> Tensor:
    """Return (m, 4): of each region that holds an object, the deltas of its class."""
    objects = torch.where(labels > 0)[0]
    by_class: Tensor = deltas.reshape(len(labels), deltas.shape[1] // 4, 4)
    return by_class[objects, labels[objects]]
