"""A street scene: what stands where, who hides whom, and the masks of what is still seen."""

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from data_pipeline.scenes import signs, street, vehicles
from data_pipeline.scenes.canvas import ENLARGED, MAX_OBJECTS, NOBODY, Camera, Canvas, Pen
from data_pipeline.scenes.light import photographed
from data_pipeline.scenes.people import draw_person

VERSION = 1  # raise it when the same seed draws other pictures
MIN_PIXELS = 8  # less is no longer recognisable, and is not annotated

Draw = Callable[[Pen, np.random.Generator], None]
Zone = tuple[float, float]  # metres right of the road's middle

ROAD: Zone = (-street.ROAD_HALF_M + 1.2, street.ROAD_HALF_M - 1.2)
ANYWHERE: Zone = (-street.KERB_M + 0.4, street.KERB_M - 0.4)
PAVEMENTS: tuple[Zone, ...] = (
    (-street.KERB_M + 0.3, -street.ROAD_HALF_M - 0.4),
    (street.ROAD_HALF_M + 0.4, street.KERB_M - 0.3),
)
KERBS: tuple[Zone, ...] = (
    (-street.ROAD_HALF_M - 1.2, -street.ROAD_HALF_M - 0.3),
    (street.ROAD_HALF_M + 0.3, street.ROAD_HALF_M + 1.2),
)


@dataclass(frozen=True, slots=True)
class Kind:
    """Something that may stand in a scene."""

    class_name: str | None  # None: nobody's, it only hides others
    draw: Draw
    zones: tuple[Zone, ...]
    footprint: tuple[float, float]  # metres across and ahead that nothing else may use
    distance: tuple[float, float]  # metres from the camera, nearest and farthest


PERSON = Kind("person", draw_person, (ANYWHERE, *PAVEMENTS), (0.7, 0.7), (4.5, 22.0))
CARS = (
    Kind("car", vehicles.draw_car_end, (ROAD, ROAD), (2.3, 5.0), (6.5, 36.0)),
    Kind("car", vehicles.draw_car_side, (ANYWHERE,), (4.8, 2.2), (7.0, 26.0)),
)
BUSES = (
    Kind("bus", vehicles.draw_bus_end, (ROAD,), (3.0, 11.0), (9.0, 30.0)),
    Kind("bus", vehicles.draw_bus_side, (ANYWHERE,), (11.0, 3.0), (11.0, 30.0)),
)
LIGHT = Kind("traffic light", signs.draw_traffic_light, KERBS, (0.5, 0.5), (5.0, 18.0))
STOP = Kind("stop sign", signs.draw_stop_sign, KERBS, (0.5, 0.5), (4.5, 15.0))
CLUTTER = (
    Kind(None, street.draw_tree, PAVEMENTS, (1.0, 1.0), (7.0, 40.0)),
    Kind(None, street.draw_lamp_post, PAVEMENTS, (0.4, 0.4), (6.0, 40.0)),
    Kind(None, street.draw_bench, PAVEMENTS, (2.0, 0.8), (6.0, 25.0)),
    Kind(None, street.draw_bin, PAVEMENTS, (0.6, 0.6), (5.0, 25.0)),
    Kind(None, street.draw_bush, PAVEMENTS, (1.8, 0.8), (5.0, 25.0)),
    Kind(None, signs.draw_other_sign, PAVEMENTS, (0.5, 0.5), (5.0, 22.0)),
)
CLASS_NAMES = ("person", "car", "bus", "traffic light", "stop sign")


@dataclass(frozen=True, slots=True)
class Placed:
    """A kind at a place on the street, in metres right and ahead of the camera."""

    kind: Kind
    x: float
    z: float
    crowd: int | None = None  # number of the crowd it is in


@dataclass(frozen=True, slots=True)
class SceneObject:
    """What can be seen of an object, or of a crowd of them."""

    class_name: str
    is_crowd: bool
    mask: NDArray[np.bool_]  # (h, w), at least MIN_PIXELS of them


@dataclass(frozen=True, slots=True)
class Scene:
    """A picture and its objects."""

    image: NDArray[np.uint8]  # (h, w, 3) RGB
    objects: tuple[SceneObject, ...]  # at least one that is no crowd


def draw_scene(seed: int, number: int, *, width: int, height: int) -> Scene:
    """Draw a scene; the same seed and number give the same pixels.

    Args:
        seed: Of the whole set.
        number: Of the scene in it.
        width: Of the picture, pixels.
        height: Of the picture, pixels.
    """
    attempt = 0
    while True:  # a scene in which nothing can be seen is drawn anew; one in some thousands
        random = np.random.default_rng([1, seed, number, attempt])
        scene = _attempt(random, width=width, height=height)
        if any(not thing.is_crowd for thing in scene.objects):
            return scene
        attempt += 1


def _attempt(random: np.random.Generator, *, width: int, height: int) -> Scene:
    canvas = Canvas(width, height)
    camera = Camera(
        centre_x=canvas.width * float(random.uniform(0.3, 0.7)),
        horizon_y=canvas.height * float(random.uniform(0.34, 0.52)),
        focal=canvas.width * float(random.uniform(0.85, 1.35)),
        height_m=float(random.uniform(1.5, 3.2)),
        right_m=float(random.uniform(-4.0, 4.0)),
    )
    hour = street.HOURS[int(random.choice(4, p=[0.4, 0.3, 0.18, 0.12]))]
    street.draw_surroundings(canvas, camera, random, hour=hour)
    placed = sorted(_arranged(random, canvas, camera), key=lambda thing: -thing.z)
    owners: dict[int, Placed] = {}
    crowds: dict[int, int] = {}
    for thing in placed:
        canvas.owner = _owner_of(thing, owners, crowds)
        thing.kind.draw(_pen(canvas, camera, thing, hour=hour, random=random), random)
    picture, seen = canvas.reduced()
    return Scene(photographed(picture, random), _visible(seen, owners))


def _owner_of(thing: Placed, owners: dict[int, Placed], crowds: dict[int, int]) -> int:
    """Number the objects; all members of a crowd have one number."""
    if thing.kind.class_name is None:
        return NOBODY
    number = len(owners) + 1
    if thing.crowd is not None:
        number = crowds.setdefault(thing.crowd, number)
    owners.setdefault(number, thing)
    return number


def _visible(seen: NDArray[np.uint8], owners: dict[int, Placed]) -> tuple[SceneObject, ...]:
    objects = []
    for number, thing in owners.items():
        mask = seen == number
        if thing.kind.class_name is not None and np.count_nonzero(mask) >= MIN_PIXELS:
            objects.append(SceneObject(thing.kind.class_name, thing.crowd is not None, mask))
    return tuple(objects)


def _pen(
    canvas: Canvas,
    camera: Camera,
    thing: Placed,
    *,
    hour: street.Hour,
    random: np.random.Generator,
) -> Pen:
    return Pen(
        canvas,
        foot=camera.at(thing.x, 0, thing.z),
        scale=camera.focal / thing.z,
        haze=hour.sky_low,
        faded=1 - float(np.exp(-thing.z / 110)),
        mirrored=bool(random.random() < 0.5),
        squeeze=float(random.uniform(0.72, 1.0)),
    )


def _arranged(random: np.random.Generator, canvas: Canvas, camera: Camera) -> list[Placed]:
    """Choose what stands in the scene and find each a free place in view."""
    wanted = [PERSON] * int(random.choice(7, p=[0.12, 0.2, 0.22, 0.18, 0.13, 0.1, 0.05]))
    wanted += [CARS[int(random.random() < 0.35)] for _ in range(int(random.integers(0, 5)))]
    wanted += [BUSES[int(random.random() < 0.5)] for _ in range(int(random.random() < 0.45))]
    wanted += [LIGHT] * int(random.choice(4, p=[0.38, 0.34, 0.2, 0.08]))
    wanted += [STOP] * int(random.choice(3, p=[0.45, 0.4, 0.15]))
    wanted += [
        CLUTTER[int(random.integers(len(CLUTTER)))] for _ in range(int(random.integers(2, 8)))
    ]
    order = random.permutation(len(wanted))
    placed: list[Placed] = []
    for index in order[:MAX_OBJECTS]:
        place = _free_place(wanted[int(index)], placed, random, canvas=canvas, camera=camera)
        if place is not None:
            placed.append(place)
    if random.random() < 0.12:
        placed += _crowd(random, canvas, camera)
    return placed


def _crowd(random: np.random.Generator, canvas: Canvas, camera: Camera) -> list[Placed]:
    """Put many people close together, far off; COCO annotates them as one crowd."""
    far = replace(PERSON, distance=(22.0, 32.0), footprint=(0.0, 0.0))
    middle = _free_place(far, [], random, canvas=canvas, camera=camera)
    if middle is None:
        return []
    return [
        replace(
            middle,
            x=middle.x + float(random.uniform(-1.8, 1.8)),
            z=middle.z + float(random.uniform(-0.8, 0.8)),
            crowd=0,
        )
        for _ in range(int(random.integers(8, 15)))
    ]


def _free_place(
    kind: Kind,
    placed: list[Placed],
    random: np.random.Generator,
    *,
    canvas: Canvas,
    camera: Camera,
) -> Placed | None:
    """Try some places, near ones less often than far ones; None when all were taken."""
    for _ in range(30):
        low, high = np.log(kind.distance)
        z = float(np.exp(random.uniform(low, high)))
        zone = kind.zones[int(random.integers(len(kind.zones)))]
        x = float(random.uniform(*zone))
        margin = 12 * ENLARGED
        column, row = camera.at(x, 0, z)
        in_view = margin < column < canvas.width - margin and row < canvas.height * 1.3
        place = Placed(kind, x, z)
        if in_view and not any(_collide(place, other) for other in placed):
            return place
    return None


def _collide(one: Placed, other: Placed) -> bool:
    across = (one.kind.footprint[0] + other.kind.footprint[0]) / 2
    ahead = (one.kind.footprint[1] + other.kind.footprint[1]) / 2
    return abs(one.x - other.x) < across and abs(one.z - other.z) < ahead
