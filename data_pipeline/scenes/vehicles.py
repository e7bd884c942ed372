"""Cars and buses, from the side, the front and the back."""

import numpy as np

from data_pipeline.scenes.canvas import Colour, Pen, Point, shaded
from data_pipeline.scenes.people import one_of

PAINT: tuple[Colour, ...] = (
    (222, 224, 228), (168, 172, 178), (40, 42, 46), (90, 94, 100), (158, 30, 34), (32, 66, 134),
    (28, 92, 76), (202, 168, 60), (120, 92, 72), (84, 128, 170),
)  # fmt: skip
BUS_PAINT: tuple[Colour, ...] = (
    (196, 40, 40), (232, 176, 36), (44, 92, 168), (38, 130, 84), (228, 228, 224), (210, 104, 36),
)  # fmt: skip
GLASS: tuple[Colour, ...] = ((58, 74, 88), (92, 114, 130), (34, 42, 52), (130, 152, 166))
TYRE: Colour = (24, 24, 26)
LAMP: Colour = (255, 246, 214)
BRAKE_LAMP: Colour = (212, 30, 26)


def draw_car_side(pen: Pen, random: np.random.Generator) -> None:
    """Draw a car of about 4.2 m crossing the view."""
    paint, glass = one_of(PAINT, random), one_of(GLASS, random)
    roof = float(random.uniform(1.38, 1.72))
    back = float(random.uniform(-2.0, -1.1))  # an estate's roof reaches further than a saloon's
    pen.shadow(2.4, 0.3)
    pen.polygon(
        [
            (-2.1, 0.32), (-2.14, 0.78), (-1.98, 0.92), (back, roof - 0.03), (back + 0.4, roof),
            (0.55, roof), (1.18, 0.95), (1.95, 0.82), (2.12, 0.62), (2.12, 0.32),
        ],
        paint,
    )  # fmt: skip
    pen.polygon([(-2.1, 0.32), (-2.12, 0.52), (2.12, 0.5), (2.12, 0.32)], shaded(paint, 0.68))
    for left, right in ((max(back, -1.6) + 0.25, -0.28), (-0.2, 0.5)):
        slope = 0.5 if right > 0 else 0.0
        pen.polygon(
            [(left, 0.95), (left + 0.15, roof - 0.1), (right, roof - 0.1), (right + slope, 0.95)],
            glass,
        )
    pen.line([(-0.24, 0.42), (-0.24, 0.92)], 0.03, shaded(paint, 0.6))
    pen.box((1.92, 0.62), (2.1, 0.74), LAMP)
    pen.box((-2.12, 0.66), (-1.98, 0.84), BRAKE_LAMP)
    for x in (-1.32, 1.3):
        _wheel(pen, (x, 0.33), 0.34)


def draw_car_end(pen: Pen, random: np.random.Generator) -> None:
    """Draw a car of about 1.8 m width coming or going."""
    paint, glass = one_of(PAINT, random), one_of(GLASS, random)
    coming = random.random() < 0.5
    roof, half = float(random.uniform(1.4, 1.78)), float(random.uniform(0.84, 0.95))
    pen.shadow(1.2, 0.25)
    for side in (-1, 1):
        pen.box((side * half - 0.13, 0.0), (side * half + 0.13, 0.5), TYRE)
    pen.polygon(
        [
            (-half, 0.22), (-half - 0.03, 0.75), (-half + 0.08, 0.95), (-half + 0.22, roof - 0.06),
            (-half + 0.34, roof), (half - 0.34, roof), (half - 0.22, roof - 0.06),
            (half - 0.08, 0.95), (half + 0.03, 0.75), (half, 0.22),
        ],
        paint,
    )  # fmt: skip
    pen.polygon(
        [
            (-half + 0.16, 0.96), (-half + 0.32, roof - 0.1), (half - 0.32, roof - 0.1),
            (half - 0.16, 0.96),
        ],
        glass,
    )  # fmt: skip
    pen.box((-half, 0.22), (half, 0.4), shaded(paint, 0.55))
    pen.box((-0.26, 0.44), (0.26, 0.56), (236, 236, 220))
    lamp = LAMP if coming else BRAKE_LAMP
    for side in (-1, 1):
        pen.disc((side * (half - 0.2), 0.72), (0.15, 0.1), lamp)
    if coming:
        pen.box((-0.42, 0.62), (0.42, 0.76), shaded(paint, 0.4))


def draw_bus_side(pen: Pen, random: np.random.Generator) -> None:
    """Draw a bus of about 10 m crossing the view."""
    paint, glass = one_of(BUS_PAINT, random), one_of(GLASS, random)
    length, roof = float(random.uniform(8.5, 11.0)), float(random.uniform(2.85, 3.25))
    half = length / 2
    pen.shadow(half, 0.4)
    pen.polygon(
        [
            (-half, 0.35), (-half, roof - 0.15), (-half + 0.15, roof), (half - 0.3, roof),
            (half, roof - 0.4), (half, 0.35),
        ],
        paint,
    )  # fmt: skip
    pen.box((-half, 0.35), (half, 0.62), shaded(paint, 0.6))
    pen.box((-half, 1.05), (half, 1.22), shaded(paint, 1.3))
    count = int(length // 1.35)
    for i in range(count):
        left = -half + 0.25 + i * (length - 0.5) / count
        pen.box((left, 1.4), (left + (length - 0.5) / count - 0.12, roof - 0.5), glass)
    for x in (half - 1.1, -0.6):
        pen.box((x, 0.45), (x + 0.85, roof - 0.45), shaded(glass, 0.8))
        pen.line([(x + 0.42, 0.5), (x + 0.42, roof - 0.5)], 0.05, shaded(paint, 0.7))
    for x in (-half + 1.9, half - 2.3):
        _wheel(pen, (x, 0.48), 0.49)


def draw_bus_end(pen: Pen, random: np.random.Generator) -> None:
    """Draw a bus of 2.5 m width coming or going."""
    paint, glass = one_of(BUS_PAINT, random), one_of(GLASS, random)
    coming = random.random() < 0.6
    roof, half = float(random.uniform(2.85, 3.3)), 1.25
    pen.shadow(1.6, 0.35)
    for side in (-1, 1):
        pen.box((side * 1.0 - 0.17, 0.0), (side * 1.0 + 0.17, 0.5), TYRE)
    pen.polygon(
        [
            (-half, 0.28), (-half, roof - 0.18), (-half + 0.2, roof), (half - 0.2, roof),
            (half, roof - 0.18), (half, 0.28),
        ],
        paint,
    )  # fmt: skip
    low = 1.15 if coming else 1.6
    pen.box((-half + 0.12, low), (half - 0.12, roof - 0.52), glass)
    pen.box((-half + 0.2, roof - 0.44), (half - 0.2, roof - 0.14), (26, 26, 28))
    number = str(int(random.integers(2, 99)))
    pen.text(number, (0.0, roof - 0.29), height=0.22, colour=(250, 190, 60))
    pen.box((-half, 0.28), (half, 0.5), shaded(paint, 0.55))
    if coming:
        pen.line([(0.0, low), (0.0, roof - 0.52)], 0.05, shaded(paint, 0.5))
    lamp = LAMP if coming else BRAKE_LAMP
    for side in (-1, 1):
        pen.disc((side * 0.98, 0.74), (0.15, 0.12), lamp)
        pen.box((side * 1.38 - 0.1, 1.75), (side * 1.38 + 0.1, 2.25), (30, 30, 32))


def _wheel(pen: Pen, centre: Point, radius: float) -> None:
    pen.disc(centre, radius, TYRE)
    pen.disc(centre, radius * 0.58, (150, 152, 156))
    pen.disc(centre, radius * 0.2, (70, 72, 76))
