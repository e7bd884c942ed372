"""Actions that no single frame tells apart: balloons all over a street, and which way they go.

The balloons are a lattice, alike and without end, so a picture is known by a shift within one
cell. A film starts at any shift with equal chance, and each action adds to it: whatever was
added by then, at every moment of every action each shift is as probable as any other. Streets,
looks, speeds and mirror images don't depend on the action either. What tells actions apart is
how one frame differs from the next. A mirrored film keeps its action; one turned upside down
does not.
"""

import math
from collections.abc import Callable, Mapping
from types import MappingProxyType

import numpy as np

from data_pipeline.scenes.canvas import Colour, Pen, shaded
from data_pipeline.scenes.moments import Moment, Motion
from data_pipeline.scenes.people import one_of

SPEED_M_S = 1.2
TURNS_AFTER_S = 1.0  # of balloons that go up and down
COLUMN_M, ROW_M = 2.6, 2.4  # from one balloon to the next
SKEW_M = 1.0  # how much higher a column hangs than the one to its left
RADII_M = (0.42, 0.5)
LOWEST_M, HIGHEST_M = -0.9, 0.5  # of what is drawn, from the middle of a balloon
PAINT: tuple[Colour, ...] = (
    (214, 40, 44), (240, 196, 40), (46, 96, 200), (56, 160, 84), (236, 120, 36), (232, 110, 170),
    (240, 240, 236), (110, 66, 160),
)  # fmt: skip
Way = tuple[float, float]  # metres ahead and up, as the pen has them


def _risen(motion: Motion, second: float) -> Way:
    return 0.0, SPEED_M_S * motion.pace * second


def _sunk(motion: Motion, second: float) -> Way:
    return 0.0, -SPEED_M_S * motion.pace * second


def _drifted(motion: Motion, second: float) -> Way:
    return SPEED_M_S * motion.pace * second, 0.0  # the pen turns half of them to the left


def _bobbed(motion: Motion, second: float) -> Way:
    turns, since = divmod(motion.pace * second, TURNS_AFTER_S)
    way = SPEED_M_S * (TURNS_AFTER_S - since if turns % 2 else since)
    return 0.0, (-way if motion.to_the_left else way)  # half of them begin by sinking


WAYS: Mapping[str, Callable[[Motion, float], Way]] = MappingProxyType(
    {
        "BalloonsBobbing": _bobbed,
        "BalloonsDrifting": _drifted,
        "BalloonsRising": _risen,
        "BalloonsSinking": _sunk,
    }
)


def draw_balloons(moment: Moment, action: str) -> None:
    """Draw all balloons that are seen at a moment of an action, one of `WAYS`."""
    start = COLUMN_M * moment.motion.phase, ROW_M * (moment.motion.offset + 1) / 2
    across, up = WAYS[action](moment.motion, moment.second)
    pen = moment.pen(0.0)
    shift = (start[0] + across, start[1] + up)
    for place in places_m(shift, half_view_m=moment.half_view_m, heights_m=_heights_m(pen)):
        _balloon(pen, place, moment.looks())


def places_m(shift: Way, *, half_view_m: float, heights_m: Way) -> list[Way]:
    """List where balloons are that are seen, however little of them.

    Args:
        shift: Of the lattice.
        half_view_m: Half of the width that is seen, metres.
        heights_m: The lowest and the highest point that is seen.
    """
    # Within one cell, so that a lattice that has gone on by whole cells is the same picture.
    columns, across = divmod(shift[0], COLUMN_M)
    up = shift[1] - columns * SKEW_M
    reach = half_view_m + RADII_M[0]
    first = math.ceil((-reach - across) / COLUMN_M)
    last = math.floor((reach - across) / COLUMN_M)
    found = []
    for column in range(first, last + 1):
        lowest = heights_m[0] - HIGHEST_M
        y = lowest + (up + column * SKEW_M - lowest) % ROW_M
        while y <= heights_m[1] - LOWEST_M:
            found.append((across + column * COLUMN_M, y))
            y += ROW_M
    return found


def _heights_m(pen: Pen) -> Way:
    """Return the lowest and the highest point that a pen can draw within the picture."""
    return (pen.foot[1] - pen.canvas.height) / pen.scale, pen.foot[1] / pen.scale


def _balloon(pen: Pen, place: Way, random: np.random.Generator) -> None:
    colour, (x, y), (across, tall) = one_of(PAINT, random), place, RADII_M
    pen.line([(x, y - tall), (x + 0.03, y - 0.7), (x, y + LOWEST_M)], 0.03, (236, 236, 232))
    low = y - tall
    pen.polygon([(x, low + 0.06), (x - 0.07, low - 0.08), (x + 0.07, low - 0.08)], colour)
    pen.disc((x, y), RADII_M, colour)
    pen.disc((x - 0.15, y + 0.18), (0.1 * across / tall, 0.12), shaded(colour, 1.35))
