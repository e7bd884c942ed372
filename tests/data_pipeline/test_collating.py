"""Batches: shapes and types of every kind of sample."""

from dataclasses import asdict
from typing import get_args

import numpy as np
import torch

from data_pipeline.loading.collating import COLLATES, collate
from data_pipeline.samples import (
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


def pixels(*shape: int) -> np.ndarray[tuple[int, ...], np.dtype[np.uint8]]:
    return np.random.default_rng(sum(shape)).integers(0, 256, shape).astype(np.uint8)


def objects(count: int, height: int = 4) -> DetectionSample:
    return DetectionSample(
        str(count),
        pixels(height, 6, 3),
        stored_hw=(height * 10, 60),
        boxes_xyxy=np.ones((count, 4), dtype=np.float32),
        labels=np.zeros(count, dtype=np.int64),
        areas=np.full(count, 2, dtype=np.float32),
        is_crowd=np.zeros(count, dtype=np.bool_),
        is_difficult=np.ones(count, dtype=np.bool_),
    )


def test_segmentation_batch_shows_images_channels_first() -> None:
    samples = [SegmentationSample(str(i), pixels(4, 5, 3), pixels(4, 5)) for i in range(3)]
    batch = collate(samples)
    assert isinstance(batch, SegmentationBatch)
    assert batch.image_ids == ("0", "1", "2")
    assert len(batch) == 3
    assert batch.images.shape == (3, 3, 4, 5)
    assert batch.masks.shape == (3, 4, 5)
    assert batch.images.dtype == batch.masks.dtype == torch.uint8
    assert (batch.images[1].permute(1, 2, 0).numpy() == samples[1].image).all()


def test_pixels_lie_in_the_batch_as_they_do_in_the_samples() -> None:
    image = collate([ClassificationSample("a", pixels(4, 5, 3), 0)])
    clip = collate([ClipSample("a", pixels(2, 4, 5, 3), 0)])
    assert isinstance(image, ClassificationBatch)
    assert isinstance(clip, ClipBatch)
    assert image.images.permute(0, 2, 3, 1).is_contiguous()
    assert clip.clips.permute(0, 2, 3, 4, 1).is_contiguous()


def test_mirrored_samples_are_stacked_too() -> None:
    image = pixels(4, 4, 3)[:, ::-1]  # negative strides
    batch = collate([SegmentationSample("a", image, pixels(4, 4)[::-1])])
    assert isinstance(batch, SegmentationBatch)
    assert (batch.images[0].permute(1, 2, 0).numpy() == image).all()


def test_detection_batch_keeps_images_of_different_sizes_and_empty_boxes() -> None:
    batch = collate([objects(2, 4), objects(0, 8)])
    assert type(batch) is DetectionBatch
    assert [tuple(image.shape) for image in batch.images] == [(3, 4, 6), (3, 8, 6)]
    assert [tuple(boxes.shape) for boxes in batch.boxes_xyxy] == [(2, 4), (0, 4)]
    assert batch.stored_hw == ((40, 60), (80, 60))
    assert batch.labels[0].dtype == torch.int64
    assert batch.areas[0].tolist() == [2, 2]
    assert batch.is_crowd[1].dtype == batch.is_difficult[1].dtype == torch.bool


def test_instance_batch_has_a_mask_per_box() -> None:
    sample = InstanceSample(**asdict(objects(2)), masks=pixels(2, 4, 6) > 99)
    batch = collate([sample])
    assert isinstance(batch, InstanceBatch)
    assert (batch.masks[0].numpy() == sample.masks).all()
    assert batch.boxes_xyxy[0].shape == (2, 4)


def test_classification_batch_holds_a_class_per_image() -> None:
    batch = collate([ClassificationSample(str(i), pixels(4, 4, 3), i) for i in (4, 2)])
    assert isinstance(batch, ClassificationBatch)
    assert batch.labels.tolist() == [4, 2]
    assert batch.images.shape == (2, 3, 4, 4)


def test_clip_batch_puts_channels_before_time() -> None:
    clip = ClipSample("v", pixels(7, 4, 5, 3), 1)
    batch = collate([clip, clip])
    assert isinstance(batch, ClipBatch)
    assert batch.clips.shape == (2, 3, 7, 4, 5)
    assert (batch.clips[0, :, 2].permute(1, 2, 0).numpy() == clip.frames[2]).all()


def test_changing_a_batch_in_place_leaves_the_samples_alone() -> None:
    sample = objects(1)
    before = sample.image.copy()
    batch = collate([sample])
    assert isinstance(batch, DetectionBatch)
    batch.images[0].zero_()
    batch.boxes_xyxy[0].zero_()
    assert (sample.image == before).all()
    assert (sample.boxes_xyxy == 1).all()


def test_every_kind_of_sample_can_be_collated() -> None:
    assert set(COLLATES) == set(get_args(Sample))
