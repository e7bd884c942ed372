"""How does the score respond to a setting that needs no training, such as a threshold?

`response` computes the curve of an after-training stage; `response_figure` draws it.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import plotly.graph_objects as go

from reports import theme
from reports.measurements import finite
from reports.notation import (
    metric_name,
    score,
    sentence_case,
    setting_name,
    short_label,
    value_text,
)
from reports.tables.stages import StageRow, StageTable
from trackers.records import StageRecord


@dataclass(frozen=True, slots=True)
class ResponseSeries:
    """One line: all classes together, or one class."""

    label: str
    x: tuple[float | str, ...]
    y: tuple[float | None, ...]
    low: tuple[float | None, ...]  # interval of the mean; None where there is none
    high: tuple[float | None, ...]
    winner: int | None  # index of the chosen point, where this line decides
    is_overall: bool


@dataclass(frozen=True, slots=True)
class Response:
    """Score against the varied value of one stage."""

    stage: str
    setting: str
    metric: str
    series: tuple[ResponseSeries, ...]


def response(stage: StageRecord, table: StageTable) -> Response | None:
    """Collect the curve of an after-training stage; None when nothing was scored."""
    if not any(row.mean is not None for row in table.rows):
        return None
    groups = dict.fromkeys(row.group for row in table.rows)
    series = [
        _overall(stage, [r for r in table.rows if r.group == group], group) for group in groups
    ]
    if table.by_class and not table.has_groups:
        series += [_of_class(stage, table.rows, name, i) for i, name in enumerate(table.columns)]
    setting = ", ".join(setting_name(path) for path in stage.vary)
    return Response(stage.name, setting, table.metric, tuple(series))


def _x(stage: StageRecord, rows: Sequence[StageRow]) -> list[tuple[float | str, StageRow]]:
    varied = {c.id: c.shown for c in stage.configurations}
    points: list[tuple[float | str, StageRow]] = []
    for row in rows:
        values = list(varied[row.configuration].values())
        number = values[0] if len(values) == 1 else None
        is_number = isinstance(number, int | float) and not isinstance(number, bool)
        x = number if is_number else short_label(varied[row.configuration])
        points.append((x if isinstance(x, int | float | str) else value_text(x), row))
    if all(isinstance(x, int | float) for x, _ in points):
        points.sort(key=lambda point: float(point[0]))
    return points


def _overall(stage: StageRecord, rows: Sequence[StageRow], group: str) -> ResponseSeries:
    points = _x(stage, rows)
    ordered = [row for _, row in points]
    ranks = [row.rank for row in ordered]
    return ResponseSeries(
        label=group or "mean",
        x=tuple(x for x, _ in points),
        y=tuple(row.mean for row in ordered),
        low=tuple(row.low for row in ordered),
        high=tuple(row.high for row in ordered),
        winner=ranks.index(0) if 0 in ranks else None,
        is_overall=not group,
    )


def _of_class(
    stage: StageRecord, rows: Sequence[StageRow], name: str, column: int
) -> ResponseSeries:
    points = _x(stage, rows)
    values = tuple(row.column_means[column] for _, row in points)
    nothing = (None,) * len(points)
    return ResponseSeries(
        name, tuple(x for x, _ in points), values, nothing, nothing, None, is_overall=False
    )


def response_figure(curve: Response) -> go.Figure:
    """Draw one line per class, the mean in ink, and the chosen value as a star."""
    traces: list[dict[str, Any]] = []
    quiet = [s for s in curve.series if not s.is_overall]
    for index, series in enumerate(quiet):
        traces += _line(series, theme.series_style(index))
    for series in curve.series:
        if series.is_overall:
            traces += _line(series, {"color": theme.INK, "dash": "solid", "marker": "circle"})
    values = {x for series in curve.series for x in series.x}
    numeric = all(isinstance(x, int | float) for x in values)
    ticks = {"tickvals": sorted(values, key=float)} if numeric and len(values) <= 12 else {}
    return go.Figure(
        data=traces,
        layout=theme.layout(
            320,
            xaxis=theme.axis(curve.setting, type="linear" if numeric else "category", **ticks),
            yaxis=theme.value_axis(
                (v for s in curve.series for v in (*s.y, *s.low, *s.high)),
                metric_name(curve.metric),
            ),
            showlegend=len(curve.series) > 1,
            legend=theme.legend(1.02),
            margin={"l": 56, "r": 14, "t": 40 if len(curve.series) > 1 else 10, "b": 46},
        ),
    )


def _line(series: ResponseSeries, style: Mapping[str, str]) -> list[dict[str, Any]]:
    trace: dict[str, Any] = {
        "type": "scatter",
        "mode": "lines+markers",
        "name": series.label,
        "legendgroup": series.label,
        "x": list(series.x),
        "y": list(series.y),
        "line": {"color": style["color"], "dash": style["dash"], "width": 2},
        "marker": {"color": style["color"], "symbol": style["marker"], "size": 7},
        "hovertemplate": "%{fullData.name} at %{x}: %{y:.3f}<extra></extra>",
    }
    if any(finite(low) is not None for low in series.low):
        trace["error_y"] = _bars(series, style["color"])
    if series.winner is None:
        return [trace]
    star = {"color": theme.WIN, "symbol": "star", "size": 15, "line": {"color": theme.PAPER}}
    chosen = {
        "type": "scatter",
        "mode": "markers",
        "name": "chosen",
        "legendgroup": series.label,
        "showlegend": False,
        "x": [series.x[series.winner]],
        "y": [series.y[series.winner]],
        "marker": star,
        "hoverinfo": "skip",
    }
    return [trace, chosen]


def _bars(series: ResponseSeries, color: str) -> dict[str, Any]:
    rows = list(zip(series.y, series.low, series.high, strict=True))
    return {
        "type": "data",
        "symmetric": False,
        "array": [0.0 if y is None or high is None else high - y for y, _, high in rows],
        "arrayminus": [0.0 if y is None or low is None else y - low for y, low, _ in rows],
        "thickness": 1,
        "width": 3,
        "color": color,
    }


def response_summary(curve: Response) -> str:
    """Say in a sentence where the curve is best and what was chosen."""
    parts = []
    for series in curve.series:
        if series.winner is not None:
            at = value_text(series.x[series.winner])
            parts.append(f"{series.label}: {at} chosen at {score(series.y[series.winner])}")
    chosen = "; ".join(parts) or "nothing chosen yet"
    return f"{sentence_case(chosen)}."
