"""The picture of a confusion matrix, whatever number of labels it has."""

from pathlib import Path

import cv2
import numpy as np
import pytest

from models.tasks.segmentation_pictures import MOST_LABELS, save_confusion_picture

WIDEST_PX, HIGHEST_PX = 2300, 1800


def shape_of(file: Path, labels: int) -> tuple[int, int]:
    """Return (height, width) of the picture of a matrix with so many labels."""
    names = [f"class {number}" for number in range(labels)]
    save_confusion_picture(file, np.eye(labels, dtype=np.int64), names, names)
    picture = cv2.imread(str(file))
    assert picture is not None
    height, width = picture.shape[:2]
    return height, width


def test_picture_grows_with_its_labels(tmp_path: Path) -> None:
    small, large = (shape_of(tmp_path / f"{labels}.png", labels) for labels in (3, 12))
    assert large[0] > small[0]
    assert large[1] > small[1]


@pytest.mark.parametrize("labels", [MOST_LABELS + 1, 1000])
def test_picture_of_many_labels_stays_one_to_look_at(tmp_path: Path, labels: int) -> None:
    height, width = shape_of(tmp_path / "confusion.png", labels)
    assert height <= HIGHEST_PX
    assert width <= WIDEST_PX
