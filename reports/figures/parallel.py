"""Which settings do good configurations share? Every configuration as a line over its settings.

Drawn as lines of the page's own colours: Plotly's `parcoords` needs WebGL and code made while it
runs, which a page that trusts nothing does not allow, and it does not print.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from typing import Any

import plotly.graph_objects as go

from reports import theme
from reports.figures.data_table import MOST_ROWS, DataTable
from reports.figures.search_points import Search, Tried
from reports.measurements import rank
from reports.notation import metric_name, plural, score, sentence_case, setting_name, setting_text
from trackers.records import JsonValue

LEAST = 3  # configurations with a value: of fewer there is nothing to see
LOG_SPAN = 20.0  # numbers that span more are placed by their logarithm
MOST_TICKS = 7
MOST_LETTERS = 18  # of a name or a value at an axis
DIGITS = 3  # significant, of numbers at an axis
UNSET = -0.14  # where a line passes a setting that its configuration does not have
AXIS_WIDTH = 118  # pixels
# From worst to best: (share of configurations that are no better, name, look).
BANDS = (
    (0.5, "worse half", {"color": theme.MUTED, "width": 1}, 0.28),
    (0.75, "third quarter", {"color": theme.SERIES[4], "width": 1.3}, 0.55),
    (1.0, "best quarter", {"color": theme.SERIES[0], "width": 1.8}, 0.85),
)


@dataclass(frozen=True, slots=True)
class Axis:
    """One setting, or the objective last."""

    name: str
    ticks: tuple[tuple[float, str], ...]  # (place in [0, 1], text)
    places: tuple[float | None, ...]  # of each line; None: not set
    texts: tuple[str, ...]  # of each line
    is_log: bool = False


@dataclass(frozen=True, slots=True)
class Parallel:
    """The lines of one search, worst first."""

    metric: str
    axes: tuple[Axis, ...]
    lines: tuple[Tried, ...]
    bands: tuple[int, ...]  # of each line, into `BANDS`
    without_value: int


def parallel(search: Search) -> Parallel | None:
    """Place every configuration with a value; None where a single setting or value varies."""
    known = search.known
    order = rank([each.value for each in known], "maximize" if search.maximize else "minimize")
    lines = [known[index] for index in reversed(order)]
    columns = {path: [each.settings.get(path) for each in lines] for path in search.paths}
    telling = [path for path, column in columns.items() if _differs(path, column)]
    if len(lines) < LEAST or len(telling) < 2:
        return None
    axes = [axis_of(setting_name(path), path, columns[path]) for path in telling]
    axes.append(axis_of(metric_name(search.metric), "", [each.value for each in lines]))
    shares = [(number + 1) / len(lines) for number in range(len(lines))]
    bands = tuple(next(i for i, band in enumerate(BANDS) if s <= band[0] + 1e-9) for s in shares)
    without = len(search.tried) - len(lines)
    return Parallel(search.metric, tuple(axes), tuple(lines), bands, without)


def _differs(path: str, column: Sequence[JsonValue]) -> bool:
    return len({setting_text(path, value) for value in column}) > 1


def axis_of(name: str, path: str, values: Sequence[JsonValue]) -> Axis:
    """Place the values of a setting between 0 and 1: numbers by size, words side by side."""
    numbers = [v for v in values if isinstance(v, int | float) and not isinstance(v, bool)]
    texts = tuple(_text(path, value) for value in values)
    known = [value for value in values if value is not None]
    if known and len(numbers) == len(known) and all(math.isfinite(v) for v in numbers):
        return _numeric(name, path, values, texts)
    words = sorted({text for text, value in zip(texts, values, strict=True) if value is not None})
    step = 1 / max(1, len(words) - 1)
    where = {word: index * step for index, word in enumerate(words)}
    return Axis(
        name=name,
        ticks=tuple((place, word) for word, place in where.items()),
        places=tuple(
            None if value is None else where[text]
            for text, value in zip(texts, values, strict=True)
        ),
        texts=texts,
    )


def _text(path: str, value: JsonValue) -> str:
    if not path:  # the objective
        return score(value if isinstance(value, float | int) else None)
    return "not set" if value is None else setting_text(path, value)


def _numeric(name: str, path: str, values: Sequence[JsonValue], texts: tuple[str, ...]) -> Axis:
    known = [float(v) for v in values if isinstance(v, int | float)]
    low, high = min(known), max(known)
    is_log = bool(path) and low > 0 and high / low > LOG_SPAN

    def place(value: float) -> float:
        if high == low:
            return 0.5
        if is_log:
            return math.log(value / low) / math.log(high / low)
        return (value - low) / (high - low)

    distinct = sorted(set(known))
    shown = distinct if len(distinct) <= MOST_TICKS else [low, high]
    return Axis(
        name=name,
        ticks=tuple((place(value), _text(path, short_number(value))) for value in shown),
        places=tuple(place(float(v)) if isinstance(v, int | float) else None for v in values),
        texts=texts,
        is_log=is_log,
    )


def short_number(value: float) -> float | int:
    """Round a number for an axis, a whole one to an integer."""
    if value.is_integer() and abs(value) < 1e15:
        return int(value)
    return float(f"{value:.{DIGITS}g}")


def cut(text: str) -> str:
    """Shorten a text for an axis."""
    return text if len(text) <= MOST_LETTERS else f"{text[: MOST_LETTERS - 1]}…"


def parallel_figure(drawn: Parallel) -> go.Figure:
    """Draw a line per configuration, the best ones on top and bold."""
    traces = [trace for band in range(len(BANDS)) if (trace := _band(drawn, band))["x"]]
    traces.append(_winner(drawn))
    marks = [mark for x, axis in enumerate(drawn.axes) for mark in _labels(x, axis)]
    last = len(drawn.axes) - 1
    hidden = {"showgrid": False, "showline": False, "showticklabels": False, "fixedrange": True}
    low = UNSET if any(None in axis.places for axis in drawn.axes) else 0.0
    return go.Figure(
        data=traces,
        layout=theme.layout(
            380,
            xaxis=theme.axis("", range=[-0.35, last + 0.5], **hidden),
            yaxis=theme.axis("", range=[low - 0.05, 1.16], **hidden),
            shapes=[_rule(x) for x in range(last + 1)],
            annotations=marks,
            dragmode=False,
            showlegend=True,
            legend=theme.legend(-0.02, is_below=True),
            margin={"l": 8, "r": 8, "t": 8, "b": 44},
        ),
    )


def parallel_width(drawn: Parallel) -> int:
    """Return the least width at which the axes can be told apart, pixels."""
    return AXIS_WIDTH * len(drawn.axes)


def _band(drawn: Parallel, band: int) -> dict[str, Any]:
    _, name, line, opacity = BANDS[band]
    members = [index for index, each in enumerate(drawn.bands) if each == band]
    xs: list[float | None] = []
    ys: list[float | None] = []
    for index in members:
        xs += [*range(len(drawn.axes)), None]
        ys += [*_heights(drawn, index), None]
    shared = {"mode": "lines", "line": line, "opacity": opacity, "hoverinfo": "skip"}
    return {"type": "scatter", "name": name, "x": xs, "y": ys, **shared}


def _heights(drawn: Parallel, index: int) -> list[float]:
    places = [axis.places[index] for axis in drawn.axes]
    return [UNSET if place is None else round(place, 4) for place in places]


def _winner(drawn: Parallel) -> dict[str, Any]:
    best = len(drawn.lines) - 1
    return {
        "type": "scatter",
        "mode": "lines+markers",
        "name": "best",
        "x": list(range(len(drawn.axes))),
        "y": _heights(drawn, best),
        "text": [f"{sentence_case(axis.name)}: {axis.texts[best]}" for axis in drawn.axes],
        "line": {"color": theme.WIN, "width": 3},
        "marker": {"color": theme.WIN, "size": 8, "symbol": "star"},
        "hovertemplate": "Best configuration<br>%{text}<extra></extra>",
    }


def _rule(x: int) -> dict[str, Any]:
    line = {"color": theme.RULE, "width": 1}
    return {"type": "line", "x0": x, "x1": x, "y0": 0, "y1": 1, "layer": "below", "line": line}


def _labels(x: int, axis: Axis) -> list[dict[str, Any]]:
    """Return the name above an axis, and its ticks to the right of it."""
    name = cut(axis.name)
    note = f"{name}, log" if axis.is_log else name
    places = [*axis.ticks, *([(UNSET, "not set")] if None in axis.places else [])]
    return [
        _label(x, 1.07, sentence_case(note), theme.INK, anchor="center"),
        *(_label(x, place, f" {cut(text)}", theme.MUTED, anchor="left") for place, text in places),
    ]


def _label(x: float, y: float, text: str, colour: str, *, anchor: str) -> dict[str, Any]:
    look = {"font": {"size": 11, "color": colour}, "bgcolor": theme.PAPER, "borderpad": 0}
    plain = escape(text, quote=False)
    return {"x": x, "y": y, "text": plain, "xanchor": anchor, "showarrow": False, **look}


def parallel_table(drawn: Parallel) -> DataTable:
    """Return a row per line, the best first."""
    best_first = list(reversed(range(len(drawn.lines))))
    rows = [tuple(axis.texts[i] for axis in drawn.axes) for i in best_first[:MOST_ROWS]]
    heads = tuple(sentence_case(axis.name) for axis in drawn.axes)
    return DataTable(heads, tuple(rows), len(drawn.lines) - len(rows))


def parallel_summary(drawn: Parallel) -> str:
    """Say in a sentence what the best configuration is, and what is not drawn."""
    best = len(drawn.lines) - 1
    *settings, objective = drawn.axes
    parts = ", ".join(f"{axis.name} {axis.texts[best]}" for axis in settings)
    text = f"{plural(len(drawn.lines), 'configuration')}. Best, {objective.texts[best]}: {parts}."
    if drawn.without_value:
        text += f" {plural(drawn.without_value, 'configuration')} without a value not drawn."
    return text
