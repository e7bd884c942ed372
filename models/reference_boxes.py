"""The reference of detectors: of each class the same boxes in every image, with the same scores.

Its boxes are where the class's objects lie most often: the centres of the training boxes when
these are put into K groups by their IoU. A box's score is the share of the training images in
which it overlaps an object of the class by at least half. So it knows what is usual, and nothing
of the picture; a detector that does not beat it has learnt no more.

Boxes are shares of the image's width and height, for images may differ in size.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torchvision.ops import box_iou  # type: ignore[import-untyped]

from models.detection.outputs import Detection, Learned, Losses, Scored, Target, Targets
from models.metrics.box_groups import FloatArray, box_groups, pairwise_iou
from models.reference_settings import ConstantBoxesSettings
from models.tasks.object_batches import ObjectBatch, targets

FIRST_LABEL = 1  # of a class in networks
IOU = 0.5  # from which a box finds an object


@dataclass(frozen=True, slots=True)
class TrainingBoxes:
    """The boxes of a class in the training images."""

    boxes: FloatArray  # (n, 4) xyxy, shares of the image
    image: NDArray[np.int64]  # (n,) number of the image


class ConstantBoxes(nn.Module):
    """Finds the same objects in every image; `settle` says which.

    Args:
        classes: How many there are, without a background.
        count: Boxes of each class.
    """

    boxes: Tensor
    scores: Tensor

    def __init__(self, classes: int, count: int) -> None:
        super().__init__()
        self.register_buffer("boxes", torch.zeros(classes, count, 4))  # shares of the image
        self.register_buffer("scores", torch.zeros(classes, count))  # 0: there is no such box

    def forward(
        self, images: Sequence[Tensor], targets: Targets | None = None
    ) -> Learned | list[Detection] | Scored:
        """Return what is usual; the loss of an image is 1 - IoU of each object with the nearest.

        Args:
            images: (3, h, w) each; only their sizes matter.
            targets: Of these images; needed in training mode.
        """
        found = [self._detection(image) for image in images]
        if targets is None:
            return found
        pairs = zip(images, targets.of_images, strict=True)
        losses: Losses = {"loss_cover": torch.stack([self._loss(*pair) for pair in pairs])}
        if self.training:
            return Learned({name: values.mean() for name, values in losses.items()}, {})
        return Scored(found, losses, {})

    def settle(self, label: int, boxes: FloatArray, scores: FloatArray) -> None:
        """Take over a class's boxes, (k, 4), and scores, (k,), at most as many as there may be."""
        self.boxes[label, : len(boxes)] = torch.from_numpy(boxes).to(self.boxes)
        self.scores[label, : len(scores)] = torch.from_numpy(scores).to(self.scores)

    def _detection(self, image: Tensor) -> Detection:
        labels, places = torch.nonzero(self.scores, as_tuple=True)
        scores = self.scores[labels, places]
        order = scores.argsort(descending=True, stable=True)
        boxes = self.boxes[labels, places] * _size(image)
        return {
            "boxes": boxes[order],
            "labels": labels[order] + FIRST_LABEL,
            "scores": scores[order],
        }

    def _loss(self, image: Tensor, target: Target) -> Tensor:
        """Return the mean over an image's objects, 0 without any."""
        if not len(target["boxes"]):
            return target["boxes"].new_zeros(())
        labels = target["labels"] - FIRST_LABEL
        overlaps = box_iou(target["boxes"] / _size(image), self.boxes.flatten(0, 1))
        of_class = overlaps.view(len(labels), *self.scores.shape)[
            torch.arange(len(labels)), labels
        ]
        usable = of_class * (self.scores[labels] > 0)
        nearest: Tensor = usable.max(dim=1).values
        return 1 - nearest.mean()


def build_constant_boxes(settings: ConstantBoxesSettings, channels: int) -> ConstantBoxes:
    """Build a network that finds nothing until it is settled; channel 0 is the background."""
    return ConstantBoxes(channels - FIRST_LABEL, settings.boxes)


def fit_boxes(network: ConstantBoxes, batches: Iterable[ObjectBatch]) -> None:
    """Settle a network on the boxes of the training images.

    Args:
        network: To settle.
        batches: Of the whole training split, once.
    """
    classes, count = network.scores.shape
    rows: list[list[NDArray[np.float64]]] = [[] for _ in range(classes)]
    images = 0
    for batch in batches:
        for image, target in zip(batch.images, targets(batch).of_images, strict=True):
            shares = (target["boxes"].double() / _size(image).double()).numpy()
            for box, label in zip(shares, target["labels"].tolist(), strict=True):
                rows[label - FIRST_LABEL].append(np.append(box, images))
            images += 1
    for label, listed in enumerate(rows):
        if listed:
            table = np.stack(listed)
            training = TrainingBoxes(table[:, :4], table[:, 4].astype(np.int64))
            boxes = box_groups(training.boxes, count)
            network.settle(label, boxes, hit_rates(boxes, training, images))


def hit_rates(boxes: FloatArray, training: TrainingBoxes, images: int) -> FloatArray:
    """Return the share of images, (k,), in which each box finds an object of its class."""
    is_hit = pairwise_iou(boxes, training.boxes) >= IOU
    hits = [len(np.unique(training.image[row])) for row in is_hit]
    return np.array(hits, np.float64) / images


def _size(image: Tensor) -> Tensor:
    """Return width, height, width and height."""
    height, width = image.shape[-2:]
    return torch.tensor([width, height, width, height], dtype=torch.float32, device=image.device)
