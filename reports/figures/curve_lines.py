"""A metric epoch by epoch: of one cell, the mean of several, and how far they spread.

Means stop where the first replicate stopped, so that they never jump because a seed drops out.
The spread is from the lowest to the highest replicate, of those that got so far: two or three
seeds are too few for an interval at every epoch.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from statistics import fmean
from typing import Any

from reports.measurements import finite, mean
from trackers.records import CellRecord


@dataclass(frozen=True, slots=True)
class CurveLine:
    """One cell's epochs, or their mean over cells."""

    epochs: tuple[int, ...]
    wall_s: tuple[float, ...]
    images: tuple[float, ...]  # training images seen so far
    values: tuple[float | None, ...]  # None where not finite
    scored_epoch: int | None = None  # whose weights were scored

    def at(self, epoch: int | None) -> "CurveLine | None":
        """Return the one point of an epoch; None where the line has no such epoch."""
        if epoch is None or epoch not in self.epochs:
            return None
        index = self.epochs.index(epoch)
        here = slice(index, index + 1)
        return CurveLine(
            self.epochs[here], self.wall_s[here], self.images[here], self.values[here]
        )


def line_of(cell: CellRecord, metric: str) -> CurveLine:
    """Return a cell's epochs that reported a metric."""
    points = [
        (each.epoch, each.wall_s, float(each.images_seen), finite(each.metrics[metric]))
        for each in cell.epochs
        if metric in each.metrics
    ]
    if not points:
        return CurveLine((), (), (), (), cell.best_epoch)
    epochs, wall_s, images, values = zip(*points, strict=True)
    return CurveLine(epochs, wall_s, images, values, cell.best_epoch)


def mean_line(lines: Sequence[CurveLine]) -> CurveLine:
    """Average lines over the epochs that all of them have; a gap in one is a gap."""
    if len(lines) == 1:
        return replace(lines[0], scored_epoch=None)
    indices = [{epoch: i for i, epoch in enumerate(line.epochs)} for line in lines]
    shared = sorted(set.intersection(*(set(line.epochs) for line in lines)))
    places = [[index[epoch] for epoch in shared] for index in indices]
    walls, images = (
        tuple(map(fmean, _rows([getattr(line, name) for line in lines], places)))
        for name in ("wall_s", "images")
    )
    values = tuple(
        None if None in here else fmean(here)
        for here in _rows([line.values for line in lines], places)
    )
    return CurveLine(tuple(shared), walls, images, values)


def _rows(columns: Sequence[Sequence[Any]], places: Sequence[Sequence[int]]) -> Iterator[Any]:
    """Yield what all lines have at an epoch, each at its own place."""
    return zip(
        *([column[i] for i in at] for column, at in zip(columns, places, strict=True)),
        strict=True,
    )


def band_outline(lines: Sequence[CurveLine]) -> CurveLine | None:
    """Return the outline of all lines: along the highest values, and back along the lowest.

    None for a single line. An epoch counts with the lines that have a finite value there; its
    time and images are their means.
    """
    if len(lines) < 2:
        return None
    reached: dict[int, list[tuple[float, float, float]]] = {}
    for line in lines:
        points = zip(line.epochs, line.wall_s, line.images, line.values, strict=True)
        for epoch, wall, images, value in points:
            if value is not None:
                reached.setdefault(epoch, []).append((wall, images, value))
    epochs = sorted(reached)
    walls = [mean(each[0] for each in reached[epoch]) or 0.0 for epoch in epochs]
    seen = [mean(each[1] for each in reached[epoch]) or 0.0 for epoch in epochs]
    high = [max(each[2] for each in reached[epoch]) for epoch in epochs]
    low = [min(each[2] for each in reached[epoch]) for epoch in epochs]
    return CurveLine(
        epochs=(*epochs, *reversed(epochs)),
        wall_s=(*walls, *reversed(walls)),
        images=(*seen, *reversed(seen)),
        values=(*high, *reversed(low)),
    )
