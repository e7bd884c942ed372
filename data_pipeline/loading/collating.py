"""Samples of one kind to a batch of it.

Pixels are copied once, in the order they lie in: (h, w, 3). The batch shows them channels first
as a permuted view, for moving every third byte costs more than the copy. What turns them into
floats makes them contiguous in the same step.
"""

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
    InstanceBatch,
    InstanceSample,
    Sample,
    SegmentationBatch,
    SegmentationSample,
)


def collate(samples: Sequence[Sample]) -> Batch:
    """Return a batch of at least one sample, all of one kind; it shares no memory with them."""
    return COLLATES[type(samples[0])](samples)


def _segmentation(samples: Sequence[SegmentationSample]) -> SegmentationBatch:
    return SegmentationBatch(
        image_ids=tuple(s.image_id for s in samples),
        images=_channels_first([s.image for s in samples]),
        masks=torch.from_numpy(np.stack([s.mask for s in samples])),
    )


def _classification(samples: Sequence[ClassificationSample]) -> ClassificationBatch:
    return ClassificationBatch(
        image_ids=tuple(s.image_id for s in samples),
        images=_channels_first([s.image for s in samples]),
        labels=torch.tensor([s.label for s in samples], dtype=torch.int64),
    )


def _clip(samples: Sequence[ClipSample]) -> ClipBatch:
    clips = torch.from_numpy(np.stack([s.frames for s in samples]))
    return ClipBatch(
        video_ids=tuple(s.video_id for s in samples),
        clips=clips.permute(0, 4, 1, 2, 3),
        labels=torch.tensor([s.label for s in samples], dtype=torch.int64),
    )


def _detection(samples: Sequence[DetectionSample]) -> DetectionBatch:
    return DetectionBatch(**_objects(samples))


def _instances(samples: Sequence[InstanceSample]) -> InstanceBatch:
    return InstanceBatch(**_objects(samples), masks=tuple(_owned(s.masks) for s in samples))


def _objects(samples: Sequence[DetectionSample]) -> dict[str, Any]:
    return {
        "image_ids": tuple(s.image_id for s in samples),
        "images": tuple(_owned(s.image).permute(2, 0, 1) for s in samples),
        "stored_hw": tuple(s.stored_hw for s in samples),
        "boxes_xyxy": tuple(_owned(s.boxes_xyxy) for s in samples),
        "labels": tuple(_owned(s.labels) for s in samples),
        "areas": tuple(_owned(s.areas) for s in samples),
        "is_crowd": tuple(_owned(s.is_crowd) for s in samples),
        "is_difficult": tuple(_owned(s.is_difficult) for s in samples),
    }


def _channels_first(images: Sequence[NDArray[np.uint8]]) -> Tensor:
    """Return b times (h, w, 3) as a view (b, 3, h, w) of memory of its own."""
    return torch.from_numpy(np.stack(images)).permute(0, 3, 1, 2)


def _owned(values: NDArray[Any]) -> Tensor:
    """Copy: a batch may be changed in place, a kept sample must not."""
    return torch.from_numpy(values.copy())


COLLATES: Mapping[type, Callable[[Sequence[Any]], Batch]] = MappingProxyType(
    {
        SegmentationSample: _segmentation,
        InstanceSample: _instances,
        DetectionSample: _detection,
        ClassificationSample: _classification,
        ClipSample: _clip,
    }
)
