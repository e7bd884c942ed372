"""Samples as pictures for people."""

import base64

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from data_pipeline.integrity.drawing import COLOURS, IGNORED_COLOUR, OPACITY, as_data_uri, drawn
from data_pipeline.samples import (
    IGNORE,
    ClassificationSample,
    ClipSample,
    DetectionSample,
    InstanceSample,
    Sample,
    SegmentationSample,
)

GREY = 100
SIDE = 80


def image(height: int = 40, width: int = 80) -> NDArray[np.uint8]:
    return np.full((height, width, 3), GREY, dtype=np.uint8)


def boxes(count: int) -> dict[str, object]:
    return {
        "image_id": "a",
        "image": image(),
        "stored_hw": (40, 80),
        "boxes_xyxy": np.array([[20, 20, 40, 35]] * count, dtype=np.float32).reshape(-1, 4),
        "labels": np.zeros(count, dtype=np.int64),
        "areas": np.full(count, 300, dtype=np.float32),
        "is_crowd": np.zeros(count, dtype=np.bool_),
        "is_difficult": np.zeros(count, dtype=np.bool_),
    }


def blended(colour: tuple[int, int, int]) -> NDArray[np.float64]:
    return GREY * (1 - OPACITY) + np.array(colour) * OPACITY


def test_the_longer_side_is_as_asked() -> None:
    sample = ClassificationSample("a", image(40, 80), 0)
    assert drawn(sample, ("car",), side=20).shape == (10, 20, 3)


def test_labels_are_tinted_and_background_is_not() -> None:
    mask = np.zeros((40, 80), dtype=np.uint8)
    mask[:, 20:40], mask[:, 40:] = 1, IGNORE
    made = drawn(SegmentationSample("a", image(), mask), ("background", "car"), side=SIDE)
    assert made[5, 5].tolist() == [GREY] * 3
    np.testing.assert_allclose(made[5, 30], blended(COLOURS[0]), atol=1)
    np.testing.assert_allclose(made[5, 60], blended(IGNORED_COLOUR), atol=1)


def test_without_background_the_first_label_has_the_first_colour() -> None:
    mask = np.zeros((40, 80), dtype=np.uint8)
    made = drawn(SegmentationSample("a", image(), mask), ("sky", "road"), side=SIDE)
    np.testing.assert_allclose(made[5, 5], blended(COLOURS[0]), atol=1)


def test_a_box_is_drawn_where_it_is() -> None:
    made = drawn(DetectionSample(**boxes(1)), ("car",), side=SIDE)  # type: ignore[arg-type]
    assert made[30, 20].tolist() == list(COLOURS[0])
    assert made[30, 30].tolist() == [GREY] * 3  # inside


def test_a_box_is_scaled_with_its_picture() -> None:
    made = drawn(DetectionSample(**boxes(1)), ("car",), side=2 * SIDE)  # type: ignore[arg-type]
    assert made[60, 40].tolist() == list(COLOURS[0])


def test_masks_are_tinted() -> None:
    masks = np.zeros((1, 40, 80), dtype=np.bool_)
    masks[0, 25:30, 25:35] = True
    made = drawn(InstanceSample(**boxes(1), masks=masks), ("car",), side=SIDE)  # type: ignore[arg-type]
    np.testing.assert_allclose(made[27, 30], blended(COLOURS[0]), atol=1)


@pytest.mark.parametrize(
    "sample",
    [
        DetectionSample(**boxes(0)),  # type: ignore[arg-type]
        ClassificationSample("a", image(1, 1), 0),
        ClipSample("a", np.zeros((3, 8, 8, 3), dtype=np.uint8), 0),
    ],
)
def test_every_kind_of_sample_can_be_drawn(sample: Sample) -> None:
    assert max(drawn(sample, ("car",), side=SIDE).shape[:2]) == SIDE


def test_sample_itself_is_not_drawn_on() -> None:
    sample = DetectionSample(**boxes(2))  # type: ignore[arg-type]
    drawn(sample, ("car",), side=SIDE)
    assert (sample.image == GREY).all()


def test_data_uri_holds_the_picture() -> None:
    head, _, content = as_data_uri(image()).partition(",")
    decoded = cv2.imdecode(np.frombuffer(base64.b64decode(content), dtype=np.uint8), 1)
    assert head == "data:image/jpeg;base64"
    assert decoded is not None
    np.testing.assert_allclose(decoded, image(), atol=3)
