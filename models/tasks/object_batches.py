"""What a detector is trained on: a batch of images, each with its own objects."""

from collections.abc import Callable, Sequence
from dataclasses import fields, replace
from operator import itemgetter
from typing import Any, Protocol, TypeVar

import torch
from torch import Tensor

from models.detection.outputs import Target, Targets
from models.tasks.segmentation import scaled


class ObjectBatch(Protocol):
    """A frozen dataclass of tuples with an entry for each image; sizes may differ.

    Where the task has masks there is a field `masks` too, each (n, h, w) bool.
    """

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


AnyBatch = TypeVar("AnyBatch", bound=ObjectBatch)


def network_images(batch: ObjectBatch) -> list[Tensor]:
    """Return the images as floats, scaled as for every network of this project."""
    return [scaled(image) for image in batch.images]


def true_masks(batch: ObjectBatch) -> tuple[Tensor, ...] | None:
    """Return the masks of each image's objects, (n, h, w) bool; None where the task has none."""
    masks: tuple[Tensor, ...] | None = getattr(batch, "masks", None)
    return masks


def targets(batch: ObjectBatch) -> Targets:
    """Return what a network is to find in each image.

    That is neither crowds nor what has no area: a box without inside, a mask without a pixel.
    """
    found: list[Target] = []
    masks = true_masks(batch)
    for index, boxes in enumerate(batch.boxes_xyxy):
        is_target = (boxes[:, 2:] > boxes[:, :2]).all(dim=1) & ~batch.is_crowd[index]
        if masks is not None:
            is_target &= masks[index].any(dim=-1).any(dim=-1)
        target: Target = {
            "boxes": boxes[is_target],
            "labels": batch.labels[index][is_target] + 1,
        }
        if masks is not None:
            target["masks"] = masks[index][is_target]
        found.append(target)
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
