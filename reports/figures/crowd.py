"""Configurations too many for a line with a name each: where most are, and every one faint.

At each epoch the median and the deciles are of the configurations that got so far: where a search
prunes, those are the better ones, and the band rises.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from reports.figures.curve_lines import CurveLine
from reports.figures.decimation import decimated

MANY = 24  # configurations; of more only the best have a line with a name
POINTS = 12  # of a faint line: it is one of hundreds on a few hundred pixels
DECILES = (10, 50, 90)


@dataclass(frozen=True, slots=True)
class Crowd:
    """All configurations of a stage, for one metric."""

    count: int
    lines: tuple[CurveLine, ...]  # those without a name, decimated
    median: CurveLine
    band: CurveLine  # outline: along the highest decile, and back along the lowest


def crowd(named: Sequence[CurveLine], others: Sequence[CurveLine]) -> Crowd:
    """Draw all configurations together.

    Args:
        named: Lines that are drawn by themselves as well.
        others: Lines that are not; at least one.
    """
    epochs, walls, images, values = _by_epoch([*named, *others])
    low, middle, high = (
        tuple(float(each) for each in np.nanpercentile(values, share, axis=0)) for share in DECILES
    )
    outline = CurveLine(
        epochs=epochs + epochs[::-1],
        wall_s=walls + walls[::-1],
        images=images + images[::-1],
        values=high + low[::-1],
    )
    return Crowd(
        count=len(named) + len(others),
        lines=tuple(decimated(line, POINTS) for line in others),
        median=CurveLine(epochs, walls, images, middle),
        band=outline,
    )


def _by_epoch(
    lines: Sequence[CurveLine],
) -> tuple[tuple[int, ...], tuple[float, ...], tuple[float, ...], NDArray[np.float64]]:
    """Return epochs, their mean wall seconds and images, and values: (lines, epochs), or NaN."""
    every = sorted({epoch for line in lines for epoch in line.epochs})
    index = {epoch: i for i, epoch in enumerate(every)}
    table = np.full((3, len(lines), len(every)), np.nan)
    for row, line in enumerate(lines):
        here = [index[epoch] for epoch in line.epochs]
        table[:, row, here] = np.asarray((line.wall_s, line.images, line.values), np.float64)
    table[:, np.isnan(table[2])] = np.nan  # who has no value there does not count
    known = ~np.isnan(table[2]).all(axis=0)
    walls, images, _ = np.nanmean(table[:, :, known], axis=1).tolist()
    epochs = tuple(epoch for epoch, is_known in zip(every, known, strict=True) if is_known)
    return epochs, tuple(walls), tuple(images), table[2][:, known]


def end_to_end(lines: Sequence[CurveLine]) -> CurveLine:
    """Join lines to one with a gap behind each: one trace is drawn faster than a thousand."""
    return CurveLine(
        epochs=tuple(e for line in lines for e in (*line.epochs, *line.epochs[-1:])),
        wall_s=tuple(s for line in lines for s in (*line.wall_s, *line.wall_s[-1:])),
        images=tuple(n for line in lines for n in (*line.images, *line.images[-1:])),
        values=tuple(v for line in lines for v in (*line.values, None)),
    )
