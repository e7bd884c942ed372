"""Geometry: images, label maps and boxes move together."""

from typing import get_args

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from data_pipeline.samples import (
    ClassificationSample,
    ClipSample,
    DetectionSample,
    SegmentationSample,
)
from data_pipeline.settings import Augmentation
from data_pipeline.transforms import (
    AUGMENTATIONS,
    Flip,
    Geometry,
    QuarterTurns,
    Resize,
    applied,
    augmented,
)

GEOMETRIES: list[Geometry] = [
    Flip(0),
    Flip(1),
    QuarterTurns(0),
    QuarterTurns(1),
    QuarterTurns(2),
    QuarterTurns(3),
    Resize((60, 80)),
    Resize((15, 20)),
]


def picture_with(box_xyxy: tuple[int, int, int, int], size_hw: tuple[int, int]) -> DetectionSample:
    """Return a black picture whose only white pixels fill the box."""
    x1, y1, x2, y2 = box_xyxy
    image = np.zeros((*size_hw, 3), dtype=np.uint8)
    image[y1:y2, x1:x2] = 255
    return DetectionSample(
        "a",
        image,
        boxes_xyxy=np.array([box_xyxy], dtype=np.float32),
        labels=np.array([0]),
        is_crowd=np.array([False]),
    )


def white_box(image: NDArray[np.uint8]) -> list[float]:
    """Return the xyxy box around the white pixels."""
    rows, columns = np.nonzero(image[..., 0] > 127)
    return [columns.min(), rows.min(), columns.max() + 1, rows.max() + 1]


@pytest.mark.parametrize("geometry", GEOMETRIES, ids=str)
def test_box_still_surrounds_its_pixels(geometry: Geometry) -> None:
    moved = applied(picture_with((4, 8, 16, 12), (30, 40)), geometry)
    assert isinstance(moved, DetectionSample)
    assert moved.boxes_xyxy[0].tolist() == white_box(moved.image)
    assert moved.boxes_xyxy.dtype == np.float32


@pytest.mark.parametrize("geometry", GEOMETRIES, ids=str)
def test_picture_without_boxes_keeps_an_empty_table(geometry: Geometry) -> None:
    assert geometry.boxes(np.zeros((0, 4), dtype=np.float32), (30, 40)).shape == (0, 4)


@pytest.mark.parametrize("geometry", GEOMETRIES[:6], ids=str)
def test_label_map_moves_with_its_image(geometry: Geometry) -> None:
    labels = np.random.default_rng(0).integers(0, 12, (9, 9)).astype(np.uint8)
    image = np.repeat(labels[..., None], 3, axis=2)
    moved = applied(SegmentationSample("a", image, labels), geometry)
    assert isinstance(moved, SegmentationSample)
    assert (moved.image[..., 0] == moved.mask).all()


def test_resized_labels_are_never_mixed() -> None:
    labels = np.random.default_rng(0).choice([0, 3, 255], (37, 53)).astype(np.uint8)
    for size in (16, 37, 64):
        assert set(np.unique(Resize((size, size)).mask(labels))) <= {0, 3, 255}


def test_resized_labels_take_the_pixel_under_their_centre() -> None:
    labels = np.arange(36, dtype=np.uint8).reshape(6, 6)
    assert Resize((2, 2)).mask(labels).tolist() == [[7, 10], [25, 28]]


def test_shrinking_averages_by_area() -> None:
    image = np.random.default_rng(0).integers(0, 256, (64, 64, 3)).astype(np.uint8)
    expected = image.reshape(16, 4, 16, 4, 3).mean(axis=(1, 3))
    assert np.abs(Resize((16, 16)).image(image) - expected).max() <= 0.5


def test_enlarging_is_bilinear() -> None:
    image = np.random.default_rng(0).integers(0, 256, (8, 8, 3)).astype(np.uint8)
    expected = cv2.resize(image.astype(np.float64), (16, 16), interpolation=cv2.INTER_LINEAR)
    assert np.abs(Resize((16, 16)).image(image) - expected).max() <= 1.0


def test_clip_frames_all_take_the_same_turn() -> None:
    frames = np.random.default_rng(0).integers(0, 256, (3, 4, 6, 3)).astype(np.uint8)
    moved = applied(ClipSample("v", frames, 1), QuarterTurns(1))
    assert isinstance(moved, ClipSample)
    assert (moved.frames == np.rot90(frames, 1, axes=(1, 2))).all()


def test_classified_image_keeps_its_class() -> None:
    image = np.arange(12, dtype=np.uint8).reshape(2, 2, 3)
    moved = applied(ClassificationSample("a", image, 7), Flip(1))
    assert isinstance(moved, ClassificationSample)
    assert moved.label == 7
    assert (moved.image == image[:, ::-1]).all()


@pytest.mark.parametrize(
    ("name", "outcomes"), [("horizontal_flip", 2), ("vertical_flip", 2), ("rotate_90", 4)]
)
def test_augmentation_gives_every_outcome_equally_often(name: Augmentation, outcomes: int) -> None:
    mask = np.arange(4, dtype=np.uint8).reshape(2, 2)
    sample = SegmentationSample("a", np.zeros((2, 2, 3), dtype=np.uint8), mask)
    seen: dict[bytes, int] = {}
    for seed in range(400):
        moved = augmented(sample, [name], np.random.default_rng(seed))
        assert isinstance(moved, SegmentationSample)
        key = moved.mask.tobytes()
        seen[key] = seen.get(key, 0) + 1
    assert len(seen) == outcomes
    assert max(seen.values()) - min(seen.values()) < 80  # 4 standard deviations of 400 coins


def test_every_setting_has_its_augmentation() -> None:
    assert set(AUGMENTATIONS) == set(get_args(Augmentation))
