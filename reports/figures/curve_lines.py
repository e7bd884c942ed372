"""A metric epoch by epoch: of one cell, the mean of several, and how far they spread.

Means stop where the first replicate stopped, so that they never jump because a seed drops out.
The spread is from the lowest to the highest replicate, of those that got so far: two or three
seeds are too few for an interval at every epoch.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

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
    epochs = [epoch for epoch in cell.epochs if metric in epoch.metrics]
    return CurveLine(
        epochs=tuple(e.epoch for e in epochs),
        wall_s=tuple(e.wall_s for e in epochs),
        images=tuple(float(e.images_seen) for e in epochs),
        values=tuple(finite(e.metrics[metric]) for e in epochs),
        scored_epoch=cell.best_epoch,
    )


def mean_line(lines: Sequence[CurveLine]) -> CurveLine:
    """Average lines over the epochs that all of them have; a gap in one is a gap."""
    if len(lines) == 1:
        return replace(lines[0], scored_epoch=None)
    indices = [{epoch: i for i, epoch in enumerate(line.epochs)} for line in lines]
    shared = sorted(set.intersection(*(set(line.epochs) for line in lines)))
    rows = [[index[epoch] for index in indices] for epoch in shared]
    values = []
    for row in rows:
        here = [line.values[i] for line, i in zip(lines, row, strict=True)]
        values.append(None if None in here else mean(here))
    return CurveLine(
        epochs=tuple(shared),
        wall_s=_means([line.wall_s for line in lines], rows),
        images=_means([line.images for line in lines], rows),
        values=tuple(values),
    )


def _means(columns: Sequence[Sequence[float]], rows: Sequence[Sequence[int]]) -> tuple[float, ...]:
    """Average over lines what each has at its own place of every row."""
    return tuple(
        mean(column[i] for column, i in zip(columns, row, strict=True)) or 0.0 for row in rows
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
