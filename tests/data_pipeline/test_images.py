"""Decoding, and errors that name the file."""

from pathlib import Path

import cv2
import numpy as np
import pytest

from data_pipeline.errors import InvalidDataError, MissingDataError
from data_pipeline.images import read_image, read_labels


@pytest.fixture
def jpeg(tmp_path: Path) -> Path:
    file = tmp_path / "red.jpg"
    red = np.zeros((64, 48, 3), dtype=np.uint8)
    red[..., 2] = 255  # OpenCV writes BGR
    cv2.imwrite(str(file), red)
    return file


def test_colours_are_rgb(jpeg: Path) -> None:
    image = read_image(jpeg)
    assert image.shape == (64, 48, 3)
    assert image.dtype == np.uint8
    assert image[30, 20, 0] > 250
    assert image[30, 20, 1:].max() < 5


def test_grey_picture_becomes_three_channels(tmp_path: Path) -> None:
    cv2.imwrite(str(tmp_path / "grey.png"), np.full((4, 6), 90, dtype=np.uint8))
    assert read_image(tmp_path / "grey.png").tolist() == [[[90] * 3] * 6] * 4


def test_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(MissingDataError, match=r"cannot read image .*gone\.jpg: No such file"):
        read_image(tmp_path / "gone.jpg")


@pytest.mark.parametrize("content", [b"", b"<html>not found</html>"])
def test_what_is_no_picture_is_named(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "bad.jpg").write_bytes(content)
    with pytest.raises(InvalidDataError, match=rf"bad\.jpg \({len(content)} bytes\)"):
        read_image(tmp_path / "bad.jpg")


def test_label_image_with_colours_is_refused(jpeg: Path) -> None:
    with pytest.raises(InvalidDataError, match=r"red\.jpg must be one channel of 8 bits"):
        read_labels(jpeg)
