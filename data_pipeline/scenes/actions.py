"""Short films of one action in a street.

Two pairs of actions are each other played backwards, so that a frame alone hardly tells them
apart: a car that stops and one that starts, a light that turns red and one that turns green.
Cars and people go to the left as often as to the right: mirrored films keep their action.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from types import MappingProxyType

import numpy as np
from numpy.typing import NDArray

from data_pipeline.scenes import street
from data_pipeline.scenes.actors import Lamp, draw_light, draw_walker, draw_waver
from data_pipeline.scenes.canvas import Camera, Canvas, Pen
from data_pipeline.scenes.light import photographed
from data_pipeline.scenes.people import draw_person
from data_pipeline.scenes.vehicles import draw_car_end, draw_car_side

VERSION = 1  # raise it when the same seed draws other pictures
STREET, MOTION, PHOTOGRAPH = 2, 3, 4  # first words of the seeds; scenes of one picture have 1
BYSTANDERS = (
    street.draw_tree,
    street.draw_lamp_post,
    street.draw_bench,
    street.draw_bush,
    draw_person,
    draw_car_end,
)
STEPS_PER_S = 0.9  # double steps of a walker
WAVES_PER_S = 1.4
CAR_HALF_M = 2.3  # half its length, and a little


@dataclass(frozen=True, slots=True)
class FilmShape:
    """Size and length of a film."""

    width: int  # pixels
    height: int  # pixels
    frames: int
    rate: int  # frames per second


@dataclass(frozen=True, slots=True)
class Stage:
    """A street without its actor; films of one group share it."""

    backdrop: NDArray[np.uint8]  # (h, w, 3) canvas pixels
    camera: Camera
    hour: street.Hour
    distance_m: float  # of the actor from the camera
    look: int  # seed of what the actor looks like


@dataclass(frozen=True, slots=True)
class Motion:
    """How a film differs from the others of its stage."""

    turning_point: float  # share of the film after which things change
    pace: float  # of people: 1 is usual
    phase: float  # 0 to 1: pose at the start
    to_the_left: bool
    offset: float  # -1 to 1: where the actor stands


@dataclass(frozen=True, slots=True)
class Moment:
    """A frame that is being drawn."""

    canvas: Canvas
    stage: Stage
    motion: Motion
    share: float  # of the film: 0 at its first frame, 1 at its last
    second: float  # since its first frame

    @property
    def way(self) -> int:
        """Which way the actor goes: 1 to the right, -1 to the left."""
        return -1 if self.motion.to_the_left else 1

    @property
    def half_view_m(self) -> float:
        """Half of the width that is seen at the actor's distance, metres."""
        return self.canvas.width / 2 * self.stage.distance_m / self.stage.camera.focal

    def pen(self, x: float) -> Pen:
        """Return a pen for an actor `x` metres right of the middle of the view."""
        camera = self.stage.camera
        per_pixel = self.stage.distance_m / camera.focal
        middle = camera.right_m + (self.canvas.width / 2 - camera.centre_x) * per_pixel
        at = (middle + x, self.stage.distance_m)
        return _pen(self.canvas, camera, at, self.stage.hour, mirrored=self.motion.to_the_left)

    def looks(self) -> np.random.Generator:
        """Return the generator of the actor's look, the same for each frame."""
        return np.random.default_rng(self.stage.look)


def film(
    action: str, *, seed: int, group: int, clip: int, shape: FilmShape
) -> Iterator[NDArray[np.uint8]]:
    """Draw a film frame by frame; the same arguments give the same pixels.

    Args:
        action: One of `ACTIONS`.
        seed: Of the whole set.
        group: Of the street and the actor's look.
        clip: Of the motion.
        shape: Size and length.

    Yields:
        (h, w, 3) RGB.
    """
    words = [seed, list(ACTIONS).index(action), group]
    stage = _stage(np.random.default_rng([STREET, *words]), shape)
    motion = _motion(np.random.default_rng([MOTION, *words, clip]))
    canvas = Canvas(shape.width, shape.height)
    for frame in range(shape.frames):
        canvas.pixels[:] = stage.backdrop
        share = frame / max(1, shape.frames - 1)
        ACTIONS[action](Moment(canvas, stage, motion, share, frame / shape.rate))
        picture, _ = canvas.reduced()
        # the same generator for each frame: the light does not flicker
        yield photographed(picture, np.random.default_rng([PHOTOGRAPH, *words, clip]))


def _stage(random: np.random.Generator, shape: FilmShape) -> Stage:
    canvas = Canvas(shape.width, shape.height)
    camera = Camera(
        centre_x=canvas.width * float(random.uniform(0.4, 0.6)),
        horizon_y=canvas.height * float(random.uniform(0.42, 0.52)),
        focal=canvas.width * float(random.uniform(0.85, 1.1)),
        height_m=float(random.uniform(1.5, 2.2)),
        right_m=float(random.uniform(-1.5, 1.5)),
    )
    hour = street.HOURS[int(random.choice(4, p=[0.4, 0.3, 0.18, 0.12]))]
    street.draw_surroundings(canvas, camera, random, hour=hour)
    farthest_first = np.sort(random.uniform(12, 32, size=int(random.integers(2, 6))))[::-1]
    for z in farthest_first:
        x = float(random.uniform(-street.KERB_M, street.KERB_M))
        pen = _pen(canvas, camera, (x, float(z)), hour)
        BYSTANDERS[int(random.integers(len(BYSTANDERS)))](pen, random)
    distance_m, look = float(random.uniform(6.0, 8.5)), int(random.integers(2**31))
    return Stage(canvas.pixels, camera, hour, distance_m, look)


def _motion(random: np.random.Generator) -> Motion:
    return Motion(
        turning_point=float(random.uniform(0.35, 0.65)),
        pace=float(random.uniform(0.8, 1.25)),
        phase=float(random.random()),
        to_the_left=bool(random.random() < 0.5),
        offset=float(random.uniform(-1, 1)),
    )


def _pen(
    canvas: Canvas,
    camera: Camera,
    at: tuple[float, float],
    hour: street.Hour,
    *,
    mirrored: bool = False,
) -> Pen:
    """Return a pen at a place right and ahead of the camera, metres."""
    x, z = at
    return Pen(
        canvas,
        foot=camera.at(x, 0, z),
        scale=camera.focal / z,
        haze=hour.sky_low,
        faded=1 - float(np.exp(-z / 110)),
        mirrored=mirrored,
    )


def _car(moment: Moment, place: float) -> None:
    """Draw the car: at -1 it is about to come into view, at 1 it has just left it."""
    x = moment.way * place * (moment.half_view_m + CAR_HALF_M)
    draw_car_side(moment.pen(x), moment.looks())


def car_place(motion: Motion, share: float) -> float:
    """Return where a car is that brakes evenly and then stands."""
    left = max(0.0, 1 - share / (motion.turning_point + 0.1))
    # Where it stands is chosen so that on average films of both actions show it in the middle.
    return 0.6 * motion.offset + 0.16 - 0.8 * left**2


def _car_passes(moment: Moment) -> None:
    _car(moment, 2 * moment.share - 1)


def _car_stops(moment: Moment) -> None:
    _car(moment, car_place(moment.motion, moment.share))


def _car_starts(moment: Moment) -> None:
    _car(moment, -car_place(moment.motion, 1 - moment.share))


def _light(moment: Moment, lit: Lamp) -> None:
    pen = moment.pen(0.55 * moment.half_view_m * moment.motion.offset)
    draw_light(pen, moment.looks(), lit=lit)


def _light_turns_green(moment: Moment) -> None:
    _light(moment, "green" if moment.share >= moment.motion.turning_point else "red")


def _light_turns_red(moment: Moment) -> None:
    _light(moment, "red" if moment.share >= moment.motion.turning_point else "green")


def _person_crosses(moment: Moment) -> None:
    reach = 0.8 * moment.half_view_m * moment.motion.pace
    pen = moment.pen(moment.way * (2 * moment.share - 1) * reach)
    step = moment.motion.phase + STEPS_PER_S * moment.motion.pace * moment.second
    draw_walker(pen, moment.looks(), step=step)


def _person_waves(moment: Moment) -> None:
    pen = moment.pen(0.6 * moment.half_view_m * moment.motion.offset)
    turn = moment.motion.phase + WAVES_PER_S * moment.motion.pace * moment.second
    draw_waver(pen, moment.looks(), lift=float(np.sin(2 * np.pi * turn)))


ACTIONS: Mapping[str, Callable[[Moment], None]] = MappingProxyType(
    {
        "CarPassing": _car_passes,
        "CarStarting": _car_starts,
        "CarStopping": _car_stops,
        "LightTurnsGreen": _light_turns_green,
        "LightTurnsRed": _light_turns_red,
        "PersonCrossing": _person_crosses,
        "PersonWaving": _person_waves,
    }
)
