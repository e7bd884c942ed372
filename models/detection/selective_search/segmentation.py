"""A picture in areas of like pixels (Felzenszwalb & Huttenlocher 2004, section 3).

Pixels are joined along edges between neighbours, the most alike first, as long as an edge is no
heavier than what holds each of the two areas together: the heaviest edge inside it, plus k by its
number of pixels. What is left below a least size joins the neighbour that is most alike.

The order of the edges matters, so joining is a loop. It is spared most edges: from one stretch of
weights to the next, those are left out that lie inside an area, or at one that is closed. A
closed area, whose limit is below an edge's weight, stays as it is, for all later ones are
heavier.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

STRETCHES = 24  # that the edges are gone through in
STEPS = ((0, 1), (1, 0), (1, 1), (1, -1))  # down and across, to half of the eight neighbours
SIGMA = 0.8  # pixels; of the Gaussian that takes out noise first

Labels = NDArray[np.int64]
Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Edges:
    """Pairs of neighbouring pixels, the most alike first."""

    first: Labels  # (e,) number of the pixel, row by row
    second: Labels  # (e,)
    weights: Floats  # (e,) distance of their colours


@dataclass(slots=True)
class Areas:
    """Areas that grow together."""

    of_pixel: Labels  # (pixels,)
    sizes: Labels  # (areas,) pixels; of an area that is used up, anything
    limits: Floats  # (areas,) heaviest edge that may join it to another one


def segment(
    picture: NDArray[np.float32], *, scale: float, least_pixels: int, sigma: float = SIGMA
) -> Labels:
    """Cut a picture into areas.

    Args:
        picture: (h, w, c); colours' Euclidean distances say how alike pixels are.
        scale: k: how much is needed for small areas to stay apart; greater ones give greater
            areas.
        least_pixels: Of an area, where there are so many in all.
        sigma: Pixels.

    Returns:
        (h, w): number of each pixel's area, from 0, each used.
    """
    height, width = picture.shape[:2]
    smooth = cv2.GaussianBlur(picture, (0, 0), sigma).reshape(height, width, -1)
    edges = grid_edges(smooth.astype(np.float64))
    areas = Areas(
        np.arange(height * width),
        np.ones(height * width, np.int64),
        np.full(height * width, float(scale)),
    )
    for part in np.array_split(np.arange(len(edges.weights)), STRETCHES):
        if len(part):
            both = _taken(edges, slice(part[0], part[-1] + 1), areas)
            _join(areas, both, allowed=min, limit=lambda size, weight: weight + scale / size)
    areas.limits = np.where(areas.sizes < least_pixels, math.inf, -1.0)
    everything = _taken(edges, slice(None), areas, either=True)
    _join(
        areas,
        everything,
        allowed=max,
        limit=lambda size, _: math.inf if size < least_pixels else -1.0,
    )
    labels: Labels = np.unique(areas.of_pixel, return_inverse=True)[1]
    return labels.reshape(height, width)


def grid_edges(picture: Floats) -> Edges:
    """Return the edges between each pixel of (h, w, c) and its eight neighbours."""
    height, width = picture.shape[:2]
    numbers = np.arange(height * width).reshape(height, width)
    firsts, seconds, weights = [], [], []
    for down, across in STEPS:
        here = (slice(0, height - down), slice(max(0, -across), width - max(0, across)))
        there = (slice(down, height), slice(max(0, across), width - max(0, -across)))
        firsts.append(numbers[here].ravel())
        seconds.append(numbers[there].ravel())
        weights.append(np.sqrt(np.square(picture[here] - picture[there]).sum(axis=-1)).ravel())
    values = np.concatenate(weights)
    order = np.argsort(values, kind="stable")
    return Edges(np.concatenate(firsts)[order], np.concatenate(seconds)[order], values[order])


def _taken(edges: Edges, part: slice, areas: Areas, *, either: bool = False) -> Edges:
    """Return the edges between areas that may still be joined; their ends are areas now."""
    first, second = areas.of_pixel[edges.first[part]], areas.of_pixel[edges.second[part]]
    weights = edges.weights[part]
    allowed = (np.maximum if either else np.minimum)(areas.limits[first], areas.limits[second])
    is_open = (first != second) & (allowed >= (weights[:1] if len(weights) else 0.0))
    return Edges(first[is_open], second[is_open], weights[is_open])


def _join(
    areas: Areas,
    edges: Edges,
    *,
    allowed: Callable[[float, float], float],
    limit: Callable[[int, float], float],
) -> None:
    """Go through edges in order and join the areas at their ends where that is allowed.

    Args:
        areas: Are changed.
        edges: Their ends are areas.
        allowed: Limits of two areas -> heaviest edge that may join them.
        limit: (pixels, weight of the edge that was joined last) -> an area's limit.
    """
    count = len(edges.weights)
    used, ends = np.unique(np.concatenate([edges.first, edges.second]), return_inverse=True)
    parents = list(range(len(used)))
    sizes, limits = areas.sizes[used].tolist(), areas.limits[used].tolist()

    def root(area: int) -> int:
        while parents[area] != area:
            parents[area] = parents[parents[area]]
            area = parents[area]
        return area

    pairs = zip(ends[:count].tolist(), ends[count:].tolist(), edges.weights.tolist(), strict=True)
    for one, other, weight in pairs:
        first, second = root(one), root(other)
        if first != second and weight <= allowed(limits[first], limits[second]):
            parents[second] = first
            sizes[first] += sizes[second]
            limits[first] = limit(sizes[first], weight)
    areas.sizes[used], areas.limits[used] = sizes, limits
    renamed = np.arange(len(areas.sizes))
    renamed[used] = used[[root(area) for area in range(len(used))]]
    areas.of_pixel = renamed[areas.of_pixel]
