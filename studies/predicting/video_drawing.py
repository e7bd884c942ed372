"""Draw what was found over a frame of a video: boxes, distances that are too small, actions."""

from collections.abc import Sequence

import cv2
import numpy as np
from numpy.typing import NDArray

from studies.predicting.box_drawing import draw_outline, line_width, text_scale, words_place
from studies.predicting.colours import Colour
from studies.predicting.distances import Nearness
from studies.predicting.video_objects import VideoObject

SHOWN_ACTIONS = 3
TOO_NEAR: Colour = (255, 0, 0)
FAR_ENOUGH: Colour = (0, 200, 0)
BLACK: Colour = (0, 0, 0)
WHITE: Colour = (255, 255, 255)
Bytes = NDArray[np.uint8]


def draw_objects(
    pixels: Bytes, objects: Sequence[VideoObject], names: Sequence[str], colours: Sequence[Colour]
) -> None:
    """Draw boxes in place, the highest score on top; a track's number stands by its class."""
    for each in sorted(objects, key=lambda found: found.score):
        track = "" if each.track is None else f" {each.track}"
        words = f"{names[each.label]}{track} {each.score:.2f}"
        draw_outline(pixels, each.box_xyxy, colours[each.label], line_width(pixels))
        _write(pixels, words, words_place(pixels, each.box_xyxy), text_scale(pixels))


def draw_near(pixels: Bytes, people: Sequence[VideoObject], pairs: Sequence[Nearness]) -> None:
    """Draw pairs that are too near, in place: red boxes, a line from feet to feet, metres."""
    scale, width = text_scale(pixels), line_width(pixels)
    for pair in pairs:
        two = (people[pair.first], people[pair.second])
        for each in two:
            draw_outline(pixels, each.box_xyxy, TOO_NEAR, 2 * width)
        start, end = (_feet(each) for each in two)
        cv2.line(pixels, start, end, TOO_NEAR, 2 * width, cv2.LINE_AA)
        middle = ((start[0] + end[0]) // 2, (start[1] + end[1]) // 2 - 4)
        _write(pixels, f"{pair.distance_m:.1f} m", middle, scale)


def draw_actions(pixels: Bytes, names: Sequence[str], probabilities: NDArray[np.float64]) -> None:
    """Write the most probable actions in the upper left corner, in place."""
    scale = 1.4 * text_scale(pixels)
    line = round(30 * scale)
    best = np.argsort(-probabilities, kind="stable")[:SHOWN_ACTIONS]
    for row, label in enumerate(best, start=1):
        words = f"{names[label]} {probabilities[label]:.2f}"
        _write(pixels, words, (4, row * line), scale if row == 1 else 0.75 * scale)


def _feet(found: VideoObject) -> tuple[int, int]:
    left, _, right, bottom = found.seen_xyxy
    return round((left + right) / 2), round(bottom)


def _write(pixels: Bytes, words: str, place: tuple[int, int], scale: float) -> None:
    """Write white on black, which can be read on any picture.

    A rim of a thicker font does not do: its letters may be wider, and run ahead of the white ones.
    """
    width = max(1, round(scale))
    font, smooth = cv2.FONT_HERSHEY_SIMPLEX, cv2.LINE_AA
    (across, above), below = cv2.getTextSize(words, font, scale, width)
    (left, line), rim = place, width + 1
    corners = (left - rim, line - above - rim), (left + across + rim, line + below)
    cv2.rectangle(pixels, *corners, BLACK, cv2.FILLED)
    cv2.putText(pixels, words, place, font, scale, WHITE, width, smooth)
