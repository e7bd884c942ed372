"""The objects of a picture after a change: boxes, areas and masks, and which are still in it."""

from dataclasses import dataclass

import torch
from torch import Tensor
from torchvision import tv_tensors  # type: ignore[import-untyped]

from data_pipeline.transforms.changes import Change, Size
from data_pipeline.transforms.warps import mask_boxes, warped_boxes

LEAST_VISIBLE = 0.1  # share of an object that must stay in the picture
LEAST_SIDE = 1.0  # pixels of what stays


@dataclass(frozen=True, slots=True)
class Objects:
    """The annotated objects of one picture, a row each."""

    boxes_xyxy: Tensor  # (n, 4) float32 pixels
    labels: Tensor  # (n,) int64
    areas: Tensor  # (n,) float32 square pixels
    is_crowd: Tensor  # (n,) bool
    is_difficult: Tensor  # (n,) bool
    masks: Tensor | None = None  # (n, h, w) bool


def moved_objects(objects: Objects, change: Change, size_hw: Size) -> Objects:
    """Return the objects after a change of their picture.

    An object of which less than a tenth is still in the picture, or less than a pixel, is
    dropped. An object with a mask gets the box of its mask wherever parts may have left.

    Args:
        objects: Before.
        change: Of the picture.
        size_hw: Of the picture before the change, pixels.
    """
    if change.reach == "colours":
        return objects
    masks = _moved_masks(objects.masks, change)
    if change.reach == "whole":
        boxes = _moved_boxes(objects.boxes_xyxy, change, size_hw)
        return Objects(
            boxes, objects.labels, objects.areas, objects.is_crowd, objects.is_difficult, masks
        )
    if not len(objects.labels):
        return objects
    boxes, grown = _visible_boxes(objects, masks, change, size_hw)
    sides = boxes[:, 2:] - boxes[:, :2]
    kept = (grown >= LEAST_VISIBLE * change.enlarges) & (sides >= LEAST_SIDE).all(dim=1)
    return Objects(
        boxes[kept],
        objects.labels[kept],
        (objects.areas * grown)[kept],
        objects.is_crowd[kept],
        objects.is_difficult[kept],
        None if masks is None else masks[kept],
    )


def _visible_boxes(
    objects: Objects, masks: Tensor | None, change: Change, size_hw: Size
) -> tuple[Tensor, Tensor]:
    """Return the boxes of what is still in the picture, and by what factor its area has grown."""
    before = objects.boxes_xyxy
    if masks is not None and objects.masks is not None:
        boxes, pixels = mask_boxes(masks)
        return boxes, pixels / objects.masks.sum(dim=(1, 2)).clamp(min=1)
    if change.warp is not None:
        boxes, pixels = warped_boxes(before, change.warp)
        return boxes, pixels / _areas(before)
    moved = _moved_boxes(before, change, size_hw)
    height, width = size_hw
    corner = moved.new_tensor([width, height, width, height])
    clipped = torch.minimum(moved.clamp(min=0), corner)
    return clipped, change.enlarges * _areas(clipped) / _areas(moved)


def _areas(boxes_xyxy: Tensor) -> Tensor:
    """Return (n,) square pixels, a little above 0 for an empty box."""
    sides = (boxes_xyxy[:, 2:] - boxes_xyxy[:, :2]).clamp(min=0)
    return sides.prod(dim=1).clamp(min=torch.finfo(sides.dtype).tiny)


def _moved_boxes(boxes_xyxy: Tensor, change: Change, size_hw: Size) -> Tensor:
    """Move boxes; they may reach out of the picture afterwards."""
    boxes = tv_tensors.BoundingBoxes(
        boxes_xyxy, format="XYXY", canvas_size=size_hw, clamping_mode=None
    )
    return change.moved(boxes, 0)


def _moved_masks(masks: Tensor | None, change: Change) -> Tensor | None:
    if masks is None:
        return None
    # As bytes: torchvision fills what comes from outside in numbers.
    return change.moved(tv_tensors.Mask(masks.to(torch.uint8)), 0).bool()
