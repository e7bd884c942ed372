"""The boxes of a picture's areas, large and small, from several ways to see and to group them.

Every way cuts the picture into areas and groups these until one is left; the box of each area
there ever was may hold an object. A box's place is drawn at random between the whole picture and
its own level of the hierarchy, so that no way and no size comes first (Uijlings et al. 2013,
section 4.4), with the same numbers for every picture: the same pixels give the same boxes.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from models.detection.selective_search.colours import ColourSpace, in_space
from models.detection.selective_search.grouping import Measure, hierarchy
from models.detection.selective_search.regions import Floats, pixel_bins, regions_of
from models.detection.selective_search.segmentation import segment

SEED = 0  # of the places of boxes
ALL: tuple[Measure, ...] = ("colour", "texture", "size", "fill")
Quality = Literal["fast", "quality"]


@dataclass(frozen=True, slots=True)
class Ways:
    """Every combination of these is gone."""

    spaces: tuple[ColourSpace, ...]
    scales: tuple[int, ...]  # k of the segmentation; also the least pixels of an area
    measures: tuple[tuple[Measure, ...], ...]


WAYS: Mapping[Quality, Ways] = MappingProxyType(  # Uijlings et al. 2013, table 5
    {
        "fast": Ways(("hsv", "lab"), (50, 100), (ALL, ALL[1:])),
        "quality": Ways(
            ("hsv", "lab", "rgi", "h", "i"),
            (50, 100, 150, 300),
            (ALL, ALL[1:], ("fill",), ("size",)),
        ),
    }
)


def selective_search(rgb: NDArray[np.uint8], quality: Quality = "fast") -> NDArray[np.float32]:
    """Return boxes that may hold an object, each once, the likeliest ones not far behind.

    Args:
        rgb: (h, w, 3).
        quality: "fast" goes 8 ways, "quality" 80, which takes ten times as long.

    Returns:
        (n, 4) xyxy, pixels; right and bottom are the first column and row outside.
    """
    generator = np.random.default_rng(SEED)
    found, places = [], []
    for boxes in _hierarchies(rgb, WAYS[quality]):
        found.append(boxes)
        levels = np.arange(len(boxes), 0, -1)  # 1 is the whole picture, the last one
        places.append(generator.random(len(boxes)) * levels)
    boxes = np.concatenate(found)[np.argsort(np.concatenate(places), kind="stable")]
    _, first = np.unique(boxes, axis=0, return_index=True)
    return boxes[np.sort(first)].astype(np.float32)


def _hierarchies(rgb: NDArray[np.uint8], ways: Ways) -> Iterator[Floats]:
    for space in ways.spaces:
        picture = in_space(rgb, space)
        bins = pixel_bins(picture)
        for scale in ways.scales:
            regions = regions_of(segment(picture, scale=scale, least_pixels=scale), bins)
            for measures in ways.measures:
                yield hierarchy(regions, measures)
