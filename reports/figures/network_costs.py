"""Which network is worth its cost? A score against time or arithmetic, one point each.

Those that none other beats in both are the Pareto front.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import plotly.graph_objects as go

from reports import theme
from reports.figures.cost_accuracy import pareto_front
from reports.network_record import NetworkRow
from reports.notation import join_words, plural, sentence_case

LEAST = 3  # networks: of fewer there is nothing to see
LARGEST_PX = 44  # diameter of the dot with the most parameters
SMALLEST_PX = 5
PUBLISHED = "top-1 on ImageNet as published"


@dataclass(frozen=True, slots=True)
class NetworkPoint:
    """One network in the plane."""

    label: str
    cost: float
    score: float  # more is better
    parameters: int
    is_front: bool


@dataclass(frozen=True, slots=True)
class NetworkCosts:
    """All networks that have a score, against one cost."""

    cost: str  # with its unit: "CPU time, ms per picture"
    score: str  # "top-1 on ImageNet, published"
    points: tuple[NetworkPoint, ...]  # by cost, ascending
    unscored: tuple[str, ...]  # networks whose score is not known
    free: tuple[str, ...] = ()  # that cost nothing, which a logarithmic axis cannot show

    @property
    def front(self) -> tuple[NetworkPoint, ...]:
        """Those that no other beats in both."""
        return tuple(point for point in self.points if point.is_front)


def network_costs(rows: Sequence[NetworkRow]) -> tuple[NetworkCosts, ...]:
    """Compute published scores against each cost that is known: CPU, GPU, arithmetic."""
    costs: dict[str, list[float | None]] = {
        "CPU time, ms per picture": [row.cpu_ms for row in rows],
        "GPU time, ms per picture": [row.gpu_ms for row in rows],
        "GMAC per picture": [None if row.macs is None else row.macs / 1e9 for row in rows],
    }
    scored = [(row.label, row.parameters or 0, row.top1) for row in rows]
    return scatters(scored, costs, PUBLISHED)


def scatters(
    networks: Sequence[tuple[str, int, float | None]],
    costs: Mapping[str, Sequence[float | None]],
    score: str,
) -> tuple[NetworkCosts, ...]:
    """Compute a scatter for each cost that enough networks with a score have.

    Args:
        networks: Label, parameters, and score, of which more is better.
        costs: With its unit -> of each network.
        score: What it is, for people.
    """
    found = (_scatter(networks, cost, values, score) for cost, values in costs.items())
    return tuple(each for each in found if len(each.points) >= LEAST)


def _scatter(
    networks: Sequence[tuple[str, int, float | None]],
    cost: str,
    values: Sequence[float | None],
    score: str,
) -> NetworkCosts:
    known = [
        (value, reached, label, parameters)
        for (label, parameters, reached), value in zip(networks, values, strict=True)
        if value is not None and value > 0
    ]
    free = tuple(label for (label, *_), value in zip(networks, values, strict=True) if value == 0)
    scored = sorted(
        (value, reached, label, parameters)
        for value, reached, label, parameters in known
        if reached is not None
    )
    front = pareto_front([each[:2] for each in scored], less_cost=True, more_value=True)
    points = tuple(
        NetworkPoint(label, value, reached, parameters, is_front)
        for (value, reached, label, parameters), is_front in zip(scored, front, strict=True)
    )
    unscored = tuple(label for _, reached, label, _ in known if reached is None)
    return NetworkCosts(cost, score, points, unscored, free)


def network_costs_figure(costs: NetworkCosts) -> go.Figure:
    """Draw every network as a dot of an area by its parameters, and the front as a line."""
    others = [point for point in costs.points if not point.is_front]
    most = max(point.parameters for point in costs.points)
    turn = math.sqrt(costs.points[0].cost * costs.points[-1].cost)  # the middle of the axis
    sides = ["bottom right" if each.cost <= turn else "bottom left" for each in costs.front]
    steps = {"color": theme.WIN, "width": 1.5, "shape": "hv"}
    traces = [
        _trace("beaten", others, theme.MUTED, most),
        _trace("front", costs.front, theme.WIN, most)
        | {"mode": "lines+markers+text", "line": steps, "texttemplate": "%{text}"}
        | {"textposition": sides, "textfont": {"size": 10, "color": theme.INK}},
    ]
    return go.Figure(
        data=traces,
        layout=theme.layout(
            420,
            xaxis=_cost_axis(costs),
            yaxis=theme.value_axis(
                [point.score for point in costs.points], sentence_case(costs.score)
            ),
            margin={"l": 56, "r": 24, "t": 20, "b": 46},
        ),
    )


def _cost_axis(costs: NetworkCosts) -> dict[str, object]:
    """Describe a logarithmic axis with a tick at 1, 2 and 5 of every power of ten it crosses."""
    low, high = math.log10(costs.points[0].cost), math.log10(costs.points[-1].cost)
    ticks = [
        digit * 10.0**power
        for power in range(math.floor(low), math.ceil(high) + 1)
        for digit in (1, 2, 5)
    ]
    edges = [low - 0.1 * (high - low + 0.1), high + 0.1 * (high - low + 0.1)]
    shown = [tick for tick in ticks if edges[0] <= math.log10(tick) <= edges[1]]
    return theme.axis(
        costs.cost,
        type="log",
        range=edges,
        tickvals=shown,
        ticktext=[f"{tick:g}" for tick in shown],
    )


def _trace(name: str, points: Sequence[NetworkPoint], colour: str, most: int) -> dict[str, Any]:
    return {
        "type": "scatter",
        "mode": "markers",
        "name": name,
        "x": [point.cost for point in points],
        "y": [point.score for point in points],
        "text": [point.label for point in points],
        "customdata": [point.parameters / 1e6 for point in points],
        "marker": {
            "color": colour,
            "opacity": 0.75,
            "size": [point.parameters for point in points],
            "sizemode": "area",
            "sizeref": 2 * most / LARGEST_PX**2,
            "sizemin": SMALLEST_PX,
        },
        "hovertemplate": (
            "%{text}<br>%{y:.3f}, %{x:.3g} on the axis below<br>"
            "%{customdata:.3g} M parameters<extra></extra>"
        ),
    }


def network_costs_summary(costs: NetworkCosts) -> str:
    """Name the networks of the front, and those that have no published score."""
    names = join_words(point.label for point in costs.front)
    text = (
        f"{len(costs.front)} of {plural(len(costs.points), 'network')} cannot be beaten in "
        f"{costs.score} and {costs.cost} at once: {names}. A dot's area is its parameters."
    )
    if costs.unscored:
        text += f" Without a score, and not drawn: {join_words(costs.unscored)}."
    if costs.free:
        text += f" At no cost, and not drawn: {join_words(costs.free)}."
    return text
