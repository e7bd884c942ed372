"""How a picture, its label map, boxes and masks get to the network's input size, together.

    stretch        to the square, whatever the picture's shape
    shorter_side   that side to the size, the other in proportion
    letterbox      the longer side to the size, the rest padded: grey, IGNORE, no mask
    center_crop    the shorter side to the size, then the square in the middle

Images are averaged by area when shrinking, else bilinear; label maps and masks take the nearest.
"""

from dataclasses import dataclass, replace
from typing import Literal, TypeAlias

import cv2
import numpy as np
from numpy.typing import NDArray

from data_pipeline.samples import (
    IGNORE,
    ClassificationSample,
    ClipSample,
    DetectionSample,
    InstanceSample,
    Sample,
    SegmentationSample,
)

Size: TypeAlias = tuple[int, int]  # height, width
Policy: TypeAlias = Literal["stretch", "shorter_side", "letterbox", "center_crop"]
Bytes: TypeAlias = NDArray[np.uint8]
GREY = 114  # of the padding, near the mean of photographs


@dataclass(frozen=True, slots=True)
class Placement:
    """Where a scaled picture lies on the canvas that becomes the network's input."""

    scaled_hw: Size
    canvas_hw: Size
    top: int  # of the picture on the canvas; negative: cut off
    left: int

    @property
    def is_whole(self) -> bool:
        """Whether nothing is cut off and nothing padded."""
        return self.scaled_hw == self.canvas_hw

    def image(self, pixels: Bytes) -> Bytes:
        """Place (h, w, 3)."""
        return self.on_canvas(scaled_image(pixels, self.scaled_hw), GREY)

    def labels(self, values: Bytes) -> Bytes:
        """Place (h, w) without mixing labels."""
        return self.on_canvas(scaled_labels(values, self.scaled_hw), IGNORE)

    def boxes(self, xyxy: NDArray[np.float32], size_hw: Size) -> NDArray[np.float32]:
        """Place (n, 4) boxes of a picture of `size_hw`; they may reach beyond the canvas."""
        down, across = self.scaled_hw[0] / size_hw[0], self.scaled_hw[1] / size_hw[1]
        moved = xyxy * np.array([across, down, across, down], dtype=np.float32)
        return moved + np.array([self.left, self.top, self.left, self.top], dtype=np.float32)

    def cut(self, xyxy: NDArray[np.float32]) -> NDArray[np.float32]:
        """Cut (n, 4) placed boxes to the canvas."""
        height, width = self.canvas_hw
        return xyxy.clip(0, np.array([width, height, width, height], dtype=np.float32))

    def on_canvas(self, scaled: Bytes, padding: int) -> Bytes:
        """Cut a scaled picture to the canvas, or pad it."""
        if self.is_whole:
            return scaled
        cut = scaled[max(0, -self.top) :, max(0, -self.left) :]
        cut = cut[: self.canvas_hw[0], : self.canvas_hw[1]]
        if cut.shape[:2] == self.canvas_hw:
            return np.ascontiguousarray(cut)
        canvas = np.full((*self.canvas_hw, *scaled.shape[2:]), padding, np.uint8)
        top, left = max(0, self.top), max(0, self.left)
        canvas[top : top + cut.shape[0], left : left + cut.shape[1]] = cut
        return canvas


def placement(policy: Policy, image_size: int, size_hw: Size) -> Placement:
    """Return where a picture of `size_hw` goes; an odd rest is padded or cut at the far side."""
    square = (image_size, image_size)
    if policy == "stretch":
        return Placement(square, square, 0, 0)
    side = max(size_hw) if policy == "letterbox" else min(size_hw)
    scaled = (
        max(1, round(size_hw[0] * image_size / side)),
        max(1, round(size_hw[1] * image_size / side)),
    )
    if policy == "shorter_side":
        return Placement(scaled, scaled, 0, 0)
    # Towards zero, so that padding and cropping leave the odd row on the same side.
    top, left = (int((image_size - length) / 2) for length in scaled)
    return Placement(scaled, square, top, left)


def resized(sample: Sample, policy: Policy, image_size: int) -> Sample:
    """Return the sample at the input size, everything in it moved together.

    An object is dropped only where all of it lies off the canvas: its mask, or its box where it
    has no mask or shrinking leaves no pixel of it. So every policy that keeps the whole picture
    keeps the same objects, some with an empty mask. Areas shrink with what is on the canvas.
    """
    match sample:
        case SegmentationSample():
            place = placement(policy, image_size, _size_hw(sample.image))
            return replace(sample, image=place.image(sample.image), mask=place.labels(sample.mask))
        case DetectionSample():
            return _resized_objects(sample, placement(policy, image_size, _size_hw(sample.image)))
        case ClassificationSample():
            place = placement(policy, image_size, _size_hw(sample.image))
            return replace(sample, image=place.image(sample.image))
        case ClipSample():
            place = placement(policy, image_size, _size_hw(sample.frames[0]))
            return replace(sample, frames=np.stack([place.image(f) for f in sample.frames]))


def scaled_image(pixels: Bytes, size_hw: Size) -> Bytes:
    """Return (h, w, 3) at a size: by area when both sides shrink, else bilinear."""
    height, width = size_hw
    shrinks = pixels.shape[0] >= height and pixels.shape[1] >= width
    method = cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR
    return cv2.resize(pixels, (width, height), interpolation=method)  # type: ignore[return-value]  # uint8 stays uint8


def scaled_labels(values: Bytes, size_hw: Size) -> Bytes:
    """Return (h, w) at a size; EXACT takes pixel centres, as the image's methods do."""
    height, width = size_hw
    return cv2.resize(values, (width, height), interpolation=cv2.INTER_NEAREST_EXACT)  # type: ignore[return-value]  # uint8 stays uint8


def _resized_objects(sample: DetectionSample, place: Placement) -> DetectionSample:
    size_hw = _size_hw(sample.image)
    scale = (place.scaled_hw[0] / size_hw[0]) * (place.scaled_hw[1] / size_hw[1])
    placed = place.boxes(sample.boxes_xyxy, size_hw)
    boxes = placed if place.is_whole else place.cut(placed)
    left = _box_shares(boxes, placed)
    if isinstance(sample, InstanceSample):
        masks, of_masks = _placed_masks(sample.masks, place)
        left = np.where(np.isnan(of_masks), left, of_masks)
        sample = replace(sample, masks=masks)
    areas = (sample.areas * scale * left).astype(np.float32)
    moved = replace(sample, image=place.image(sample.image), boxes_xyxy=boxes, areas=areas)
    return moved if place.is_whole else _only(moved, left > 0)


def _placed_masks(
    masks: NDArray[np.bool_], place: Placement
) -> tuple[NDArray[np.bool_], NDArray[np.float64]]:
    """Return masks on the canvas, and the share of each that is on it.

    A share is NaN where scaling left no pixel of a mask.
    """
    placed = np.zeros((len(masks), *place.canvas_hw), np.bool_)
    left = np.full(len(masks), np.nan)
    for number, mask in enumerate(masks):
        scaled = scaled_labels(np.ascontiguousarray(mask).view(np.uint8), place.scaled_hw)
        placed[number] = place.on_canvas(scaled, 0).view(np.bool_)
        if scaled.any():
            left[number] = placed[number].sum() / int(scaled.sum())
    return placed, left


def _only(sample: DetectionSample, kept: NDArray[np.bool_]) -> DetectionSample:
    if isinstance(sample, InstanceSample):
        sample = replace(sample, masks=sample.masks[kept])
    return replace(
        sample,
        boxes_xyxy=sample.boxes_xyxy[kept],
        labels=sample.labels[kept],
        areas=sample.areas[kept],
        is_crowd=sample.is_crowd[kept],
        is_difficult=sample.is_difficult[kept],
    )


def _box_shares(cut: NDArray[np.float32], placed: NDArray[np.float32]) -> NDArray[np.float64]:
    """Return the share of each box that is on the canvas; one without area is there or is not."""
    whole = _box_areas(placed)
    shares: NDArray[np.float64] = (cut == placed).all(axis=1).astype(np.float64)
    np.divide(_box_areas(cut), whole, out=shares, where=whole > 0)
    return shares


def _box_areas(xyxy: NDArray[np.float32]) -> NDArray[np.float64]:
    return (xyxy[:, 2] - xyxy[:, 0]).astype(np.float64) * (xyxy[:, 3] - xyxy[:, 1])


def _size_hw(pixels: Bytes) -> Size:
    return pixels.shape[0], pixels.shape[1]
