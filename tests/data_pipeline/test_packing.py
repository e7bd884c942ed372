"""Packing a sample into bytes, and getting it back."""

from dataclasses import fields

import numpy as np
import pytest

from data_pipeline.cache.packing import from_json, pack, to_json, unpack
from data_pipeline.samples import (
    ClassificationSample,
    ClipSample,
    DetectionSample,
    InstanceSample,
    Sample,
    SegmentationSample,
)


def pixels(*shape: int) -> np.ndarray[tuple[int, ...], np.dtype[np.uint8]]:
    return np.random.default_rng(sum(shape)).integers(0, 256, shape).astype(np.uint8)


def instances(count: int) -> InstanceSample:
    return InstanceSample(
        "picture",
        pixels(5, 7, 3),
        stored_hw=(50, 70),
        boxes_xyxy=np.random.default_rng(1).random((count, 4), dtype=np.float32),
        labels=np.arange(count),
        areas=np.ones(count, np.float32),
        is_crowd=np.zeros(count, np.bool_),
        is_difficult=np.ones(count, np.bool_),
        masks=pixels(count, 5, 7) > 100,
    )


@pytest.mark.parametrize(
    "sample",
    [
        SegmentationSample("a", pixels(4, 6, 3), pixels(4, 6)),
        instances(3),
        instances(0),
        DetectionSample(
            "plain",
            pixels(3, 3, 3),
            (3, 3),
            np.zeros((1, 4), np.float32),
            np.zeros(1, np.int64),
            np.ones(1, np.float32),
            np.ones(1, np.bool_),
            np.zeros(1, np.bool_),
        ),
        ClassificationSample("ä/b", pixels(4, 4, 3)[:, ::-1], 7),  # negative strides
        ClipSample("video", pixels(6, 4, 4, 3)[::2], 2),
    ],
    ids=lambda sample: type(sample).__name__,
)
def test_every_kind_of_sample_comes_back_as_it_was(sample: Sample) -> None:
    packed = pack([None, sample, sample])
    memory = np.zeros(packed.size, np.uint8)
    packed.joined(memory)
    assert packed.places[0] is None
    for place in packed.places[1:]:
        again = from_json(to_json(place))
        assert again == place
        assert again is not None
        back = unpack(again, memory)
        assert type(back) is type(sample)
        for name in (each.name for each in fields(sample)):
            first, second = getattr(back, name), getattr(sample, name)
            assert type(first) is type(second)
            assert np.array_equal(first, second)
            assert np.asarray(first).dtype == np.asarray(second).dtype
