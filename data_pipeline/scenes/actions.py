"""Short films of one action in a street.

Two pairs of actions are each other played backwards, so that a frame alone hardly tells them
apart: a car that stops and one that starts, a light that turns red and one that turns green.
Cars and people go to the left as often as to the right: mirrored films keep their action. For
actions that a frame alone does not tell apart at all, see `balloons`.
"""

from collections.abc import Callable, Iterator, Mapping
from functools import partial
from types import MappingProxyType

import numpy as np
from numpy.typing import NDArray

from data_pipeline.scenes.actors import Lamp, draw_light, draw_walker, draw_waver
from data_pipeline.scenes.balloons import WAYS, draw_balloons
from data_pipeline.scenes.canvas import Canvas
from data_pipeline.scenes.light import photographed
from data_pipeline.scenes.moments import FilmShape, Moment, Motion, drawn_motion, drawn_stage
from data_pipeline.scenes.vehicles import draw_car_side

VERSION = 1  # raise it when the same seed draws other pictures
STREET, MOTION, PHOTOGRAPH = 2, 3, 4  # first words of the seeds; scenes of one picture have 1
STEPS_PER_S = 0.9  # double steps of a walker
WAVES_PER_S = 1.4
CAR_HALF_M = 2.3  # half its length, and a little


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
    stage = drawn_stage(np.random.default_rng([STREET, *words]), shape)
    motion = drawn_motion(np.random.default_rng([MOTION, *words, clip]))
    canvas = Canvas(shape.width, shape.height)
    for frame in range(shape.frames):
        canvas.pixels[:] = stage.backdrop
        share = frame / max(1, shape.frames - 1)
        ACTIONS[action](Moment(canvas, stage, motion, share, frame / shape.rate))
        picture, _ = canvas.reduced()
        # the same generator for each frame: the light does not flicker
        yield photographed(picture, np.random.default_rng([PHOTOGRAPH, *words, clip]))


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


EVERYDAY: Mapping[str, Callable[[Moment], None]] = MappingProxyType(
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
MOTION_ONLY: Mapping[str, Callable[[Moment], None]] = MappingProxyType(
    {action: partial(draw_balloons, action=action) for action in WAYS}
)
# The place of an action in this list is a part of its seeds: new ones come last.
ACTIONS: Mapping[str, Callable[[Moment], None]] = MappingProxyType({**EVERYDAY, **MOTION_ONLY})
