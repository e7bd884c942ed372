"""Fewer points that look the same: a line of thousands of epochs on a few hundred pixels.

A line is cut into stretches of equal length, and of each its lowest and its highest point are
kept in their order, with the first and the last point of the line, and the first of its gaps. So
no peak, dip or gap is lost, which every n-th point, or averages, would lose (the reasoning of
Jugel et al. 2014, "M4").
"""

from base64 import b64encode
from collections.abc import Sequence
from typing import TypeVar

import numpy as np

from reports.figures.curve_lines import CurveLine

Value = TypeVar("Value")
LONG = 2000  # numbers


def kept_points(values: Sequence[float | None], most: int) -> list[int]:
    """Return the indices of the points to draw, ascending.

    Args:
        values: Of a line, in order; None is a gap.
        most: Points to keep, of a line without gaps; at least 4.
    """
    count = len(values)
    if count <= most:
        return list(range(count))
    stretches = (most - 2) // 2
    kept = {0, count - 1}
    for stretch in range(stretches):
        here = range(stretch * count // stretches, (stretch + 1) * count // stretches)
        known = [(value, i) for i in here if (value := values[i]) is not None]
        if known:
            kept |= {min(known)[1], max(known)[1]}
        if len(known) < len(here):
            kept.add(next(i for i in here if values[i] is None))
    return sorted(kept)


def decimated(line: CurveLine, most: int) -> CurveLine:
    """Return a line with at most so many points that looks the same."""
    if len(line.values) <= most:
        return line
    kept = kept_points(line.values, most)
    return CurveLine(
        epochs=_at(line.epochs, kept),
        wall_s=_at(line.wall_s, kept),
        images=_at(line.images, kept),
        values=_at(line.values, kept),
        scored_epoch=line.scored_epoch,
    )


def packed(values: Sequence[float | None]) -> list[float | None] | dict[str, str]:
    """Return numbers for a trace; thousands as bytes, as Plotly reads them: smaller, sooner drawn.

    Whole numbers are kept; of others seven digits, which no picture shows.
    """
    if len(values) < LONG:
        return list(values)
    numbers = np.asarray(values, dtype=np.float64)
    small = np.iinfo(np.int16)
    is_small = bool((np.rint(numbers) == numbers).all() and numbers.max() <= small.max)
    kind = "i2" if is_small and numbers.min() >= small.min else "f4"
    return {"dtype": kind, "bdata": b64encode(numbers.astype(f"<{kind}").tobytes()).decode()}


def _at(values: Sequence[Value], indices: Sequence[int]) -> tuple[Value, ...]:
    return tuple(values[index] for index in indices)
