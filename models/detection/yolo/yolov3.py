"""YOLOv3 (Redmon & Farhadi 2018, "YOLOv3: an incremental improvement") and its tiny form.

The loss is that of Darknet's `yolo` layer as read in its source, summed over places:

    box          at the places of objects, weighted by 2 - w h with the sides as shares of the
                 image's: towards the object with the gradient "truth minus prediction" (section
                 2.1). For t_w and t_h that is half the squared error's; for t_x and t_y, behind a
                 sigmoid, the cross-entropy's, here without what even a perfect box would have
    objectness   binary cross-entropy, 1 at the places of objects, 0 at all others, but nothing
                 where a box overlaps some object by more than the threshold
    classes      binary cross-entropy of each class by itself; a place that two objects share has
                 the classes of both, and the box of the later one
"""

import torch
from torch import Tensor
from torch.nn import functional

from models.detection.darknet.cfg import Section
from models.detection.outputs import Losses, Target
from models.detection.yolo import architectures
from models.detection.yolo.anchored import BOX_NUMBERS, AnchoredYOLO
from models.detection.yolo.places import Places, PriorMap, best_overlap, last_of_each
from models.detection.yolo.settings import (
    YOLOV3_MAPS,
    YOLOV3_TINY_MAPS,
    YOLOv3Settings,
    YOLOv3TinySettings,
)

STRIDES = (32, 16, 8)  # of the maps, as they leave the network


class YOLOv3(AnchoredYOLO):
    """A network with heads on two or three maps.

    Args:
        sections: Its layers.
        settings: Of the study.
        maps: Number of its maps.
    """

    def __init__(
        self,
        sections: list[Section],
        settings: YOLOv3Settings | YOLOv3TinySettings,
        *,
        maps: int,
    ) -> None:
        share = len(settings.priors) // maps
        priors = [settings.priors[first * share :][:share] for first in reversed(range(maps))]
        super().__init__(
            sections,
            maps=[PriorMap(*each) for each in zip(STRIDES[:maps], priors, strict=True)],
            limits=settings,
        )
        self.ignore_iou = settings.ignore_iou

    def class_probabilities(self, numbers: Tensor) -> Tensor:
        """Return a sigmoid of each class."""
        return numbers.sigmoid()

    def image_losses(self, numbers: Tensor, places: Places, target: Target) -> Losses:
        """Return losses of box, objectness and classes."""
        objects = target["boxes"]
        own = places.assigned(objects)
        classes = numbers.shape[1] - BOX_NUMBERS
        together = (own[:, None] == own).float() @ _one_hot(target["labels"], classes)
        kept = last_of_each(own)
        found = numbers[own[kept]]
        binary = functional.binary_cross_entropy_with_logits
        return {
            "loss_box_reg": _box_loss(found[:, :4], places, objects[kept], own[kept]),
            "loss_objectness": self._objectness_loss(numbers, places, objects, own),
            "loss_classifier": binary(
                found[:, BOX_NUMBERS:], together[kept].clamp(max=1), reduction="sum"
            ),
        }

    def _objectness_loss(
        self, numbers: Tensor, places: Places, objects: Tensor, own: Tensor
    ) -> Tensor:
        with torch.no_grad():
            boxes = places.decoded(numbers[:, :4])
            is_counted = best_overlap(boxes, objects) <= self.ignore_iou
            is_counted[own] = True
            has_object = torch.zeros_like(is_counted)
            has_object[own] = True
        return functional.binary_cross_entropy_with_logits(
            numbers[:, 4], has_object.float(), is_counted.float(), reduction="sum"
        )


def build_yolov3(settings: YOLOv3Settings, out_channels: int) -> YOLOv3:
    """Build the network with random weights.

    Args:
        settings: Of the study.
        out_channels: Classes and a background, for which the network has no outputs.
    """
    outputs = len(settings.priors) // YOLOV3_MAPS * (BOX_NUMBERS + out_channels - 1)
    return YOLOv3(architectures.yolov3(settings.width, outputs), settings, maps=YOLOV3_MAPS)


def build_yolov3_tiny(settings: YOLOv3TinySettings, out_channels: int) -> YOLOv3:
    """Build the small network with random weights.

    Args:
        settings: Of the study.
        out_channels: Classes and a background, for which the network has no outputs.
    """
    outputs = len(settings.priors) // YOLOV3_TINY_MAPS * (BOX_NUMBERS + out_channels - 1)
    sections = architectures.yolov3_tiny(settings.width, outputs)
    return YOLOv3(sections, settings, maps=YOLOV3_TINY_MAPS)


def _box_loss(found: Tensor, places: Places, objects: Tensor, own: Tensor) -> Tensor:
    height, width = (cells * places.maps[0].stride for cells in places.sizes_hw[0])
    sides = objects[:, 2:] - objects[:, :2]
    weights = 2 - sides.prod(dim=1) / (height * width)
    expected = places.encoded(objects, own)
    centres = expected[:, :2]
    least = torch.special.entr(centres) + torch.special.entr(1 - centres)
    cross = functional.binary_cross_entropy_with_logits(found[:, :2], centres, reduction="none")
    sizes = (found[:, 2:] - expected[:, 2:]).square() / 2
    weighted: Tensor = weights[:, None] * (cross - least + sizes)
    return weighted.sum()


def _one_hot(labels: Tensor, classes: int) -> Tensor:
    one_hot: Tensor = functional.one_hot(labels - 1, classes)
    return one_hot.float()
