import math

import numpy as np
import pytest
from numpy.typing import NDArray

from models.detection.selective_search.segmentation import grid_edges, segment

NO_BLUR = 0.01  # pixels


def row(*greys: float) -> NDArray[np.float32]:
    return np.array(greys, np.float32).reshape(1, -1, 1)


def labels_of(picture: NDArray[np.float32], scale: float, least: int = 1) -> list[int]:
    found = segment(picture, scale=scale, least_pixels=least, sigma=NO_BLUR)
    return found.ravel().tolist()


def by_the_paper(picture: NDArray[np.float64], scale: float, least: int) -> NDArray[np.int64]:
    """Algorithm 1 word by word: areas are sets, every edge is looked at."""
    edges = grid_edges(picture)
    pixels = picture.shape[0] * picture.shape[1]
    area_of = {pixel: {pixel} for pixel in range(pixels)}
    inner = dict.fromkeys(range(pixels), 0.0)  # of an area, by its smallest pixel

    def join(one: set[int], other: set[int]) -> set[int]:
        both = one | other
        for pixel in both:
            area_of[pixel] = both
        return both

    triples = list(
        zip(edges.first.tolist(), edges.second.tolist(), edges.weights.tolist(), strict=True)
    )
    for first, second, weight in triples:
        one, other = area_of[first], area_of[second]
        bound = min(inner[min(each)] + scale / len(each) for each in (one, other))
        if one is not other and weight <= bound:
            inner[min(join(one, other))] = weight
    for first, second, _ in triples:
        one, other = area_of[first], area_of[second]
        if one is not other and min(len(one), len(other)) < least:
            join(one, other)
    return np.array([min(area_of[pixel]) for pixel in range(pixels)])


class TestFivePixels:
    """Greys 0 0 1 10 10: edges of 0, 1, 9 and 0, taken in the order 0, 0, 1, 9."""

    def test_small_scale_keeps_dark_and_bright_apart(self) -> None:
        # k = 3: {0 0} may grow along 1 (<= 3 / 2), and then no further than 1 + 3 / 3 < 9.
        assert labels_of(row(0, 0, 1, 10, 10), 3) == [0, 0, 0, 1, 1]

    def test_great_scale_joins_all(self) -> None:
        # k = 30: 9 is below 1 + 30 / 3 and 0 + 30 / 2.
        assert labels_of(row(0, 0, 1, 10, 10), 30) == [0, 0, 0, 0, 0]

    def test_scale_below_every_edge_leaves_only_equal_pixels_together(self) -> None:
        # k = 1: 1 is above 0 + 1 / 2.
        assert labels_of(row(0, 0, 1, 10, 10), 1) == [0, 0, 1, 2, 2]

    def test_area_that_is_too_small_joins_the_most_alike_neighbour(self) -> None:
        assert labels_of(row(0, 0, 1, 10, 10), 1, least=2) == [0, 0, 0, 1, 1]


@pytest.mark.parametrize("case", range(40))
def test_areas_are_those_of_the_paper(case: int) -> None:
    generator = np.random.default_rng(case)
    height, width, channels = generator.integers(1, 14, 3).tolist()
    # Few greys give many equal edges, many give none.
    levels = (3, 8, 200)[case % 3]
    greys = generator.integers(0, levels, (height, width, min(3, channels)))
    picture = (greys * (200 / levels)).astype(np.float32)
    scale, least = float(generator.choice([5, 60, 300])), int(generator.integers(1, 9))
    ours = segment(picture, scale=scale, least_pixels=least, sigma=NO_BLUR).ravel()
    theirs = by_the_paper(picture.astype(np.float64), scale, least)
    pairs = set(zip(ours.tolist(), theirs.tolist(), strict=True))
    assert len(pairs) == len(set(ours.tolist())) == len(set(theirs.tolist()))


def test_every_area_is_connected_and_large_enough() -> None:
    generator = np.random.default_rng(1)
    picture = generator.integers(0, 256, (40, 50, 3)).astype(np.float32)
    labels = segment(picture, scale=100, least_pixels=30)
    sizes = np.bincount(labels.ravel())
    assert sizes.min() >= 30
    assert len(sizes) > 2


def test_pixels_have_eight_neighbours() -> None:
    edges = grid_edges(np.zeros((3, 4, 1)))
    pairs = {frozenset(pair) for pair in zip(edges.first, edges.second, strict=True)}
    near = {
        frozenset((4 * y + x, 4 * v + u))
        for y in range(3)
        for x in range(4)
        for v in range(3)
        for u in range(4)
        if max(abs(y - v), abs(x - u)) == 1
    }
    assert pairs == near
    assert len(edges.first) == len(near)


def test_weights_are_distances_of_colours_in_order() -> None:
    edges = grid_edges(np.array([[[0.0, 0.0], [3.0, 4.0], [3.0, 5.0]]]))
    assert edges.weights.tolist() == [1.0, 5.0]
    assert math.isclose(float(edges.weights[-1]), math.hypot(3, 4))


@pytest.mark.parametrize("size", [(1, 1), (1, 7), (6, 1)])
def test_thin_pictures_have_areas_too(size: tuple[int, int]) -> None:
    labels = segment(np.zeros((*size, 3), np.float32), scale=50, least_pixels=50)
    assert not labels.any()
    assert labels.shape == size
