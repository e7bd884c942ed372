"""The most alike neighbours become one, until one area is left.

Uijlings et al. 2013, sections 3.1 and 3.2.
"""

import heapq
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from models.detection.selective_search.regions import Floats, Regions

Measure = Literal["colour", "texture", "size", "fill"]
Numbers = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class _Growing:
    """Arrays with room for every area there will be; the first ones are the picture's."""

    sizes: Floats
    boxes: Floats
    colours: Floats
    textures: Floats
    pixels: float  # of the picture

    def likeness(self, pairs: Numbers, measures: tuple[Measure, ...]) -> Floats:
        """Return how alike pairs of areas, (p, 2), are: the sum of measures from 0 to 1 each."""
        one, other = pairs.T
        total = np.zeros(len(pairs))
        sizes = self.sizes[one] + self.sizes[other]
        if "colour" in measures:
            total += np.minimum(self.colours[one], self.colours[other]).sum(axis=1)
        if "texture" in measures:
            total += np.minimum(self.textures[one], self.textures[other]).sum(axis=1)
        if "size" in measures:  # small areas first
            total += 1 - sizes / self.pixels
        if "fill" in measures:  # areas first that fit into each other
            low = np.minimum(self.boxes[one, :2], self.boxes[other, :2])
            high = np.maximum(self.boxes[one, 2:], self.boxes[other, 2:])
            total += 1 - ((high - low).prod(axis=1) - sizes) / self.pixels
        return total

    def merge(self, one: int, other: int, new: int) -> None:
        """Make `new` of two areas."""
        pair, shares = [one, other], self.sizes[[one, other]]
        self.sizes[new] = shares.sum()
        self.boxes[new, :2] = self.boxes[pair, :2].min(axis=0)
        self.boxes[new, 2:] = self.boxes[pair, 2:].max(axis=0)
        for histograms in (self.colours, self.textures):
            histograms[new] = shares @ histograms[pair] / shares.sum()


def hierarchy(regions: Regions, measures: tuple[Measure, ...]) -> Floats:
    """Group the areas of a picture, any two at a time.

    Args:
        regions: All that the picture is made of; every two are linked by neighbours.
        measures: Whose sum says how alike two neighbours are. Of equally alike pairs the one of
            the areas with the smaller numbers goes first.

    Returns:
        (2n - 1, 4): the boxes of the n areas, then of those that they were grouped into, in
        order; the last one is the whole picture's.
    """
    count = len(regions.sizes)
    growing = _room(regions)
    near: list[set[int]] = [set() for _ in range(2 * count - 1)]
    for one, other in regions.pairs.tolist():
        near[one].add(other)
        near[other].add(one)
    queue: list[tuple[float, int, int]] = []
    _push(queue, regions.pairs, growing.likeness(regions.pairs, measures))
    gone = [False] * (2 * count - 1)
    for new in range(count, 2 * count - 1):
        one, other = _most_alike(queue, gone)
        growing.merge(one, other, new)
        gone[one] = gone[other] = True
        near[new] = (near[one] | near[other]) - {one, other}
        around = np.array(sorted(near[new]), np.int64)
        for each in around.tolist():
            near[each] -= {one, other}
            near[each].add(new)
        pairs = np.stack([around, np.full(len(around), new)], axis=1)
        _push(queue, pairs, growing.likeness(pairs, measures))
    return growing.boxes


def _room(regions: Regions) -> _Growing:
    more = len(regions.sizes) - 1

    def grown(values: Floats) -> Floats:
        return np.concatenate([values, np.zeros((more, *values.shape[1:]))])

    return _Growing(
        grown(regions.sizes),
        grown(regions.boxes),
        grown(regions.colours),
        grown(regions.textures),
        pixels=float(regions.sizes.sum()),
    )


def _push(queue: list[tuple[float, int, int]], pairs: Numbers, likeness: Floats) -> None:
    for value, (one, other) in zip(likeness.tolist(), pairs.tolist(), strict=True):
        heapq.heappush(queue, (-value, one, other))


def _most_alike(queue: list[tuple[float, int, int]], gone: list[bool]) -> tuple[int, int]:
    """Return the next pair of which both are still there."""
    while True:
        _, one, other = heapq.heappop(queue)
        if not gone[one] and not gone[other]:
            return one, other
