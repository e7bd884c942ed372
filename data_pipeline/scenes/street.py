"""Everything that is no object: sky, houses, road, pavement, trees, benches and bins."""

from dataclasses import dataclass
from itertools import pairwise

import cv2
import numpy as np

from data_pipeline.scenes.canvas import Camera, Canvas, Colour, Pen, Point, mixed, shaded
from data_pipeline.scenes.people import one_of

ROAD_HALF_M = 4.2
KERB_M = 7.2  # outer edge of the pavement; houses begin behind it
FAR_M = 220.0

WALLS: tuple[Colour, ...] = (
    (178, 152, 128), (150, 92, 74), (206, 196, 178), (120, 124, 130), (188, 170, 120),
    (136, 110, 96), (164, 178, 184), (96, 84, 80),
)  # fmt: skip
LEAVES: tuple[Colour, ...] = ((62, 96, 48), (84, 118, 54), (44, 78, 46), (130, 122, 52))


@dataclass(frozen=True, slots=True)
class Hour:
    """The light of a scene before it is put over everything."""

    sky_top: Colour
    sky_low: Colour  # also what far things fade to
    windows_lit: float  # share of windows


HOURS: tuple[Hour, ...] = (
    Hour((96, 150, 214), (206, 222, 234), 0.0),  # clear
    Hour((168, 174, 182), (208, 210, 212), 0.08),  # overcast
    Hour((92, 96, 140), (240, 178, 128), 0.35),  # dusk
    Hour((22, 26, 46), (58, 58, 76), 0.6),  # night
)


def draw_surroundings(
    canvas: Canvas, camera: Camera, random: np.random.Generator, *, hour: Hour
) -> None:
    """Draw the empty street from the sky to the viewer's feet."""
    _sky(canvas, camera, random, hour=hour)
    _skyline(canvas, camera, random, hour=hour)
    _ground(canvas, camera, random, hour=hour)
    for side in (-1, 1):
        _houses(canvas, camera, random, hour=hour, side=side)


def _sky(canvas: Canvas, camera: Camera, random: np.random.Generator, *, hour: Hour) -> None:
    horizon = int(np.clip(camera.horizon_y + 2, 1, canvas.height))
    share = np.linspace(0, 1, horizon)[:, None, None]
    blend = np.array(hour.sky_top) * (1 - share) + np.array(hour.sky_low) * share
    canvas.pixels[:horizon] = blend.astype(np.uint8)
    for _ in range(int(random.integers(0, 5))):
        centre = (float(random.uniform(0, canvas.width)), float(random.uniform(0, horizon * 0.7)))
        across = float(random.uniform(0.05, 0.16)) * canvas.width
        for _ in range(4):
            puff = (centre[0] + float(random.normal(0, across * 0.5)), centre[1])
            colour = shaded(hour.sky_low, float(random.uniform(1.05, 1.3)))
            canvas.ellipse(puff, (across * 0.6, across * 0.13), colour)
    top = canvas.pixels[:horizon]
    top[:] = cv2.blur(top, (31, 31))  # clouds have no edges


def _skyline(canvas: Canvas, camera: Camera, random: np.random.Generator, *, hour: Hour) -> None:
    left = 0.0
    while left < canvas.width:
        width = float(random.uniform(0.04, 0.12)) * canvas.width
        top = camera.horizon_y - float(random.uniform(0.02, 0.16)) * canvas.height
        colour = mixed(one_of(WALLS, random), hour.sky_low, 0.68)
        bottom = camera.horizon_y + 4
        canvas.polygon(
            [(left, bottom), (left, top), (left + width, top), (left + width, bottom)], colour
        )
        left += width


def _ground(canvas: Canvas, camera: Camera, random: np.random.Generator, *, hour: Hour) -> None:
    asphalt = one_of(((92, 94, 98), (72, 74, 80), (112, 110, 108)), random)
    paving = one_of(((164, 158, 150), (150, 150, 150), (176, 164, 142)), random)
    # Houses stand behind the pavement, so that all the ground is paved.
    lot = (0.0, camera.horizon_y), (float(canvas.width), camera.horizon_y)
    canvas.polygon([*lot, (canvas.width, canvas.height), (0.0, canvas.height)], paving)
    near = _nearest(canvas, camera)
    for half, colour in ((ROAD_HALF_M + 0.2, shaded(paving, 0.72)), (ROAD_HALF_M, asphalt)):
        _strip(canvas, camera, x=(-half, half), z=(near, FAR_M), colour=colour)
    dash = mixed(asphalt, (236, 234, 224), 0.8)
    start = near + float(random.uniform(0, 4))
    while start < 70:
        _strip(canvas, camera, x=(-0.09, 0.09), z=(start, start + 2.2), colour=dash)
        start += 5.0
    if random.random() < 0.4:
        first = float(random.uniform(7, 16))
        for x in np.arange(-ROAD_HALF_M + 0.3, ROAD_HALF_M - 0.4, 1.0):
            bar = (float(x), float(x) + 0.5)
            _strip(canvas, camera, x=bar, z=(first, first + 3.0), colour=dash)
    _fade(canvas, camera, hour)


def _strip(canvas: Canvas, camera: Camera, *, x: Point, z: Point, colour: Colour) -> None:
    (left, right), (near, far) = x, z
    corners = [(left, near), (right, near), (right, far), (left, far)]
    canvas.polygon([camera.at(across, 0, ahead) for across, ahead in corners], colour)


def _fade(canvas: Canvas, camera: Camera, hour: Hour) -> None:
    """Let the street fade towards the horizon."""
    first = int(np.clip(camera.horizon_y, 0, canvas.height - 1))
    depth = np.arange(canvas.height - first) / max(1, canvas.height - first)
    share = (0.6 * np.exp(-depth * 9))[:, None, None]
    region = canvas.pixels[first:]
    region[:] = (region * (1 - share) + np.array(hour.sky_low) * share).astype(np.uint8)


def _nearest(canvas: Canvas, camera: Camera) -> float:
    """Return the distance in metres at which the street leaves the picture, halved."""
    return 0.5 * camera.focal * camera.height_m / max(1.0, canvas.height - camera.horizon_y)


def _houses(
    canvas: Canvas, camera: Camera, random: np.random.Generator, *, hour: Hour, side: int
) -> None:
    edge = side * (KERB_M + float(random.uniform(0, 2.5)))
    ends = [2.0]
    while ends[-1] < 60:
        ends.append(ends[-1] + float(random.uniform(7, 16)))
    for near, far in reversed(list(pairwise(ends))):
        wall, tall = one_of(WALLS, random), float(random.uniform(5, 15))
        if random.random() < 0.12:
            continue  # a gap between the houses
        colour = mixed(wall, hour.sky_low, _haze(near))
        flank = [(edge, 0, near), (edge, 0, far), (edge, tall, far), (edge, tall, near)]
        in_shade = shaded(colour, 0.8 if side < 0 else 0.95)
        canvas.polygon([camera.at(*corner) for corner in flank], in_shade)
        front = [(edge, 0, near), (edge + side * 30, 0, near), (edge + side * 30, tall, near),
                 (edge, tall, near)]  # fmt: skip
        canvas.polygon([camera.at(*corner) for corner in front], colour)
        _windows(canvas, camera, random, wall=(edge, near, far, tall), hour=hour)


def _windows(
    canvas: Canvas,
    camera: Camera,
    random: np.random.Generator,
    *,
    wall: tuple[float, float, float, float],
    hour: Hour,
) -> None:
    edge, near, far, tall = wall
    for z in np.arange(near + 0.8, far - 1.6, 2.4):
        for low in np.arange(1.0, tall - 2.0, 3.0):
            lit = random.random() < hour.windows_lit
            pane = (250, 214, 130) if lit else one_of(((62, 74, 86), (96, 108, 118)), random)
            colour = mixed(pane, hour.sky_low, _haze(float(z)))
            corners = [(edge, low, z), (edge, low, z + 1.3), (edge, low + 1.6, z + 1.3),
                       (edge, low + 1.6, z)]  # fmt: skip
            canvas.polygon([camera.at(*corner) for corner in corners], colour)


def _haze(z: float) -> float:
    return 1 - float(np.exp(-z / 90))


def draw_tree(pen: Pen, random: np.random.Generator) -> None:
    """Draw a tree of 3 to 7 m; its crown hides what is behind."""
    trunk, crown = float(random.uniform(1.6, 2.8)), float(random.uniform(0.8, 1.9))
    pen.shadow(crown, 0.3)
    bark = one_of(((84, 66, 50), (70, 60, 54)), random)
    pen.line([(0.0, 0.0), (0.05, trunk + crown * 0.6)], 0.24, bark)
    leaf = one_of(LEAVES, random)
    for _ in range(14):
        x, y = float(random.normal(0, crown * 0.42)), float(random.normal(crown, crown * 0.38))
        size = crown * float(random.uniform(0.3, 0.5))
        pen.disc((x, trunk + y), size, shaded(leaf, float(random.uniform(0.75, 1.25))))


def draw_lamp_post(pen: Pen, random: np.random.Generator) -> None:
    """Draw a street lamp of about 6 m."""
    tall = float(random.uniform(5, 7))
    metal = one_of(((78, 84, 88), (50, 56, 54)), random)
    pen.line([(0.0, 0.0), (0.0, tall), (1.0, tall + 0.2)], 0.14, metal)
    pen.disc((1.1, tall + 0.15), (0.32, 0.12), (236, 232, 210))


def draw_bench(pen: Pen, random: np.random.Generator) -> None:
    """Draw a bench of 1.8 m."""
    wood = one_of(((128, 88, 52), (92, 70, 54), (74, 92, 70)), random)
    for x in (-0.75, 0.75):
        pen.line([(x, 0.0), (x, 0.85)], 0.07, (52, 52, 54))
    for y in (0.45, 0.62, 0.8):
        pen.box((-0.9, y - 0.06), (0.9, y + 0.05), shaded(wood, 0.8 + y / 3))


def draw_bin(pen: Pen, random: np.random.Generator) -> None:
    """Draw a bin or a bollard of about 1 m."""
    colour = one_of(((56, 82, 66), (70, 74, 80), (150, 60, 40), (48, 62, 92)), random)
    half, tall = float(random.uniform(0.12, 0.32)), float(random.uniform(0.75, 1.15))
    pen.shadow(half * 1.6, 0.12)
    pen.box((-half, 0.0), (half, tall), colour)
    pen.cap((0.0, tall), (half, 0.12), shaded(colour, 1.25))


def draw_bush(pen: Pen, random: np.random.Generator) -> None:
    """Draw a bush of about 1 m, wide enough to hide legs."""
    leaf = one_of(LEAVES, random)
    for _ in range(9):
        x = float(random.uniform(-0.8, 0.8))
        pen.disc(
            (x, float(random.uniform(0.2, 0.6))),
            float(random.uniform(0.22, 0.36)),
            shaded(leaf, float(random.uniform(0.7, 1.2))),
        )
