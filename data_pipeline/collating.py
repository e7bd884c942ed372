"""Samples of one kind to a batch of it."""

from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from data_pipeline.samples import (
    Batch,
    ClassificationBatch,
    ClassificationSample,
    ClipBatch,
    ClipSample,
    DetectionBatch,
    DetectionSample,
    Sample,
    SegmentationBatch,
    SegmentationSample,
)


def collate(samples: Sequence[Sample]) -> Batch:
    """Return a batch of at least one sample, all of one kind."""
    return COLLATES[type(samples[0])](samples)


def _segmentation(samples: Sequence[SegmentationSample]) -> SegmentationBatch:
    return SegmentationBatch(
        image_ids=tuple(s.image_id for s in samples),
        images=_channels_first(np.stack([s.image for s in samples])),
        masks=torch.from_numpy(np.stack([s.mask for s in samples])),
    )


def _detection(samples: Sequence[DetectionSample]) -> DetectionBatch:
    return DetectionBatch(
        image_ids=tuple(s.image_id for s in samples),
        images=tuple(_channels_first(s.image) for s in samples),
        boxes_xyxy=tuple(_owned(s.boxes_xyxy) for s in samples),
        labels=tuple(_owned(s.labels) for s in samples),
        is_crowd=tuple(_owned(s.is_crowd) for s in samples),
    )


def _classification(samples: Sequence[ClassificationSample]) -> ClassificationBatch:
    return ClassificationBatch(
        image_ids=tuple(s.image_id for s in samples),
        images=_channels_first(np.stack([s.image for s in samples])),
        labels=torch.tensor([s.label for s in samples], dtype=torch.int64),
    )


def _clip(samples: Sequence[ClipSample]) -> ClipBatch:
    return ClipBatch(
        video_ids=tuple(s.video_id for s in samples),
        clips=torch.from_numpy(
            np.ascontiguousarray(np.stack([s.frames for s in samples]).transpose(0, 4, 1, 2, 3))
        ),
        labels=torch.tensor([s.label for s in samples], dtype=torch.int64),
    )


def _channels_first(pixels: NDArray[np.uint8]) -> Tensor:
    """(…, h, w, 3) to a tensor (…, 3, h, w) with its own memory."""
    return torch.from_numpy(np.moveaxis(pixels, -1, -3).copy())


def _owned(values: NDArray[Any]) -> Tensor:
    """Copy: a batch may be changed in place, a kept sample must not."""
    return torch.from_numpy(values.copy())


COLLATES: Mapping[type, Callable[[Sequence[Any]], Batch]] = MappingProxyType(
    {
        SegmentationSample: _segmentation,
        DetectionSample: _detection,
        ClassificationSample: _classification,
        ClipSample: _clip,
    }
)
