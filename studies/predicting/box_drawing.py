"""Draw boxes with words over a picture."""

from typing import TypeAlias

import cv2
import numpy as np
from numpy.typing import NDArray

from studies.predicting.colours import Colour

TEXT_SHARE = 1 / 1000  # of the longer side: scale of OpenCV's font
LEAST_SCALE = 0.35  # that can still be read
LETTER_HEIGHT = 28  # of the highest at scale 1, pixels
Box: TypeAlias = tuple[float, float, float, float]


def text_scale(pixels: NDArray[np.uint8]) -> float:
    """Return the scale of OpenCV's font for a (h, w, 3) picture."""
    longer: int = max(pixels.shape[:2])
    return max(LEAST_SCALE, longer * TEXT_SHARE)


def line_width(pixels: NDArray[np.uint8]) -> int:
    """Return the width of lines in a (h, w, 3) picture, pixels."""
    return max(1, round(text_scale(pixels)))


def draw_box(pixels: NDArray[np.uint8], box_xyxy: Box, words: str, colour: Colour) -> None:
    """Draw a box and words at its upper left corner, in place.

    Args:
        pixels: (h, w, 3) RGB.
        box_xyxy: Pixels.
        words: ASCII, which is what OpenCV's font has.
        colour: Of both.
    """
    scale, width = text_scale(pixels), line_width(pixels)
    draw_outline(pixels, box_xyxy, colour, width)
    place = words_place(pixels, box_xyxy)
    cv2.putText(pixels, words, place, cv2.FONT_HERSHEY_SIMPLEX, scale, colour, width, cv2.LINE_AA)


def draw_outline(pixels: NDArray[np.uint8], box_xyxy: Box, colour: Colour, width: int) -> None:
    """Draw a box alone, in place, with lines of `width` pixels."""
    left, top, right, bottom = (round(value) for value in box_xyxy)
    cv2.rectangle(pixels, (left, top), (right, bottom), colour, width)


def words_place(pixels: NDArray[np.uint8], box_xyxy: Box) -> tuple[int, int]:
    """Return where words at a box's upper left corner begin: x and y of their base line."""
    left, top = round(box_xyxy[0]), round(box_xyxy[1])
    return left + 2, max(round(LETTER_HEIGHT * text_scale(pixels)) + 2, top - 4)
