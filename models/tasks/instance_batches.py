"""What a detector with masks is trained on: a batch of images, each with its own objects."""

from collections.abc import Callable, Sequence
from dataclasses import fields, replace
from operator import itemgetter
from typing import Any, Protocol, TypeVar

import torch
from torch import Tensor

from models.detection.outputs import Target, Targets
from models.tasks.segmentation import scaled


class InstanceBatch(Protocol):
    """A frozen dataclass of tuples with an entry for each image; sizes may differ."""

    @property
    def image_ids(self) -> tuple[str, ...]:
        """Names."""

    @property
    def images(self) -> tuple[Tensor, ...]:
        """Each (3, h, w) uint8 RGB, or float32 where they were normalised."""

    @property
    def stored_hw(self) -> tuple[tuple[int, int], ...]:
        """Height and width on disk, pixels."""

    @property
    def boxes_xyxy(self) -> tuple[Tensor, ...]:
        """Each (n, 4) float32 pixels of the image."""

    @property
    def labels(self) -> tuple[Tensor, ...]:
        """Each (n,) int64 from 0."""

    @property
    def areas(self) -> tuple[Tensor, ...]:
        """Each (n,) float32 square pixels of the image."""

    @property
    def is_crowd(self) -> tuple[Tensor, ...]:
        """Each (n,) bool."""

    @property
    def is_difficult(self) -> tuple[Tensor, ...]:
        """Each (n,) bool."""

    @property
    def masks(self) -> tuple[Tensor, ...]:
        """Each (n, h, w) bool."""


AnyBatch = TypeVar("AnyBatch", bound=InstanceBatch)


def network_images(batch: InstanceBatch) -> list[Tensor]:
    """Return the images as floats, scaled as for every network of this project."""
    return [scaled(image) for image in batch.images]


def targets(batch: InstanceBatch) -> Targets:
    """Return what a network is to find in each image: neither crowds nor boxes without area."""
    found: list[Target] = []
    for index, boxes in enumerate(batch.boxes_xyxy):
        is_target = (boxes[:, 2:] > boxes[:, :2]).all(dim=1) & ~batch.is_crowd[index]
        found.append(
            {
                "boxes": boxes[is_target],
                "labels": batch.labels[index][is_target] + 1,
                "masks": batch.masks[index][is_target],
            }
        )
    return Targets(found)


def pieces(batch: AnyBatch, parts: int) -> list[AnyBatch]:
    """Cut a batch into at most `parts` of as equal size as can be."""
    size = -(-len(batch.image_ids) // parts)
    starts = range(0, len(batch.image_ids), size)
    return [_changed(batch, itemgetter(slice(start, start + size))) for start in starts]


def on_device(batch: AnyBatch, device: torch.device) -> AnyBatch:
    """Move every tensor."""

    def moved(values: Sequence[Any]) -> tuple[Any, ...]:
        return tuple(v.to(device) if isinstance(v, Tensor) else v for v in values)

    return _changed(batch, moved)


def _changed(batch: AnyBatch, change: Callable[[Any], tuple[Any, ...]]) -> AnyBatch:
    """Copy the batch with every field changed, whatever frozen dataclass it is."""
    changes = {
        field.name: change(getattr(batch, field.name))
        for field in fields(batch)  # type: ignore[arg-type]  # a Protocol cannot ask for one
    }
    return replace(batch, **changes)  # type: ignore[type-var]
