"""Traffic lights and stop signs, and what may be taken for them.

Poles belong to nobody: COCO labels the light's head and the sign's plate.
"""

from collections.abc import Callable

import numpy as np

from data_pipeline.scenes.canvas import NOBODY, Colour, Pen, Point, shaded

METAL: Colour = (104, 108, 112)
RED, AMBER, GREEN = (250, 52, 40), (252, 186, 46), (52, 230, 130)


def draw_traffic_light(pen: Pen, random: np.random.Generator) -> None:
    """Draw a light with three lamps, one of them lit, on a pole or an arm."""
    owner, pen.canvas.owner = pen.canvas.owner, NOBODY
    bottom = float(random.uniform(2.3, 3.6))
    offset = float(random.choice([0.0, 0.0, 1.6]))
    pen.line([(offset, 0.0), (offset, bottom + 1.0)], 0.13, METAL)
    if offset:
        pen.line([(offset, bottom + 1.0), (0.0, bottom + 1.0)], 0.1, METAL)
    pen.canvas.owner = owner
    case: Colour = (34, 36, 36) if random.random() < 0.7 else (168, 140, 40)
    pen.box((-0.33, bottom), (0.33, bottom + 1.6), case)
    lit = int(random.integers(3))
    for i, colour in enumerate((GREEN, AMBER, RED)):
        centre = (0.0, bottom + 0.31 + 0.49 * i)
        pen.disc(centre, 0.2, colour if i == lit else shaded(colour, 0.22))
        if i == lit:
            pen.disc((-0.03, centre[1] + 0.03), 0.07, shaded(colour, 1.5))


def draw_stop_sign(pen: Pen, random: np.random.Generator) -> None:
    """Draw a red octagon with its word on a pole."""
    height = float(random.uniform(1.9, 2.6))
    owner, pen.canvas.owner = pen.canvas.owner, NOBODY
    pen.line([(0.0, 0.0), (0.0, height)], 0.09, METAL)
    pen.canvas.owner = owner
    red: Colour = shaded((200, 28, 34), float(random.uniform(0.75, 1.15)))
    pen.polygon(_octagon((0.0, height), 0.56), (238, 238, 236))
    pen.polygon(_octagon((0.0, height), 0.5), red)
    pen.text("STOP", (0.0, height), height=0.25, colour=(244, 244, 242))


def draw_other_sign(pen: Pen, random: np.random.Generator) -> None:
    """Draw a sign that is no stop sign: round, blue, triangular or a red box on a pole."""
    height = float(random.uniform(1.7, 2.6))
    pen.line([(0.0, 0.0), (0.0, height)], 0.09, METAL)
    kinds: tuple[Callable[[Pen, Point], None], ...] = (_limit, _duty, _warning, _post_box)
    kinds[int(random.integers(len(kinds)))](pen, (0.0, height))


def _octagon(centre: Point, radius: float) -> list[Point]:
    angles = np.pi / 8 + np.arange(8) * np.pi / 4
    return [(centre[0] + radius * float(np.cos(a)), centre[1] + radius * float(np.sin(a)))
            for a in angles]  # fmt: skip


def _limit(pen: Pen, centre: Point) -> None:
    pen.disc(centre, 0.42, (200, 34, 38))
    pen.disc(centre, 0.31, (240, 240, 238))
    pen.text("30", centre, height=0.28, colour=(24, 24, 24))


def _duty(pen: Pen, centre: Point) -> None:
    pen.disc(centre, 0.4, (36, 84, 170))
    pen.line([(0.0, centre[1] - 0.2), (0.0, centre[1] + 0.2)], 0.09, (240, 240, 238))


def _warning(pen: Pen, centre: Point) -> None:
    x, y = centre
    pen.polygon([(x - 0.48, y - 0.36), (x + 0.48, y - 0.36), (x, y + 0.46)], (204, 36, 40))
    pen.polygon([(x - 0.3, y - 0.26), (x + 0.3, y - 0.26), (x, y + 0.26)], (244, 240, 226))


def _post_box(pen: Pen, centre: Point) -> None:
    low = centre[1] * 0.35
    pen.box((centre[0] - 0.28, low), (centre[0] + 0.28, low + 0.75), (190, 30, 34))
    pen.box((centre[0] - 0.18, low + 0.5), (centre[0] + 0.18, low + 0.56), (30, 20, 20))
