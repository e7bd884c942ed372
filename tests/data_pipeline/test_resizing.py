"""Resizing: everything in a sample moves together, whatever the policy."""

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from data_pipeline.loading.resizing import GREY, Policy, placement, resized
from data_pipeline.samples import (
    IGNORE,
    ClassificationSample,
    ClipSample,
    DetectionSample,
    InstanceSample,
    SegmentationSample,
)

SIZE = 32
POLICIES: tuple[Policy, ...] = ("stretch", "shorter_side", "letterbox", "center_crop")


def picture(height: int, width: int) -> NDArray[np.uint8]:
    return np.random.default_rng(height).integers(0, 256, (height, width, 3)).astype(np.uint8)


def instance(height: int, width: int, boxes: list[tuple[int, int, int, int]]) -> InstanceSample:
    """A picture that is white in its boxes, whose masks fill them."""
    image = np.zeros((height, width, 3), np.uint8)
    masks = np.zeros((len(boxes), height, width), np.bool_)
    for mask, (x1, y1, x2, y2) in zip(masks, boxes, strict=True):
        image[y1:y2, x1:x2] = 255
        mask[y1:y2, x1:x2] = True
    return InstanceSample(
        "a",
        image,
        (height, width),
        np.array(boxes, np.float32).reshape(-1, 4),
        np.arange(len(boxes)),
        masks.sum(axis=(1, 2)).astype(np.float32),
        np.zeros(len(boxes), np.bool_),
        np.zeros(len(boxes), np.bool_),
        masks,
    )


@pytest.mark.parametrize("size", [(48, 64), (20, 64), (16, 20)])
def test_stretch_is_by_area_when_shrinking_else_bilinear_and_nearest_for_labels(
    size: tuple[int, int],
) -> None:
    image = picture(*size)
    sample = resized(SegmentationSample("a", image, image[..., 0]), "stretch", SIZE)
    assert isinstance(sample, SegmentationSample)
    method = cv2.INTER_AREA if min(size) >= SIZE else cv2.INTER_LINEAR
    assert (sample.image == cv2.resize(image, (SIZE, SIZE), interpolation=method)).all()
    rows, columns = (((np.arange(SIZE) + 0.5) * side / SIZE).astype(int) for side in size)
    assert (sample.mask == image[..., 0][rows][:, columns]).all()


@pytest.mark.parametrize(
    ("policy", "shape"),
    [
        ("stretch", (32, 32)),
        ("shorter_side", (32, 43)),
        ("letterbox", (32, 32)),
        ("center_crop", (32, 32)),
    ],
)
def test_policy_decides_the_size(policy: Policy, shape: tuple[int, int]) -> None:
    for height, width in ((48, 64), (64, 48)):
        wanted = shape if height < width else shape[::-1]
        still = resized(ClassificationSample("a", picture(height, width), 3), policy, SIZE)
        moving = resized(ClipSample("a", np.stack([picture(height, width)] * 2), 3), policy, SIZE)
        assert isinstance(still, ClassificationSample)
        assert isinstance(moving, ClipSample)
        assert still.image.shape == (*wanted, 3)
        assert still.label == moving.label == 3
        assert all((frame == still.image).all() for frame in moving.frames)


@pytest.mark.parametrize("size", [(48, 64), (64, 48), (33, 64), (16, 20), (200, 40)])
@pytest.mark.parametrize("policy", POLICIES)
def test_boxes_and_masks_stay_on_what_they_are_of(policy: Policy, size: tuple[int, int]) -> None:
    height, width = size
    box = (width // 4, height // 4, width // 4 + width // 2, height // 4 + height // 2)
    sample = resized(instance(height, width, [box]), policy, SIZE)
    assert isinstance(sample, InstanceSample)
    [[x1, y1, x2, y2]] = sample.boxes_xyxy
    white = sample.image[..., 0] > 127
    if policy == "letterbox":
        white &= sample.image[..., 0] != GREY
    rows, columns = np.flatnonzero(white.any(axis=1)), np.flatnonzero(white.any(axis=0))
    for found, expected in zip(
        (columns[0], rows[0], columns[-1] + 1, rows[-1] + 1), (x1, y1, x2, y2), strict=True
    ):
        assert abs(found - expected) <= 1
    assert sample.masks.shape == (1, *sample.image.shape[:2])
    assert (sample.masks[0] ^ white).mean() < 0.1
    assert sample.areas[0] == pytest.approx((x2 - x1) * (y2 - y1), rel=0.1)
    assert sample.stored_hw == size


@pytest.mark.parametrize("policy", POLICIES)
def test_boxes_of_a_picture_without_any_stay_none(policy: Policy) -> None:
    sample = resized(instance(48, 64, []), policy, SIZE)
    assert isinstance(sample, InstanceSample)
    assert sample.boxes_xyxy.shape == (0, 4)
    assert sample.boxes_xyxy.dtype == sample.areas.dtype == np.float32
    assert sample.masks.shape[0] == 0


def test_letterbox_pads_grey_and_ignored_and_moves_boxes() -> None:
    image = np.zeros((16, 32, 3), np.uint8)
    sample = resized(SegmentationSample("a", image, image[..., 0]), "letterbox", SIZE)
    assert isinstance(sample, SegmentationSample)
    for rows in (slice(0, 8), slice(24, 32)):
        assert (sample.image[rows] == GREY).all()
        assert (sample.mask[rows] == IGNORE).all()
    assert (sample.image[8:24] == 0).all()
    assert (sample.mask[8:24] == 0).all()
    objects = resized(instance(16, 32, [(0, 0, 32, 16)]), "letterbox", SIZE)
    assert isinstance(objects, InstanceSample)
    assert objects.boxes_xyxy.tolist() == [[0, 8, 32, 24]]
    assert objects.masks[0].sum() == objects.areas[0] == 16 * 32


def test_center_crop_drops_what_is_outside_and_shrinks_what_is_cut() -> None:
    boxes = [(0, 0, 10, 32), (10, 0, 22, 8), (70, 0, 90, 32)]
    sample = resized(instance(32, 64, boxes), "center_crop", SIZE)  # columns 16 to 48 stay
    assert isinstance(sample, InstanceSample)
    assert sample.labels.tolist() == [1]
    assert sample.boxes_xyxy.tolist() == [[0, 0, 6, 8]]
    assert sample.areas.tolist() == [6 * 8]
    assert sample.masks.sum() == 6 * 8
    fields = (sample.is_crowd, sample.is_difficult, sample.masks)
    assert [len(field) for field in fields] == [1, 1, 1]


@pytest.mark.parametrize("policy", POLICIES)
def test_object_that_shrinks_to_no_pixel_stays_with_an_empty_mask(policy: Policy) -> None:
    # A line of one pixel that lies between the rows that nearest neighbours are taken of.
    boxes = [(100, 162, 220, 163), (100, 100, 220, 220)]
    sample = resized(instance(320, 400, boxes), policy, SIZE)
    assert isinstance(sample, InstanceSample)
    assert sample.labels.tolist() == [0, 1]
    assert sample.masks.any(axis=(1, 2)).tolist() == [False, True]
    assert sample.areas[1] / sample.areas[0] == pytest.approx(120)


def test_object_without_a_pixel_that_lies_off_the_canvas_is_dropped() -> None:
    boxes = [(10, 2, 60, 3), (300, 2, 340, 3)]  # columns 160 to 480 of 640 stay
    sample = resized(instance(320, 640, boxes), "center_crop", SIZE)
    assert isinstance(sample, InstanceSample)
    assert sample.labels.tolist() == [1]


@pytest.mark.parametrize("policy", POLICIES)
def test_box_without_area_stays_where_it_is_on_the_canvas(policy: Policy) -> None:
    whole = instance(64, 80, [(30, 10, 30, 20), (15, 5, 30, 20)])
    sample = resized(whole, policy, SIZE)
    assert isinstance(sample, InstanceSample)
    assert sample.labels.tolist() == [0, 1]
    outside = resized(instance(64, 128, [(5, 10, 5, 20), (60, 5, 80, 20)]), "center_crop", SIZE)
    assert isinstance(outside, InstanceSample)
    assert outside.labels.tolist() == [1]


def test_box_without_mask_shrinks_with_what_is_left_of_the_box() -> None:
    whole = instance(32, 64, [(10, 0, 22, 8)])
    plain = DetectionSample(
        "a",
        whole.image,
        whole.stored_hw,
        whole.boxes_xyxy,
        whole.labels,
        np.array([48], np.float32),  # half of the box
        whole.is_crowd,
        whole.is_difficult,
    )
    sample = resized(plain, "center_crop", SIZE)
    assert type(sample) is DetectionSample
    assert sample.areas.tolist() == [24]


def test_very_long_pictures_keep_a_pixel() -> None:
    assert placement("letterbox", 8, (1, 1000)).scaled_hw == (1, 8)
    sample = resized(ClassificationSample("a", picture(1, 1000), 0), "letterbox", 8)
    assert isinstance(sample, ClassificationSample)
    assert sample.image.shape == (8, 8, 3)
