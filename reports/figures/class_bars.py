"""Which classes gained from the search? Each class's score with the last winner and with the base.

Bars are means over seeds, whiskers Student's 95 % interval of that mean; one seed has none. Of a
cross-validated study they are over folds, and wider for the images that folds share. The
base is what was measured with the study's base settings, wherever a stage did so; if none did, the
first stage's winner stands in for it and is called that.
"""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean, stdev
from typing import Any, TypeAlias

import plotly.graph_objects as go
from scipy.special import stdtrit

from reports import theme
from reports.figures.data_table import DataTable
from reports.folds import by_fold, overlap_of
from reports.lineage import Place, Placed, final_winners, places
from reports.measurements import cells_of, value_of
from reports.notation import (
    MISSING,
    configuration_label,
    interval,
    metric_name,
    percent,
    plural,
    score,
    sentence_case,
    signed,
)
from trackers.folds import fold_count
from trackers.records import CellRecord, StudyRecord

CONFIDENCE = 0.95
BASES = ("iou", "ap50", "ap", "thesis_ap", "mask_ap", "recall")  # metrics with a value per class
MOST_CLASSES = 40  # that are drawn: those whose score is least
BAR_HEIGHT = 11  # pixels
DICE = "dice"

Measured: TypeAlias = Mapping[str, Sequence[tuple[CellRecord, float]]]  # class -> its values


@dataclass(frozen=True, slots=True)
class ClassValue:
    """One class's score with some settings."""

    mean: float
    low: float | None  # ends of the interval; None of a single seed
    high: float | None
    seeds: int  # or folds, as `ClassBars.replicate` says


@dataclass(frozen=True, slots=True)
class ClassRow:
    """One class."""

    name: str
    winner: ClassValue
    base: ClassValue | None


@dataclass(frozen=True, slots=True)
class ClassBars:
    """All classes by one metric, the best first."""

    metric: str  # without a class: "val/iou"
    winner: str
    base: str  # "" where nothing but the winner was measured
    rows: tuple[ClassRow, ...]
    left_out: int  # classes, of those that score best
    replicate: str = "seed"  # what values are of; "fold" where seeds of a fold are averaged


def class_bars(study: StudyRecord) -> tuple[ClassBars, ...]:
    """Compare the classes of a study by every metric that has a value for two of them or more."""
    found = places(study)
    last = final_winners(study, found)
    if not last:
        return ()
    winner = tuple(cell for placed in last for cell in cells_of(study, placed.configuration))
    label, base = _base(study, found, last)
    split = study.metric.split("/", 1)[0]
    names = list(dict.fromkeys(name for cell in winner for name in cell.class_slugs))
    made = []
    for metric in (f"{split}/{name}" for name in BASES):
        of_winner, of_base = (_by_class(cells, metric, names) for cells in (winner, base))
        made.append(_bars(study, metric, of_winner, of_base, base_name=label))
        if metric.endswith("/iou"):
            dice = (_dice(of_winner), _dice(of_base))
            made.append(_bars(study, f"{split}/{DICE}", *dice, base_name=label))
    return tuple(each for each in made if len(each.rows) > 1)


def _base(
    study: StudyRecord, found: Mapping[Place, Placed], last: Sequence[Placed]
) -> tuple[str, tuple[CellRecord, ...]]:
    """Return what the winner is held against, and its name; "" where there is none."""
    taken = {placed.place for placed in last}
    touched = (
        p for each in found.values() for p in (*each.configuration.varied, *each.stage.held)
    )
    paths = tuple(dict.fromkeys(touched))
    for placed in found.values():
        cells = cells_of(study, placed.configuration)
        if cells and all(_is_base(study, cell, paths) for cell in cells):
            return ("", ()) if placed.place in taken else ("base settings", cells)
    first = next((p for p in found.values() if p.rank == 0 and p.place not in taken), None)
    if first is None:
        return "", ()
    name = f"winner of {first.stage.name}, {configuration_label(first.configuration.shown)}"
    return name, cells_of(study, first.configuration)


def _is_base(study: StudyRecord, cell: CellRecord, paths: Iterable[str]) -> bool:
    """Tell whether a cell has the base's values at all paths, and at those below them."""

    def part(settings: Mapping[str, Any], path: str) -> dict[str, Any]:
        return {k: v for k, v in settings.items() if k == path or k.startswith(f"{path}.")}

    return all(part(cell.settings, path) == part(study.base, path) for path in paths)


def _by_class(cells: Iterable[CellRecord], metric: str, names: Iterable[str]) -> Measured:
    """Return each class's values, one per cell; of cells of one class, that class's alone."""
    members = list(cells)
    found = {}
    for name in names:
        own = [c for c in members if c.group in ("", name) and name in c.class_slugs]
        values = [(cell, value_of(cell, f"{metric}_{cell.class_slugs[name]}")) for cell in own]
        known = [(cell, value) for cell, value in values if value is not None]
        if known:
            found[name] = known
    return found


def _dice(ious: Measured) -> Measured:
    """Turn each cell's IoU of a class into its Dice: both are of the same counts."""
    return {
        name: [(cell, 2 * iou / (1 + iou)) for cell, iou in values]
        for name, values in ious.items()
    }


def _bars(
    study: StudyRecord, metric: str, winner: Measured, base: Measured, *, base_name: str
) -> ClassBars:
    def value(measured: Sequence[tuple[CellRecord, float]]) -> ClassValue:
        return class_value(by_fold(study, measured), overlap_of(study))

    rows = [
        ClassRow(name, value(values), value(base[name]) if name in base else None)
        for name, values in winner.items()
    ]
    rows.sort(key=lambda row: (-row.winner.mean, row.name))
    shown = rows[-MOST_CLASSES:]
    has_base = any(row.base for row in shown)
    return ClassBars(
        metric,
        "last winner",
        base_name if has_base else "",
        tuple(shown),
        left_out=len(rows) - len(shown),
        replicate="seed" if fold_count(study) is None else "fold",
    )


def class_value(values: Sequence[float], overlap: float = 0.0) -> ClassValue:
    """Average values of seeds, or folds, with Student's interval of their mean.

    Args:
        values: One per seed, or per fold.
        overlap: Of the training images of folds; see `reports.folds`.
    """
    mean, count = fmean(values), len(values)
    if count < 2:
        return ClassValue(mean, None, None, count)
    half = float(stdtrit(count - 1, 0.5 + CONFIDENCE / 2)) * stdev(values)
    half *= math.sqrt(1 / count + overlap)
    return ClassValue(mean, mean - half, mean + half, count)


def class_bars_figure(bars: ClassBars) -> go.Figure:
    """Draw the winner's bar of each class over the base's."""
    winners = [row.winner for row in bars.rows]
    traces = [_trace(bars, bars.winner, winners, {"color": theme.SERIES[0]})]
    if bars.base:
        held = [row.base for row in bars.rows]
        traces.append(_trace(bars, bars.base, held, {"color": theme.SERIES[3]}))
    spare = 104 + len(bars.rows) * (BAR_HEIGHT * len(traces) + 9)
    return go.Figure(
        data=traces,
        layout=theme.layout(
            spare,
            barmode="group",
            bargap=0.3,
            xaxis=theme.axis(metric_name(bars.metric), rangemode="tozero"),
            yaxis=theme.axis("", type="category", autorange="reversed", dtick=1, showgrid=False),
            showlegend=len(traces) > 1,
            legend={
                "orientation": "h",
                "x": 0,
                "y": 1,
                "yanchor": "bottom",
            },
            margin={"l": 110, "r": 12, "t": 34 if len(traces) > 1 else 8, "b": 44},
        ),
    )


def _trace(
    bars: ClassBars, name: str, values: Sequence[ClassValue | None], marker: Mapping[str, str]
) -> dict[str, Any]:
    known = [(None if each is None else each.mean, *_ends(each)) for each in values]
    above = [None if m is None or high is None else round(high - m, 6) for m, _, high in known]
    below = [None if m is None or low is None else round(m - low, 6) for m, low, _ in known]
    ends = {"type": "data", "symmetric": False, "array": above, "arrayminus": below}
    ends["visible"] = any(end is not None for end in above)
    return {
        "type": "bar",
        "orientation": "h",
        "name": name,
        "y": [row.name for row in bars.rows],
        "x": [None if each is None else round(each.mean, 6) for each in values],
        "customdata": [_text(each, bars.replicate) for each in values],
        "error_x": {**ends, "thickness": 1.2, "width": 3, "color": theme.INK},
        "marker": dict(marker),
        "hovertemplate": "%{y}, %{fullData.name}: %{x:.3f}%{customdata}<extra></extra>",
    }


def _ends(value: ClassValue | None) -> tuple[float | None, float | None]:
    """Return the ends of a whisker: of an interval, what lies in [0, 1]."""
    if value is None or value.low is None or value.high is None:
        return None, None
    return max(0.0, value.low), min(1.0, value.high)


def _text(value: ClassValue | None, replicate: str) -> str:
    if value is None:
        return ""
    if value.low is None or value.high is None:
        return f" (1 {replicate})"
    return f" ({score(value.low)} to {score(value.high)}, {plural(value.seeds, replicate)})"


def class_bars_table(bars: ClassBars) -> DataTable:
    """Return a row per class."""
    rows = [
        (row.name, *_cells(row.winner), *(_cells(row.base) if bars.base else ()))
        for row in bars.rows
    ]
    names = (bars.winner, bars.base) if bars.base else (bars.winner,)
    over = f"{sentence_case(bars.replicate)}s"
    heads = [(sentence_case(name), f"Interval, {percent(CONFIDENCE)}", over) for name in names]
    return DataTable(("Class", *(text for head in heads for text in head)), tuple(rows))


def _cells(value: ClassValue | None) -> tuple[str, str, str]:
    if value is None:
        return (MISSING, MISSING, MISSING)
    return score(value.mean), interval(value.low, value.high), str(value.seeds)


def class_bars_summary(bars: ClassBars) -> str:
    """Say in a sentence how the best and the worst class do, and which gained most."""
    best, worst = bars.rows[0], bars.rows[-1]
    text = (
        f"{len(bars.rows)} classes: from {worst.name} "
        f"({score(worst.winner.mean)}) to {best.name} ({score(best.winner.mean)})."
    )
    gains = [(row.winner.mean - row.base.mean, row.name) for row in bars.rows if row.base]
    if gains:
        gain, name = max(gains)
        loss, other = min(gains)
        text += f" To {bars.base}: from {signed(loss)} ({other}) to {signed(gain)} ({name})."
    if bars.left_out:
        text += f" {bars.left_out} classes that score better are not drawn."
    return text
