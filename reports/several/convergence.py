"""How soon did each study find what it found? The best configuration so far, by what was spent.

A configuration counts from when its last cell has ended, at the mean of its complete cells. Only
those with as many complete cells as the study's best known ones count beside them: of fewer seeds
a mean may be large by luck.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import plotly.graph_objects as go

from reports import theme
from reports.lineage import places
from reports.measurements import cells_of, mean, value_of
from reports.notation import join_words, metric_name, score
from reports.units import DEVICE_TIME, readable
from trackers.costs import costs_of
from trackers.records import CellRecord, Outcome, StudyRecord


@dataclass(frozen=True, slots=True)
class Step:
    """A configuration that was known."""

    epochs: float  # trained by then, in the whole study
    device_s: float  # taken by then
    best: float  # mean objective of the best one so far


@dataclass(frozen=True, slots=True)
class Convergence:
    """One study's way to its best configuration."""

    study: str
    steps: tuple[Step, ...]  # in time


def convergence(study: StudyRecord) -> Convergence:
    """Follow a study in the order in which its configurations became known."""
    ended = sorted(
        (end, cell) for cell in study.cells if (end := _end(study.cells[cell])) is not None
    )
    spent: dict[float, tuple[float, float]] = {}
    epochs = device_s = 0.0
    for end, cell in ended:
        epochs += len(study.cells[cell].epochs)
        device_s += costs_of(study.cells[cell].trials).device_s
        spent[end] = (epochs, device_s)
    steps: list[Step] = []
    best: float | None = None
    for end, value in sorted(_known(study)):
        if best is None or (value > best) == (study.direction == "maximize"):
            best = value
        if steps and (steps[-1].epochs, steps[-1].device_s) == spent[end]:
            steps.pop()  # both were known at once
        steps.append(Step(*spent[end], best))
    return Convergence(study.name, tuple(steps))


def _end(cell: CellRecord) -> float | None:
    ends = [trial.ended_at for trial in cell.trials if trial.ended_at is not None]
    return max(ends) if ends else None


def _known(study: StudyRecord) -> list[tuple[float, float]]:
    """Return (when it was known, mean) of every configuration that trained, each once."""
    found: dict[tuple[str, ...], tuple[float, float]] = {}
    counts: dict[tuple[str, ...], int] = {}
    for placed in places(study).values():
        cells = [
            cell
            for cell in cells_of(study, placed.configuration)
            if cell.outcome is Outcome.COMPLETE and cell.source is None
        ]
        ends = [end for cell in cells if (end := _end(cell)) is not None]
        value = mean(value_of(cell, study.metric) for cell in cells)
        key = placed.configuration.cells
        if ends and value is not None:
            found[key], counts[key] = (max(ends), value), len(cells)
    most = max(counts.values(), default=0)
    return [each for key, each in found.items() if counts[key] == most]


def convergence_figure(curves: Sequence[Convergence], metric: str) -> go.Figure:
    """Draw a line of steps per study; the page switches between epochs and device time."""
    unit = readable((s.device_s for each in curves for s in each.steps), DEVICE_TIME)
    axes = {
        "epochs": {
            "title": "epochs trained so far",
            "x": [[step.epochs for step in each.steps] for each in curves],
        },
        "device time": {
            "title": f"{unit.name} taken so far",
            "x": [[round(s.device_s / unit.size, 4) for s in each.steps] for each in curves],
        },
    }
    return go.Figure(
        data=[_trace(each, index) for index, each in enumerate(curves)],
        layout=theme.layout(
            320,
            xaxis=theme.axis("epochs trained so far", rangemode="tozero"),
            yaxis=theme.value_axis(
                [step.best for each in curves for step in each.steps],
                f"best {metric_name(metric)} so far",
            ),
            meta={"axes": axes},
        ),
    )


def _trace(curve: Convergence, index: int) -> dict[str, Any]:
    style = theme.series_style(index)
    return {
        "type": "scatter",
        "mode": "lines+markers",
        "name": curve.study,
        "legendgroup": curve.study,
        "x": [step.epochs for step in curve.steps],
        "y": [float(f"{step.best:.6g}") for step in curve.steps],
        "line": {"color": style["color"], "dash": style["dash"], "width": 2, "shape": "hv"},
        "marker": {"color": style["color"], "symbol": style["marker"], "size": 5},
        "hovertemplate": "%{fullData.name}<br>%{y:.3f} after %{x:.4g}<extra></extra>",
    }


def convergence_summary(curves: Sequence[Convergence]) -> str:
    """Say in a sentence what each reached and when."""
    reached = [
        f"{each.study} {score(last.best)} after {first_at(each).epochs:,.0f} of "
        f"{last.epochs:,.0f} epochs"
        for each in curves
        if (last := each.steps[-1] if each.steps else None) is not None
    ]
    return f"Reached: {join_words(reached)}." if reached else "Nothing is known yet."


def first_at(curve: Convergence) -> Step:
    """Return the step that first has what the study ends with."""
    return next(step for step in curve.steps if step.best == curve.steps[-1].best)
