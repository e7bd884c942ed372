"""Geometry of samples: resizing, flips and quarter turns of pictures, label maps and boxes.

A geometry says what it does to an image, a label map and boxes; `applied` knows the samples. So
a new geometry is one class, and a new kind of sample one case. What is random is drawn from a
generator that the caller seeds.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import Protocol, TypeVar

import cv2
import numpy as np
from numpy.typing import NDArray

from data_pipeline.samples import (
    ClassificationSample,
    ClipSample,
    DetectionSample,
    Sample,
    SegmentationSample,
)
from data_pipeline.settings import Augmentation

Size = tuple[int, int]  # height, width
Number = TypeVar("Number", bound=np.generic)


class Geometry(Protocol):
    """A change of where things are in a picture."""

    def image(self, pixels: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """Move an image's (h, w, 3) pixels."""

    def mask(self, labels: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """Move a (h, w) label map without mixing labels."""

    def boxes(self, xyxy: NDArray[np.float32], size_hw: Size) -> NDArray[np.float32]:
        """Move (n, 4) boxes of a picture that is `size_hw` before the change."""


@dataclass(frozen=True, slots=True)
class Resize:
    """Stretch to a size; images by area when shrinking, else bilinear; labels by the nearest."""

    size_hw: Size

    def image(self, pixels: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """Return (h, w, 3) at the size."""
        height, width = self.size_hw
        shrinks = pixels.shape[0] >= height and pixels.shape[1] >= width
        method = cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR
        return cv2.resize(pixels, (width, height), interpolation=method)  # type: ignore[return-value]  # uint8 stays uint8

    def mask(self, labels: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """Return (h, w) at the size; EXACT takes pixel centres, as the image's methods do."""
        height, width = self.size_hw
        return cv2.resize(labels, (width, height), interpolation=cv2.INTER_NEAREST_EXACT)  # type: ignore[return-value]  # uint8 stays uint8

    def boxes(self, xyxy: NDArray[np.float32], size_hw: Size) -> NDArray[np.float32]:
        """Return boxes in pixels of the size."""
        down, across = self.size_hw[0] / size_hw[0], self.size_hw[1] / size_hw[1]
        return xyxy * np.array([across, down, across, down], dtype=np.float32)


@dataclass(frozen=True, slots=True)
class Flip:
    """Mirror: left and right are exchanged, or top and bottom."""

    axis: int  # 0 vertical, 1 horizontal

    def image(self, pixels: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """Return the mirrored (h, w, 3)."""
        return np.flip(pixels, self.axis)

    def mask(self, labels: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """Return the mirrored (h, w)."""
        return np.flip(labels, self.axis)

    def boxes(self, xyxy: NDArray[np.float32], size_hw: Size) -> NDArray[np.float32]:
        """Return mirrored boxes; their ends change places so that x1 <= x2, y1 <= y2."""
        low, high = (0, 2) if self.axis == 1 else (1, 3)
        mirrored = xyxy.copy()
        mirrored[:, low] = size_hw[self.axis] - xyxy[:, high]
        mirrored[:, high] = size_hw[self.axis] - xyxy[:, low]
        return mirrored


@dataclass(frozen=True, slots=True)
class QuarterTurns:
    """Rotate counterclockwise by so many times 90 degrees."""

    turns: int  # 0 to 3

    def image(self, pixels: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """Return the rotated picture, (w, h, 3) for an odd number of turns."""
        return np.rot90(pixels, self.turns)

    def mask(self, labels: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """Return the rotated map, (w, h) for an odd number of turns."""
        return np.rot90(labels, self.turns)

    def boxes(self, xyxy: NDArray[np.float32], size_hw: Size) -> NDArray[np.float32]:
        """Return rotated boxes: a turn takes the point (x, y) to (y, width - x)."""
        height, width = size_hw
        for _ in range(self.turns):
            x1, y1, x2, y2 = xyxy.T
            xyxy = np.stack([y1, width - x2, y2, width - x1], axis=1).astype(np.float32)
            height, width = width, height
        return xyxy


def applied(sample: Sample, geometry: Geometry) -> Sample:
    """Return the sample with its pictures, label map and boxes moved together."""
    match sample:
        case SegmentationSample():
            return replace(
                sample, image=geometry.image(sample.image), mask=geometry.mask(sample.mask)
            )
        case DetectionSample():
            size_hw = (sample.image.shape[0], sample.image.shape[1])
            return replace(
                sample,
                image=geometry.image(sample.image),
                boxes_xyxy=geometry.boxes(sample.boxes_xyxy, size_hw),
            )
        case ClassificationSample():
            return replace(sample, image=geometry.image(sample.image))
        case ClipSample():
            return replace(
                sample, frames=np.stack([geometry.image(frame) for frame in sample.frames])
            )


def _horizontal_flip(random: np.random.Generator) -> Geometry | None:
    return Flip(axis=1) if random.random() < 0.5 else None


def _vertical_flip(random: np.random.Generator) -> Geometry | None:
    return Flip(axis=0) if random.random() < 0.5 else None


def _rotate_90(random: np.random.Generator) -> Geometry | None:
    return QuarterTurns(int(random.integers(4)))


AUGMENTATIONS: Mapping[Augmentation, Callable[[np.random.Generator], Geometry | None]] = (
    MappingProxyType(
        {
            "horizontal_flip": _horizontal_flip,  # half of the images
            "vertical_flip": _vertical_flip,  # half of the images
            "rotate_90": _rotate_90,  # 0, 90, 180, 270 degrees, a quarter of the images each
        }
    )
)


def augmented(
    sample: Sample, names: Sequence[Augmentation], random: np.random.Generator
) -> Sample:
    """Return the sample after each named change, in order, as the generator draws it."""
    for name in names:
        geometry = AUGMENTATIONS[name](random)
        if geometry is not None:
            sample = applied(sample, geometry)
    return sample
