"""How does the objective depend on one setting, whatever the others were?

A small scatter per setting. Of a tree a setting's slice holds the stages that varied it: the
others inherited one value of it.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import plotly.graph_objects as go

from reports import theme
from reports.figures.parallel import LOG_SPAN, cut, short_number
from reports.figures.search_points import Search, Tried
from reports.notation import metric_name, plural, score, setting_name, setting_text
from trackers.records import JsonValue

LEAST = 3  # configurations with a value
MOST_TICKS = 6  # values that are named on an axis; more are numbers along it


@dataclass(frozen=True, slots=True)
class Slice:
    """The configurations of one setting."""

    setting: str
    metric: str
    x: tuple[float | str, ...]  # by configuration; words where any value is none of a number
    y: tuple[float, ...]
    best: int  # index of the best
    is_log: bool

    @property
    def is_numeric(self) -> bool:
        """Whether values are numbers."""
        return not any(isinstance(x, str) for x in self.x)


def slices(search: Search) -> tuple[Slice, ...]:
    """Return a slice for every setting with two values or more among enough configurations."""
    found = []
    for path in search.paths:
        members = [each for each in search.known if path in each.varied]
        values = [each.settings.get(path) for each in members]
        distinct = {setting_text(path, value) for value in values}
        if len(members) >= LEAST and len(distinct) > 1:
            found.append(_slice(search, path, members, values))
    return tuple(found)


def _slice(
    search: Search, path: str, members: Sequence[Tried], values: Sequence[JsonValue]
) -> Slice:
    heights = [each.value or 0.0 for each in members]
    pick = max if search.maximize else min
    numbers = [float(v) for v in values if isinstance(v, int | float) and not isinstance(v, bool)]
    if len(numbers) < len(values):
        x: list[float | str] = [setting_text(path, value) for value in values]
        is_log = False
    else:
        x = list(numbers)
        is_log = min(numbers) > 0 and max(numbers) / min(numbers) > LOG_SPAN
    best = heights.index(pick(heights))
    return Slice(setting_name(path), search.metric, tuple(x), tuple(heights), best, is_log)


def slice_figure(drawn: Slice) -> go.Figure:
    """Draw a point per configuration, the best as a star."""
    return go.Figure(
        data=[_points(drawn), _best(drawn)],
        layout=theme.layout(
            230,
            xaxis=_axis(drawn),
            yaxis=theme.value_axis(drawn.y, metric_name(drawn.metric)),
            margin={"l": 54, "r": 10, "t": 8, "b": 44},
        ),
    )


def _points(drawn: Slice) -> dict[str, Any]:
    return {
        "type": "scatter",
        "mode": "markers",
        "name": "configurations",
        "x": list(drawn.x),
        "y": [float(f"{y:.6g}") for y in drawn.y],
        "marker": {"color": theme.SERIES[0], "size": 6, "opacity": 0.6},
        "hovertemplate": "%{x}: %{y:.4g}<extra></extra>",
    }


def _best(drawn: Slice) -> dict[str, Any]:
    return {
        "type": "scatter",
        "mode": "markers",
        "name": "best",
        "x": [drawn.x[drawn.best]],
        "y": [float(f"{drawn.y[drawn.best]:.6g}")],
        "marker": {"color": theme.WIN, "symbol": "star", "size": 13},
        "hoverinfo": "skip",
    }


def _axis(drawn: Slice) -> dict[str, object]:
    if not drawn.is_numeric:
        words = sorted({str(x) for x in drawn.x})
        ticks = {"tickvals": words, "ticktext": [cut(word) for word in words]}
        return theme.axis(
            drawn.setting, type="category", categoryorder="array", categoryarray=words, **ticks
        )
    kind = "log" if drawn.is_log else "linear"
    values = sorted({x for x in drawn.x if not isinstance(x, str)})
    if len(values) > MOST_TICKS and not drawn.is_log:
        return theme.axis(drawn.setting, type=kind)
    if len(values) > MOST_TICKS:
        values = _decades(values[0], values[-1])
    texts = [setting_text("", short_number(value)) for value in values]
    return theme.axis(drawn.setting, type=kind, tickvals=values, ticktext=texts)


def _decades(low: float, high: float) -> list[float]:
    """Return the powers of ten between two numbers, or the numbers where there are not two."""
    powers = range(math.ceil(math.log10(low) - 1e-9), math.floor(math.log10(high) + 1e-9) + 1)
    return [10.0**power for power in powers] if len(powers) > 1 else [low, high]


def slice_summary(drawn: Slice) -> str:
    """Say in a sentence where the best configuration lies."""
    at = drawn.x[drawn.best]
    text = at if isinstance(at, str) else setting_text("", short_number(at))
    return (
        f"{plural(len(drawn.x), 'configuration')}; the best, {score(drawn.y[drawn.best])}, "
        f"has {drawn.setting} {text}."
    )
