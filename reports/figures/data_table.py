"""What does a figure show, in numbers? Its traces as a table, for readers without the picture.

The table is read from what is drawn, so that every figure has one and none can differ from its
picture. What cannot be pointed at (bands, stars, edges) has no rows.
"""

import base64
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from reports.notation import MINUS, MISSING, sentence_case

MOST_ROWS = 60  # the rest is in the exports
MOST_COLUMNS = 12
Trace = Mapping[str, Any]
Rows = list[tuple[str, ...]]


@dataclass(frozen=True, slots=True)
class DataTable:
    """A figure's data as printed text."""

    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    left_out: int = 0  # rows of the figure that are not among these

    @property
    def are_numbers(self) -> tuple[bool, ...]:
        """Say of each column whether it holds nothing but numbers."""
        columns = zip(*self.rows, strict=True) if self.rows else [()] * len(self.columns)
        return tuple(all(each[:1] in f"{MINUS}{MISSING}0123456789" for each in c) for c in columns)


def data_table(
    spec: Mapping[str, Any], title: str, *, most_rows: int | None = MOST_ROWS
) -> DataTable | None:
    """Tabulate a drawn figure; None where nothing in it can be pointed at.

    Args:
        spec: As Plotly's JSON: "data" and "layout".
        title: What an axis of numbers without a title shows.
        most_rows: Rows that are kept; None keeps them all.
    """
    traces = [trace for trace in spec["data"] if trace.get("hoverinfo") != "skip"]
    if not traces:
        return None
    if traces[0].get("type") == "heatmap":
        return _of_heatmap(traces[0], spec["layout"], most_rows)
    if traces[0].get("type") == "parcoords":
        return _of_dimensions(traces[0], most_rows)
    heads = [_axis_title(traces[0], spec["layout"], axis, title) for axis in "xy"]
    side_by_side = _side_by_side(traces, heads, most_rows)
    return side_by_side or _one_below_another(traces, heads, most_rows)


def _axis_title(trace: Trace, layout: Mapping[str, Any], axis: str, title: str) -> str:
    known = layout.get(f"{axis}axis{trace.get(f'{axis}axis', axis)[1:]}", {}).get("title") or {}
    text = known if isinstance(known, str) else known.get("text") or ""
    if text:
        return sentence_case(str(text))
    return "Name" if _has_words(_values(trace, axis)) else title


def _has_words(values: Sequence[Any]) -> bool:
    return any(isinstance(value, str) for value in values)


def _side_by_side(
    traces: Sequence[Trace], heads: Sequence[str], most: int | None
) -> DataTable | None:
    """Put lines over the same numbers beside each other; None where they are no such lines."""
    is_one = len(traces) == 1  # whose name says less than its axis does
    names = [str(heads[1] if is_one else trace.get("name") or heads[1]) for trace in traces]
    across = [_values(trace, "x") for trace in traces]
    are_lines = all(trace.get("type", "scatter").startswith("scatter") for trace in traces)
    if not are_lines or len(set(names)) < len(names) or len(names) >= MOST_COLUMNS:
        return None
    if any(_has_words(xs) or len(set(xs)) < len(xs) for xs in across) or _has_text(traces):
        return None
    columns = [
        dict(zip(xs, _printed_y(trace), strict=False))
        for xs, trace in zip(across, traces, strict=True)
    ]
    every = sorted({x for xs in across for x in xs if x is not None})
    shown = _evenly(every, most)
    rows = [(_text(x), *(column.get(x, MISSING) for column in columns)) for x in shown]
    return DataTable((heads[0], *names), tuple(rows), len(every) - len(shown))


def _one_below_another(
    traces: Sequence[Trace], heads: Sequence[str], most: int | None
) -> DataTable:
    """List the points of every trace, with its name where there are several."""
    has_names, has_text = len(traces) > 1, _has_text(traces)
    rows: Rows = []
    for trace in traces:
        name = [str(trace.get("name") or MISSING)] if has_names else []
        notes = _values(trace, "text") if has_text else []
        points = zip(_values(trace, "x"), _printed_y(trace), strict=False)
        for index, (x, y) in enumerate(points):
            note = [_text(notes[index] if index < len(notes) else None)] if has_text else []
            rows.append((*name, *note, _text(x), y))
    first = [*["Series"] * has_names, *["Point"] * has_text]
    return DataTable((*first, *heads), tuple(rows[:most]), len(rows) - len(rows[:most]))


def _of_heatmap(trace: Trace, layout: Mapping[str, Any], most: int | None) -> DataTable:
    down = [_text(value) for value in _values(trace, "y")]
    across = [_text(value) for value in _values(trace, "x")]
    cells = _values(trace, "z")
    heads = [_axis_title(trace, layout, axis, "Value") for axis in "yx"]
    if len(across) < MOST_COLUMNS:
        wide = [
            (name, *(_text(each) for each in row)) for name, row in zip(down, cells, strict=False)
        ]
        return DataTable((heads[0], *across), tuple(wide[:most]), len(wide) - len(wide[:most]))
    found = [
        (float(value), name, other)
        for name, row in zip(down, cells, strict=False)
        for other, value in zip(across, row, strict=False)
        if value
    ]
    found.sort(key=lambda each: -each[0])
    rows = [(name, other, _text(value)) for value, name, other in found[:most]]
    return DataTable((*heads, "Value"), tuple(rows), len(found) - len(rows))


def _of_dimensions(trace: Trace, most: int | None) -> DataTable:
    """Tabulate parallel coordinates: an axis is a column, a line a row."""
    columns = []
    for dimension in trace["dimensions"]:
        words = dict(
            zip(_values(dimension, "tickvals"), dimension.get("ticktext", ()), strict=False)
        )
        columns.append([_text(words.get(v, v)) for v in _values(dimension, "values")])
    rows = list(zip(*columns, strict=False))
    heads = tuple(sentence_case(str(each.get("label", ""))) for each in trace["dimensions"])
    return DataTable(heads, tuple(rows[:most]), len(rows) - len(rows[:most]))


def _has_text(traces: Sequence[Trace]) -> bool:
    return any(isinstance(trace.get("text"), list) for trace in traces)


def _printed_y(trace: Trace) -> list[str]:
    """Print a trace's heights, with the ends of their bars where it has any."""
    heights, bars = _values(trace, "y"), trace.get("error_y") or {}
    above = _values(bars, "array")
    if len(above) != len(heights):
        return [_text(y) for y in heights]
    below = _values(bars, "arrayminus") or above
    return [
        f"{_text(y)} ({_text(y - down)} to {_text(y + up)})" if y is not None and up else _text(y)
        for y, down, up in zip(heights, below, above, strict=True)
    ]


def _values(trace: Trace, key: str) -> list[Any]:
    """Return a trace's numbers or words, also where Plotly packed them as bytes."""
    found = trace.get(key)
    if isinstance(found, Mapping) and "bdata" in found:
        values = np.frombuffer(base64.b64decode(found["bdata"]), dtype=np.dtype(found["dtype"]))
        shape = [int(n) for n in str(found.get("shape", values.size)).split(",")]
        unpacked: list[Any] = values.reshape(shape).tolist()
        return unpacked
    return list(found) if isinstance(found, list | tuple) else []


def _evenly(values: Sequence[Any], most: int | None) -> list[Any]:
    """Return at most so many of the values, the first and the last among them."""
    if most is None or len(values) <= most:
        return list(values)
    step = (len(values) - 1) / (most - 1)
    return [values[round(index * step)] for index in range(most)]


def _text(value: object) -> str:
    if value is None or value == "":
        return MISSING
    if isinstance(value, bool) or not isinstance(value, int | float):
        return str(value)
    if float(value).is_integer() and abs(value) < 1e12:
        return f"{int(value):,}".replace("-", MINUS)
    return f"{value:.4g}".replace("-", MINUS)
