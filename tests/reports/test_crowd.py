"""Lines of fewer points keep what an eye sees; hundreds of configurations become a crowd."""

import random
from collections.abc import Sequence

import numpy as np
import pytest

from reports.figures.crowd import POINTS, crowd, end_to_end
from reports.figures.curve_lines import CurveLine
from reports.figures.decimation import decimated, kept_points


def line(values: Sequence[float | None]) -> CurveLine:
    epochs = tuple(range(1, len(values) + 1))
    walls = tuple(10.0 * epoch for epoch in epochs)
    return CurveLine(epochs, walls, tuple(float(e * 64) for e in epochs), tuple(values))


@pytest.mark.parametrize("seed", range(20))
def test_no_stretch_loses_its_peak_or_its_dip(seed: int) -> None:
    draw = random.Random(seed)
    values = [draw.gauss(0, 1) for _ in range(draw.randint(30, 5000))]
    kept = kept_points(values, 24)
    assert kept == sorted(set(kept))
    assert len(kept) <= 24
    assert (kept[0], kept[-1]) == (0, len(values) - 1)
    for stretch in np.array_split(np.arange(len(values)), 11):
        # Stretches are cut by whole points, so that a neighbour's first or last may differ.
        inner = [values[i] for i in stretch[1:-1]]
        near = [values[i] for i in kept if stretch[0] - 1 <= i <= stretch[-1] + 1]
        assert max(near) >= max(inner)
        assert min(near) <= min(inner)


def test_a_single_peak_among_thousands_of_points_stays() -> None:
    values = [0.0] * 10_000
    values[6_789] = 1.0
    drawn = decimated(line(values), 20)
    assert drawn.epochs[drawn.values.index(1.0)] == 6_790
    assert drawn.wall_s[drawn.values.index(1.0)] == 67_900.0


def test_a_gap_stays_a_gap() -> None:
    values: list[float | None] = [float(i) for i in range(1000)]
    values[500:510] = [None] * 10
    assert None in decimated(line(values), 50).values


def test_a_short_line_stays_as_it_is() -> None:
    short = line([0.1, None, 0.3])
    assert decimated(short, 20) is short


def test_the_crowd_has_the_median_and_deciles_of_those_that_got_so_far() -> None:
    draw = np.random.default_rng(0)
    curves = draw.normal(size=(40, 60))
    curves[:30, 30:] = np.nan  # pruned
    lines = [line([float(v) for v in row if np.isfinite(v)]) for row in curves]
    found = crowd(lines[-2:], lines[:-2])
    assert found.count == 40
    for epoch in (1, 30, 31, 60):
        values = curves[:, epoch - 1]
        low, middle, high = np.nanpercentile(values, (10, 50, 90))
        assert found.median.values[epoch - 1] == pytest.approx(middle)
        assert found.band.values[epoch - 1] == pytest.approx(high)
        assert found.band.values[-epoch] == pytest.approx(low)
    assert len(found.lines) == 38
    assert max(len(each.values) for each in found.lines) <= POINTS


def test_lines_end_to_end_are_parted_by_gaps() -> None:
    joined = end_to_end([line([1.0, 2.0]), line([3.0])])
    assert joined.values == (1.0, 2.0, None, 3.0, None)
    assert len(joined.epochs) == len(joined.wall_s) == len(joined.images) == 5
