"""What a sample and a batch are, for every task.

Images stay uint8 until they are on the device: converting costs 30 times the read. Where a study
asks for normalising, they arrive as float32 in `images` or `clips`.
Boxes are `xyxy` in pixels of the image they come with: x1 <= x2, y1 <= y2, origin top left.
Torch is named here and not imported: a dataset is checked before anything heavy loads.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from torch import Tensor

IGNORE = 255  # label of pixels that are neither trained on nor scored
COLOURS = 3  # channels of a clip before those of flow
CHANNELS_WITH_FLOW = 5
STILL = 128  # byte of no motion in flow
STEPS = 127  # bytes from there to the largest motion that is told apart, each way


@dataclass(frozen=True, slots=True)
class SegmentationSample:
    """An image and its label map."""

    image_id: str
    image: NDArray[np.uint8]  # (h, w, 3) RGB
    mask: NDArray[np.uint8]  # (h, w) class index, IGNORE where unlabelled


@dataclass(frozen=True, slots=True)
class DetectionSample:
    """An image and its boxes."""

    image_id: str
    image: NDArray[np.uint8]  # (h, w, 3) RGB
    stored_hw: tuple[int, int]  # height, width on disk, pixels: where papers score boxes
    boxes_xyxy: NDArray[np.float32]  # (n, 4) pixels of `image`
    labels: NDArray[np.int64]  # (n,) class index, from 0
    areas: NDArray[np.float32]  # (n,) square pixels of `image`: the mask's where there is one
    is_crowd: NDArray[np.bool_]  # (n,) a region of many objects; never a training target
    is_difficult: NDArray[np.bool_]  # (n,) VOC: neither found nor missed when scored


@dataclass(frozen=True, slots=True)
class InstanceSample(DetectionSample):
    """An image, its boxes and a mask for each."""

    masks: NDArray[np.bool_]  # (n, h, w)


@dataclass(frozen=True, slots=True)
class ClassificationSample:
    """An image and its class."""

    image_id: str
    image: NDArray[np.uint8]  # (h, w, 3) RGB
    label: int


@dataclass(frozen=True, slots=True)
class ClipSample:
    """A clip of a video and its class; several clips of one video are its views."""

    video_id: str
    frames: NDArray[np.uint8]  # (t, h, w, 3) RGB; 5 with flow: then motion right, down, 128 still
    label: int


# InstanceSample is a DetectionSample; `match` must ask for it first.
Sample: TypeAlias = (
    SegmentationSample | InstanceSample | DetectionSample | ClassificationSample | ClipSample
)


@dataclass(frozen=True, slots=True)
class SegmentationBatch:
    """Images of one size with their label maps."""

    image_ids: tuple[str, ...]  # (b,)
    images: Tensor  # (b, 3, h, w) uint8 RGB
    masks: Tensor  # (b, h, w) uint8 class index or IGNORE

    def __len__(self) -> int:
        return len(self.image_ids)


@dataclass(frozen=True, slots=True)
class DetectionBatch:
    """Images, each with its own number of boxes; sizes may differ."""

    image_ids: tuple[str, ...]  # (b,)
    images: tuple[Tensor, ...]  # b times (3, h, w) uint8 RGB
    stored_hw: tuple[tuple[int, int], ...]  # b times height, width on disk
    boxes_xyxy: tuple[Tensor, ...]  # b times (n, 4) float32 pixels of the image
    labels: tuple[Tensor, ...]  # b times (n,) int64
    areas: tuple[Tensor, ...]  # b times (n,) float32
    is_crowd: tuple[Tensor, ...]  # b times (n,) bool
    is_difficult: tuple[Tensor, ...]  # b times (n,) bool

    def __len__(self) -> int:
        return len(self.image_ids)


@dataclass(frozen=True, slots=True)
class InstanceBatch(DetectionBatch):
    """Images with boxes and masks."""

    masks: tuple[Tensor, ...]  # b times (n, h, w) bool


@dataclass(frozen=True, slots=True)
class ClassificationBatch:
    """Images of one size with a class each."""

    image_ids: tuple[str, ...]  # (b,)
    images: Tensor  # (b, 3, h, w) uint8 RGB
    labels: Tensor  # (b,) int64

    def __len__(self) -> int:
        return len(self.image_ids)


@dataclass(frozen=True, slots=True)
class ClipBatch:
    """Clips of one length and size with a class each."""

    video_ids: tuple[str, ...]  # (b,)
    clips: Tensor  # (b, 3, t, h, w) uint8 RGB; 5 with flow: then motion right, down, 128 still
    labels: Tensor  # (b,) int64

    def __len__(self) -> int:
        return len(self.video_ids)


Batch: TypeAlias = (
    SegmentationBatch | InstanceBatch | DetectionBatch | ClassificationBatch | ClipBatch
)
