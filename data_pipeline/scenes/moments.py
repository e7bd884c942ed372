"""A moment of a film: the street that films of a group share, and how one differs from them."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from data_pipeline.scenes import street
from data_pipeline.scenes.canvas import Camera, Canvas, Pen
from data_pipeline.scenes.people import draw_person
from data_pipeline.scenes.vehicles import draw_car_end

BYSTANDERS = (
    street.draw_tree,
    street.draw_lamp_post,
    street.draw_bench,
    street.draw_bush,
    draw_person,
    draw_car_end,
)


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


def drawn_stage(random: np.random.Generator, shape: FilmShape) -> Stage:
    """Draw a street, and choose where and whom its films show."""
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


def drawn_motion(random: np.random.Generator) -> Motion:
    """Choose how a film differs from the others of its stage."""
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
