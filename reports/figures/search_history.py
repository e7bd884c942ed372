"""How did the search come to its best? Every configuration as it was tried, and the best so far.

A stage may hold settings (`with`) that others do not, such as fewer epochs. What it measures is
drawn, and counts as the best so far, as it was measured.
"""

from collections.abc import Sequence
from html import escape
from textwrap import shorten
from typing import Any

import plotly.graph_objects as go

from reports import theme
from reports.figures.search_points import Search, Tried
from reports.notation import metric_name, plural, score

PRUNED = "pruned"
FEW = 20  # configurations, of which each has a tick
BELOW = 0.08  # of the span of values: how far under them those without any are drawn


def best_so_far(search: Search) -> tuple[tuple[int, float], ...]:
    """Return (number, best value up to it) of each configuration that has a value."""
    pick = max if search.maximize else min
    found: list[tuple[int, float]] = []
    for each in search.known:
        value = each.value or 0.0
        found.append((each.number, pick(found[-1][1], value) if found else value))
    return tuple(found)


def history_figure(search: Search) -> go.Figure:
    """Draw a point per configuration and the best so far as steps; stages between rules."""
    pruned = [each for each in search.tried if each.value is None and each.outcome == PRUNED]
    others = [each for each in search.tried if each.value is None and each.outcome != PRUNED]
    floor = _floor(search)
    traces = [
        _points("tried", search.known, [each.value for each in search.known], _TRIED),
        _points(
            "pruned, where it stopped", pruned, [_or(e.reached, floor) for e in pruned], _PRUNED
        ),
        _points("without a value", others, [floor] * len(others), _WITHOUT),
        _best(search),
    ]
    drawn = [trace for trace in traces if trace["x"]]
    values = [value for trace in drawn for value in trace["y"]]
    boundaries, names = _stages(search)
    count = search.tried[-1].number
    return go.Figure(
        data=drawn,
        layout=theme.layout(
            320,
            xaxis=theme.axis(
                "configuration",
                range=[0, count + 1],
                dtick=1 if count <= FEW else None,
                showgrid=False,
            ),
            yaxis=theme.value_axis(values, metric_name(search.metric)),
            shapes=boundaries,
            annotations=names,
            showlegend=True,
            legend=theme.legend(-0.24, is_below=True),
            margin={"l": 56, "r": 14, "t": 30 if names else 10, "b": 84},
        ),
    )


_TRIED = {"color": theme.SERIES[0], "symbol": "circle", "size": 7, "opacity": 0.75}
_PRUNED = {"color": theme.SERIES[3], "symbol": "x-thin-open", "size": 7, "line": {"width": 1.6}}
_WITHOUT = {"color": theme.SERIES[1], "symbol": "triangle-down-open", "size": 8}


def _or(value: float | None, other: float) -> float:
    return other if value is None else value


def _floor(search: Search) -> float:
    """Return a height under all values, for configurations that have none."""
    values = [each.value for each in search.known if each.value is not None]
    values += [each.reached for each in search.tried if each.reached is not None]
    if not values:
        return 0.0
    return min(values) - BELOW * ((max(values) - min(values)) or abs(min(values)) or 1.0)


def _points(
    name: str, tried: Sequence[Tried], heights: Sequence[float | None], marker: dict[str, Any]
) -> dict[str, Any]:
    has_value = name == "tried"
    return {
        "type": "scatter",
        "mode": "markers",
        "name": name,
        "x": [each.number for each in tried],
        "y": [None if y is None else float(f"{y:.6g}") for y in heights],
        "text": [f"{each.stage}: {each.label}" for each in tried],
        "customdata": [score(each.value) if has_value else each.outcome for each in tried],
        "marker": marker,
        "hovertemplate": "%{x}. %{text}<br>%{customdata}<extra></extra>",
    }


def _best(search: Search) -> dict[str, Any]:
    steps = best_so_far(search)
    if steps:
        steps = (*steps, (search.tried[-1].number, steps[-1][1]))
    return {
        "type": "scatter",
        "mode": "lines",
        "name": "best so far",
        "x": [number for number, _ in steps],
        "y": [float(f"{value:.6g}") for _, value in steps],
        "line": {"color": theme.WIN, "width": 2, "shape": "hv"},
        "hoverinfo": "skip",
    }


def _stages(search: Search) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """Return rules between the stages of a tree, and their names above."""
    names = search.stages
    if len(names) < 2:
        return [], []
    rules, heads = [], []
    for stage in names:
        numbers = [each.number for each in search.tried if each.stage == stage]
        if numbers[0] > 1:
            rules.append(_rule(numbers[0] - 0.5))
        wide = 100 * len(numbers) / len(search.tried)
        text = shorten(stage, max(6, int(wide)), placeholder="…")
        heads.append(_head((numbers[0] + numbers[-1]) / 2, escape(text, quote=False)))
    return rules, heads


def _rule(x: float) -> dict[str, Any]:
    line = {"color": theme.RULE, "width": 1, "dash": "dot"}
    return {"type": "line", "x0": x, "x1": x, "y0": 0, "y1": 1, "yref": "paper", "line": line}


def _head(x: float, text: str) -> dict[str, Any]:
    font = {"size": 11, "color": theme.MUTED}
    place = {"x": x, "y": 1.0, "yref": "paper", "yanchor": "bottom"}
    return {"text": text, "showarrow": False, "font": font, **place}


def history_summary(search: Search) -> str:
    """Say in a sentence how many were tried, and when the best was found."""
    without = len(search.tried) - len(search.known)
    text = plural(len(search.tried), "configuration")
    if without:
        text += f", {without} of them without a value"
    if search.best is None:
        return f"{text}."
    return (
        f"{text}. The best, {search.best.label} with {score(search.best.value)}, "
        f"was number {search.best.number}."
    )
