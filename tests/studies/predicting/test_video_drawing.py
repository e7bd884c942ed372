"""Words over a video: can they be read whatever is below them?"""

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from studies.predicting.box_drawing import text_scale, words_place
from studies.predicting.video_drawing import draw_actions

NAMES = ("applying eye makeup", "yoga")
PROBABILITIES = np.array([0.75, 0.25])


def drawn(size_hw: tuple[int, int], grey: int) -> NDArray[np.uint8]:
    pixels = np.full((*size_hw, 3), grey, np.uint8)
    draw_actions(pixels, NAMES, PROBABILITIES)
    return pixels


@pytest.mark.parametrize("size_hw", [(240, 320), (360, 640), (1080, 1920)])
def test_every_letter_stands_on_black_all_around(size_hw: tuple[int, int]) -> None:
    on_black, on_grey = drawn(size_hw, 0), drawn(size_hw, 200)
    letters = on_black.max(axis=-1)
    assert letters.max() == 255
    around = cv2.dilate(letters, np.ones((3, 3), np.uint8)) > 0
    assert np.array_equal(on_black[around], on_grey[around])  # no grey touches a letter


@pytest.mark.parametrize("size_hw", [(240, 320), (360, 640), (1080, 1920)])
def test_words_of_a_box_at_the_top_are_inside_the_picture(size_hw: tuple[int, int]) -> None:
    pixels = np.zeros((*size_hw, 3), np.uint8)
    scale = text_scale(pixels)
    (_, height), _ = cv2.getTextSize("Person 1", cv2.FONT_HERSHEY_SIMPLEX, scale, 1)
    assert words_place(pixels, (10.0, 0.0, 90.0, 90.0))[1] >= height
