"""Who moves in a video: people that walk or wave, and traffic lights that change.

What an actor looks like is drawn from a generator; the same seed gives the same look, so a film
draws each frame with a fresh generator of one seed. What moves is an argument.
"""

import math
from typing import Literal

import numpy as np

from data_pipeline.scenes.canvas import Colour, Pen, Point, shaded
from data_pipeline.scenes.people import CLOTHES, HAIR, SKIN, one_of
from data_pipeline.scenes.signs import AMBER, GREEN, METAL, RED

Lamp = Literal["green", "red"]
LAMPS = (("green", GREEN), ("amber", AMBER), ("red", RED))  # from below
SWING = 0.42  # radians that a leg swings forward


def draw_walker(pen: Pen, random: np.random.Generator, *, step: float) -> None:
    """Draw a person who walks towards the right of the pen.

    Args:
        pen: Where the person is.
        random: Of the person's look.
        step: Double steps done so far; its fraction is the pose.
    """
    tall, skin, top, trousers, hair = _look(random)
    swing = SWING * math.sin(2 * math.pi * step)
    pen.shadow(0.5, 0.2)
    for side in (-1, 1):
        _leg(pen, tall, side * swing, shaded(trousers, 0.8 if side < 0 else 1.0))
    _arm(pen, tall, angle=0.8 * swing, colours=(shaded(top, 0.75), skin))
    _trunk(pen, tall, top)
    _arm(pen, tall, angle=-0.8 * swing, colours=(shaded(top, 0.9), skin))
    _head(pen, tall, skin, hair)


def draw_waver(pen: Pen, random: np.random.Generator, *, lift: float) -> None:
    """Draw a person who stands and waves.

    Args:
        pen: Where the person is.
        random: Of the person's look.
        lift: Where the raised arm is, -1 inwards to 1 outwards.
    """
    tall, skin, top, trousers, hair = _look(random)
    pen.shadow(0.5, 0.2)
    for side in (-1, 1):
        _leg(pen, tall, side * 0.08, shaded(trousers, 0.9))
    _arm(pen, tall, angle=0.12, colours=(shaded(top, 0.75), skin))
    _trunk(pen, tall, top)
    _head(pen, tall, skin, hair)
    _arm(pen, tall, angle=math.pi - 0.75 - 0.6 * lift, colours=(shaded(top, 0.9), skin))


def draw_light(pen: Pen, random: np.random.Generator, *, lit: Lamp) -> None:
    """Draw a traffic light on a pole with one lamp lit."""
    bottom = float(random.uniform(1.9, 2.6))
    case: Colour = (34, 36, 36) if random.random() < 0.7 else (168, 140, 40)
    pen.line([(0.0, 0.0), (0.0, bottom)], 0.13, METAL)
    pen.box((-0.33, bottom), (0.33, bottom + 1.6), case)
    for place, (name, colour) in enumerate(LAMPS):
        centre = (0.0, bottom + 0.31 + 0.49 * place)
        pen.disc(centre, 0.22, colour if name == lit else shaded(colour, 0.2))


def _look(random: np.random.Generator) -> tuple[float, Colour, Colour, Colour, Colour]:
    tall = float(random.uniform(1.55, 1.95))
    return (
        tall,
        one_of(SKIN, random),
        one_of(CLOTHES, random),
        one_of(CLOTHES, random),
        one_of(HAIR, random),
    )


def _end(start: Point, length: float, angle: float) -> Point:
    """Return where a limb ends that hangs down, turned forward by an angle in radians."""
    return start[0] + length * math.sin(angle), start[1] - length * math.cos(angle)


def _leg(pen: Pen, tall: float, angle: float, colour: Colour) -> None:
    hip = (0.0, 0.5 * tall)
    knee = _end(hip, 0.24 * tall, angle + 0.12)
    foot = _end(knee, 0.23 * tall, angle - 0.15)
    pen.line([hip, knee, foot], 0.09 * tall, colour)
    pen.line([foot, (foot[0] + 0.06 * tall, foot[1])], 0.05 * tall, (36, 30, 28))


def _arm(pen: Pen, tall: float, *, angle: float, colours: tuple[Colour, Colour]) -> None:
    sleeve, skin = colours
    shoulder = (0.0, 0.78 * tall)
    elbow = _end(shoulder, 0.16 * tall, angle)
    hand = _end(elbow, 0.17 * tall, angle + 0.25)
    pen.line([shoulder, elbow, hand], 0.06 * tall, sleeve)
    pen.disc(hand, 0.035 * tall, skin)


def _trunk(pen: Pen, tall: float, top: Colour) -> None:
    low, high = 0.46 * tall, 0.83 * tall
    outline = [(-0.09, low), (-0.1, high - 0.06), (0.0, high), (0.1, high - 0.06), (0.09, low)]
    pen.polygon([(x * tall, y) for x, y in outline], top)


def _head(pen: Pen, tall: float, skin: Colour, hair: Colour) -> None:
    pen.box((-0.025 * tall, 0.82 * tall), (0.025 * tall, 0.88 * tall), shaded(skin, 0.85))
    pen.disc((0.0, 0.915 * tall), (0.053 * tall, 0.072 * tall), skin)
    pen.cap((0.0, 0.925 * tall), (0.06 * tall, 0.072 * tall), hair)
