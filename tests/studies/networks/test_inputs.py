"""What goes through the networks that are timed."""

from pathlib import Path

import cv2
import numpy as np
import pytest
import torch

from studies.networks.inputs import MOST_PICTURES, NOISE, pictures_of


@pytest.fixture
def grey(tmp_path: Path) -> Path:
    """Return a folder of three pictures, black, grey and white, of different sizes."""
    for number, value in enumerate((0, 102, 255)):
        pixels = np.full((20 + number, 30, 3), value, dtype=np.uint8)
        cv2.imwrite(str(tmp_path / f"{number}.png"), pixels)
    return tmp_path


def test_pictures_are_resized_and_scaled_as_in_training(grey: Path) -> None:
    batches = pictures_of(str(grey)).batches(16, 1)

    assert [tuple(each.shape) for each in batches] == [(1, 3, 16, 16)] * 3
    assert [float(each.mean()) for each in batches] == pytest.approx([-1, -0.2, 1])


def test_the_last_batch_is_filled_from_the_first_picture_on(grey: Path) -> None:
    first, second = pictures_of(str(grey)).batches(8, 2)

    assert [float(each.mean()) for each in first] == pytest.approx([-1, -0.2])
    assert [float(each.mean()) for each in second] == pytest.approx([1, -1])


def test_a_batch_may_be_larger_than_the_folder(grey: Path) -> None:
    (batch,) = pictures_of(str(grey)).batches(8, 5)

    assert batch.shape == (5, 3, 8, 8)


def test_a_folder_of_many_is_read_in_part(tmp_path: Path) -> None:
    for number in range(MOST_PICTURES + 2):
        cv2.imwrite(str(tmp_path / f"{number:02}.png"), np.zeros((4, 4, 3), np.uint8))

    assert pictures_of(str(tmp_path)).name == f"{MOST_PICTURES} pictures of {tmp_path.name}"


def test_noise_is_the_same_every_time() -> None:
    (once,), (again,) = NOISE.batches(8, 3), NOISE.batches(8, 3)

    assert torch.equal(once, again)
    assert once.shape == (3, 3, 8, 8)
    assert -1 <= float(once.min()) < -0.9
    assert 0.9 < float(once.max()) <= 1
