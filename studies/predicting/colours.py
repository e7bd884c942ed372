"""The colour of each class in label maps and overlays; the same in every picture and study.

The thesis names its colours: people red, cars green, buses blue, traffic lights cyan. The other
classes take those of Okabe and Ito that cannot be mistaken for these, and then hues a golden angle
apart, which no two of a label map share.
"""

import colorsys
from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import TypeAlias

from models.label_maps import NONE
from models.metrics.names import BACKGROUND

Colour: TypeAlias = tuple[int, int, int]  # RGB, 0 to 255
_RED, _GREEN, _BLUE, _CYAN = (255, 0, 0), (0, 255, 0), (0, 0, 255), (0, 255, 255)
THESIS: Mapping[str, Colour] = MappingProxyType(
    {
        "person": _RED,
        "people": _RED,
        "pedestrian": _RED,
        "car": _GREEN,
        "bus": _BLUE,
        "traffic light": _CYAN,
    }
)
OTHERS: tuple[Colour, ...] = (
    (240, 228, 66),
    (204, 121, 167),
    (230, 159, 0),
    (0, 114, 178),
    (213, 94, 0),
    (86, 180, 233),
    (0, 158, 115),
)
BLACK, LIGHT_GREY = (0, 0, 0), (224, 224, 224)
GOLDEN_ANGLE = 0.618033988749895  # of a turn
LEVELS = 3  # of brightness, in turn


def class_colours(class_names: Sequence[str]) -> tuple[Colour, ...]:
    """Return a colour for each of at most 255 classes, no two alike; background is black."""
    kept = (*THESIS.values(), BLACK)
    spare = [each for each in dict.fromkeys((*OTHERS, *_hues())) if each not in kept]
    colours: list[Colour] = []
    for name in class_names:
        named = BLACK if name == BACKGROUND else THESIS.get(name.lower())
        colours.append(spare.pop(0) if named is None or named in colours else named)
    return tuple(colours)


def palette(colours: Sequence[Colour]) -> list[int]:
    """Return the 768 numbers of a PNG's palette; `NONE` is light grey."""
    entries = [*colours, *[BLACK] * (NONE - len(colours)), LIGHT_GREY]
    return [value for colour in entries for value in colour]


def _hues() -> list[Colour]:
    """Return 255 colours that differ."""
    found: dict[Colour, None] = {}
    number = 0
    while len(found) < NONE:
        value = 1 - 0.25 * (number % LEVELS)
        red, green, blue = colorsys.hsv_to_rgb(number * GOLDEN_ANGLE % 1, 0.75, value)
        found[round(red * 255), round(green * 255), round(blue * 255)] = None
        number += 1
    return list(found)
