"""How did training go? A metric of every configuration of a stage, epoch by epoch.

`stage_curves` computes; `curves_figure` draws. Mean lines stop where the first replicate
stopped, so that a mean never jumps because a seed drops out.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import plotly.graph_objects as go

from reports import theme
from reports.lineage import Placed, places
from reports.measurements import cells_of, classes_of, finite, mean, rank, value_of
from reports.notation import configuration_label, metric_name, plural, score
from trackers.records import CellRecord, StageRecord, StudyRecord

LOSSES = ("val/loss", "train/loss")
# What is drawn beside the objective, where a task has more than one way to be right.
BESIDE = {"action_recognition": ("val/top1", "val/top5", "train/top1")}
TIME_UNITS = ((3600.0, "hours"), (60.0, "minutes"), (1.0, "seconds"))


@dataclass(frozen=True, slots=True)
class CurveLine:
    """One cell's epochs, or their mean over cells."""

    epochs: tuple[int, ...]
    wall_s: tuple[float, ...]
    images: tuple[float, ...]  # training images seen so far
    values: tuple[float | None, ...]  # None where not finite
    scored_epoch: int | None = None  # whose weights were scored


@dataclass(frozen=True, slots=True)
class CurveSeries:
    """One configuration."""

    label: str
    style: int  # see `theme.series_style`
    lines: tuple[CurveLine, ...]  # one per cell that reported the metric
    mean: CurveLine


@dataclass(frozen=True, slots=True)
class StageCurves:
    """One metric of one stage; where each class has its own model, of one class."""

    stage: str
    group: str
    metric: str
    series: tuple[CurveSeries, ...]


def stage_curves(study: StudyRecord, index: int) -> tuple[StageCurves, ...]:
    """Collect the objective, what is beside it and the losses of a stage, per class."""
    stage = study.stages[index]
    placed = [p for p in places(study).values() if p.place[0] == index]
    if stage.after_training or not placed:
        return ()
    cells = [cell for p in placed for cell in cells_of(study, p.configuration)]
    objective = _objective_on_epochs(study.metric, cells)
    metrics = (objective, *BESIDE.get(study.task, ()), *LOSSES)
    found = [
        _curves(study, stage, placed, group=group, metric=metric)
        for group in classes_of(cells) or ("",)
        for metric in dict.fromkeys(metrics)
    ]
    return tuple(curves for curves in found if curves.series)


def _objective_on_epochs(metric: str, cells: Sequence[CellRecord]) -> str:
    """The objective, or its validation twin where epochs never see the objective's split."""
    seen = {name for cell in cells for epoch in cell.epochs[:1] for name in epoch.metrics}
    return metric if metric in seen else f"val/{metric.split('/', 1)[-1]}"


def _curves(
    study: StudyRecord, stage: StageRecord, placed: Sequence[Placed], *, group: str, metric: str
) -> StageCurves:
    members = [
        (p, [c for c in cells_of(study, p.configuration) if group in ("", c.group)])
        for p in placed
    ]
    members = [(p, cells) for p, cells in members if cells]
    styles = _styles([mean(value_of(c, study.metric) for c in cs) for _, cs in members], study)
    series = []
    for (p, cells), style in zip(members, styles, strict=True):
        lines = tuple(line for cell in cells if (line := _line(cell, metric)).epochs)
        if lines:
            label = configuration_label(p.configuration.shown)
            series.append(CurveSeries(label, style, lines, _mean_line(lines)))
    return StageCurves(stage.name, group, metric, tuple(series))


def _styles(scores: Sequence[float | None], study: StudyRecord) -> list[int]:
    """Every configuration its own style; when there are too many, the best keep theirs."""
    if len(scores) <= len(theme.SERIES):
        return list(range(len(scores)))
    order = rank(scores, study.direction)
    return [order.index(i) for i in range(len(scores))]


def _line(cell: CellRecord, metric: str) -> CurveLine:
    epochs = [epoch for epoch in cell.epochs if metric in epoch.metrics]
    return CurveLine(
        epochs=tuple(e.epoch for e in epochs),
        wall_s=tuple(e.wall_s for e in epochs),
        images=tuple(float(e.images_seen) for e in epochs),
        values=tuple(finite(e.metrics[metric]) for e in epochs),
        scored_epoch=cell.best_epoch,
    )


def _mean_line(lines: Sequence[CurveLine]) -> CurveLine:
    shared = sorted(set.intersection(*(set(line.epochs) for line in lines)))
    rows = [[line.epochs.index(epoch) for line in lines] for epoch in shared]
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


def curves_figure(curves: StageCurves) -> go.Figure:
    """Draw mean lines over thin lines per seed; the page switches the horizontal axis."""
    traces: list[dict[str, Any]] = []
    drawn: list[CurveLine] = []
    # The best styles come last, so that they lie on top.
    for series in sorted(curves.series, key=lambda s: -s.style):
        for trace, line in _traces(series, curves.metric):
            traces.append(trace)
            drawn.append(line)
    unit_s, unit = time_unit(curves)
    wall = [[round(s / unit_s, 4) for s in line.wall_s] for line in drawn]
    axes = {
        "epochs": {"title": "epoch", "x": [list(line.epochs) for line in drawn]},
        "images seen": {
            "title": "training images seen",
            "x": [list(line.images) for line in drawn],
        },
        "wall time": {"title": f"training time, {unit}", "x": wall},
    }
    return go.Figure(
        data=traces,
        layout=theme.layout(
            270,
            xaxis=theme.axis("epoch", rangemode="tozero"),
            yaxis=theme.value_axis(v for line in drawn for v in line.values),
            meta={"axes": axes},
            margin={"l": 44, "r": 10, "t": 8, "b": 42},
        ),
    )


def _traces(series: CurveSeries, metric: str) -> list[tuple[dict[str, Any], CurveLine]]:
    style = theme.series_style(series.style)
    pairs = []
    if len(series.lines) > 1:
        thin = {"color": style["color"], "width": 1}
        pairs = [(_trace(series, "seeds", line, thin, 0.35), line) for line in series.lines]
        for trace, _ in pairs:
            trace["hoverinfo"] = "skip"
    bold = {"color": style["color"], "width": 2.2, "dash": style["dash"]}
    trace = _trace(series, series.label, series.mean, bold, 1.0)
    trace["hovertemplate"] = (
        "%{fullData.name}<br>" + metric_name(metric) + " %{y:.4g}<extra></extra>"
    )
    pairs.append((trace, series.mean))
    for line in series.lines:
        scored = _scored_point(line)
        if scored:
            dot = _trace(series, "scored epoch", scored, {}, 0.9)
            marker = {"color": style["color"], "symbol": style["marker"], "size": 6}
            dot |= {"mode": "markers", "marker": marker, "hoverinfo": "skip"}
            pairs.append((dot, scored))
    return pairs


def _scored_point(line: CurveLine) -> CurveLine | None:
    if line.scored_epoch not in line.epochs:
        return None
    at = line.epochs.index(line.scored_epoch)
    here = slice(at, at + 1)
    return CurveLine(line.epochs[here], line.wall_s[here], line.images[here], line.values[here])


def _trace(
    series: CurveSeries, name: str, line: CurveLine, style: dict[str, Any], opacity: float
) -> dict[str, Any]:
    return {
        "type": "scatter",
        "mode": "lines",
        "name": name,
        "legendgroup": series.label,
        "x": list(line.epochs),
        "y": [None if v is None else float(f"{v:.6g}") for v in line.values],
        "line": style,
        "opacity": opacity,
    }


def time_unit(curves: StageCurves) -> tuple[float, str]:
    """The unit of the wall-time axis: its seconds and its name."""
    longest = max((s for c in curves.series for line in c.lines for s in line.wall_s), default=0)
    return next((unit for unit in TIME_UNITS if longest >= 2 * unit[0]), TIME_UNITS[-1])


def curves_summary(curves: StageCurves) -> str:
    """Say in a sentence what the curves show."""
    lines = sum(len(series.lines) for series in curves.series)
    last = [_last(series.mean) for series in curves.series]
    known = [value for value in last if value is not None]
    if not known:
        return f"{plural(lines, 'cell')}, without a finite value."
    if len(known) == 1:
        return f"{plural(lines, 'cell')}. Last mean: {score(known[0])}."
    return f"{plural(lines, 'cell')}. Last means from {score(min(known))} to {score(max(known))}."


def _last(line: CurveLine) -> float | None:
    return next((value for value in reversed(line.values) if value is not None), None)
