"""People: walking, standing and waving, in many clothes."""

from collections.abc import Sequence

import numpy as np

from data_pipeline.scenes.canvas import Colour, Pen, shaded

SKIN: tuple[Colour, ...] = (
    (255, 219, 190), (236, 188, 152), (205, 150, 112), (160, 108, 74), (110, 72, 50), (74, 48, 36),
)  # fmt: skip
HAIR: tuple[Colour, ...] = (
    (30, 24, 20), (66, 44, 30), (120, 80, 44), (196, 160, 96), (150, 150, 150), (140, 60, 34),
)  # fmt: skip
CLOTHES: tuple[Colour, ...] = (
    (34, 36, 42), (52, 64, 98), (86, 88, 92), (150, 34, 38), (38, 92, 60), (214, 206, 190),
    (196, 150, 40), (110, 60, 112), (70, 120, 170), (226, 226, 232), (120, 86, 60), (222, 110, 60),
)  # fmt: skip


def one_of(colours: Sequence[Colour], random: np.random.Generator) -> Colour:
    """Draw one of the colours, a little lighter or darker."""
    return shaded(colours[int(random.integers(len(colours)))], float(random.uniform(0.82, 1.15)))


def draw_person(pen: Pen, random: np.random.Generator) -> None:
    """Draw a person of 1.1 to 1.95 m, seen from the front or from the side."""
    tall = float(random.uniform(1.55, 1.95)) if random.random() < 0.85 else 1.15
    skin, top = one_of(SKIN, random), one_of(CLOTHES, random)
    build = tall * float(random.uniform(0.88, 1.25))  # width grows with it
    walking = random.random() < 0.65
    _legs(pen, random, tall=tall, build=build, walking=walking)
    if random.random() < 0.3:
        pen.disc((-0.11 * build, 0.68 * tall), (0.09 * build, 0.13 * tall), shaded(top, 0.5))
    _arm(pen, random, tall=tall, side=-0.11 * build, colours=(shaded(top, 0.75), skin))
    _trunk(pen, random, tall=tall, build=build, top=top)
    _arm(pen, random, tall=tall, side=0.11 * build, colours=(shaded(top, 0.88), skin))
    _head(pen, random, tall=tall, skin=skin)


def _legs(
    pen: Pen, random: np.random.Generator, *, tall: float, build: float, walking: bool
) -> None:
    trousers = one_of(CLOTHES, random)
    stride = float(random.uniform(0.06, 0.2)) * tall if walking else 0.05 * tall
    hip, width = 0.5 * tall, 0.085 * build
    for side, shade in ((-1, 0.78), (1, 1.0)):
        bend = side * stride * 0.35 + (0.04 * tall if walking else 0.0)
        foot = (side * stride, 0.035 * tall)
        pen.line(
            [(side * 0.045 * build, hip), (bend, 0.27 * tall), foot],
            width,
            shaded(trousers, shade),
        )
        pen.line([foot, (foot[0] + 0.05 * tall, 0.025 * tall)], 0.05 * tall, (36, 30, 28))


def _trunk(
    pen: Pen, random: np.random.Generator, *, tall: float, build: float, top: Colour
) -> None:
    hem = 0.3 if random.random() < 0.25 else 0.47  # a coat or a dress, else a jacket
    flare = 0.13 if hem < 0.4 else 0.085
    shoulder = 0.115 * build
    outline = [
        (-shoulder, 0.79 * tall), (-0.07 * build, 0.835 * tall), (0.07 * build, 0.835 * tall),
        (shoulder, 0.79 * tall), (0.085 * build, 0.6 * tall), (flare * build, hem * tall),
        (-flare * build, hem * tall), (-0.085 * build, 0.6 * tall),
    ]  # fmt: skip
    pen.polygon(outline, top)
    if random.random() < 0.4:
        stripe = one_of(CLOTHES, random)
        pen.box((-0.085 * build, 0.62 * tall), (0.085 * build, 0.7 * tall), stripe)


def _arm(
    pen: Pen,
    random: np.random.Generator,
    *,
    tall: float,
    side: float,
    colours: tuple[Colour, Colour],
) -> None:
    sleeve, skin = colours
    raised = random.random() < 0.08
    swing = float(random.uniform(-0.1, 0.13)) * tall
    elbow = (side * 1.5 + swing * 0.5, (0.88 if raised else 0.64) * tall)
    hand = (side * 1.3 + swing * 1.4, (1.02 if raised else 0.5) * tall)
    pen.line([(side, 0.785 * tall), elbow, hand], 0.055 * tall, sleeve)
    pen.disc(hand, 0.03 * tall, skin)


def _head(pen: Pen, random: np.random.Generator, *, tall: float, skin: Colour) -> None:
    centre, turned = (0.0, 0.915 * tall), random.random()
    pen.box((-0.025 * tall, 0.82 * tall), (0.025 * tall, 0.88 * tall), shaded(skin, 0.85))
    hair = one_of(HAIR, random)
    if random.random() < 0.35:  # long hair, behind the face
        pen.disc((0.0, 0.895 * tall), (0.068 * tall, 0.095 * tall), hair)
    pen.disc(centre, (0.053 * tall, 0.072 * tall), hair if turned < 0.25 else skin)
    cover = one_of(CLOTHES, random) if random.random() < 0.2 else hair
    pen.cap((0.0, 0.925 * tall), (0.06 * tall, 0.072 * tall), cover)
