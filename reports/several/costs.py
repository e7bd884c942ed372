"""Which study's configurations are worth their cost? All studies' points in one figure."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import plotly.graph_objects as go

from reports import theme
from reports.figures.cost_accuracy import (
    LEAST,
    Cost,
    Point,
    device_seconds,
    pareto_front,
    raw_scatter,
    training_macs,
)
from reports.notation import join_words, metric_name, plural, sentence_case
from reports.units import COMPUTE, DEVICE_TIME, Unit, readable
from trackers.records import StudyRecord

COSTS: tuple[tuple[str, Cost, tuple[Unit, ...]], ...] = (
    ("device-time", device_seconds, DEVICE_TIME),
    ("compute", training_macs, COMPUTE),
)


@dataclass(frozen=True, slots=True)
class StudyPoints:
    """One study's configurations."""

    study: str
    points: tuple[Point, ...]


@dataclass(frozen=True, slots=True)
class SharedCost:
    """All configurations of all studies against one cost."""

    id: str
    metric: str
    cost: str  # for people: "device hours per cell"
    studies: tuple[StudyPoints, ...]
    is_one_question: bool  # so that the front is that of all together; else each has its own

    @property
    def front(self) -> tuple[tuple[str, Point], ...]:
        """Those that no other beats in both, by cost, each with its study."""
        found = [(each.study, p) for each in self.studies for p in each.points if p.is_front]
        return tuple(sorted(found, key=lambda pair: pair[1].cost))


def shared_costs(
    studies: Sequence[StudyRecord], *, is_one_question: bool
) -> tuple[SharedCost, ...]:
    """Compute a scatter for each cost; () where the studies choose by different metrics.

    Args:
        studies: In the order of their colours.
        is_one_question: Whether their values may be compared.
    """
    if len({(each.metric, each.direction) for each in studies}) > 1:
        return ()
    found = [
        _shared(studies, name, cost, units, is_one_question=is_one_question)
        for name, cost, units in COSTS
    ]
    return tuple(each for each in found if sum(len(own.points) for own in each.studies) >= LEAST)


def _shared(
    studies: Sequence[StudyRecord],
    name: str,
    cost: Cost,
    units: tuple[Unit, ...],
    *,
    is_one_question: bool,
) -> SharedCost:
    own = [raw_scatter(each, "", cost, less_cost=True).points for each in studies]
    every = [point for points in own for point in points]
    unit = readable((point.cost for point in every), units)
    is_up = studies[0].direction == "maximize"
    judged = iter(_with_front(every, is_up=is_up)) if is_one_question else iter(every)
    parts = []
    for study, points in zip(studies, own, strict=True):
        scaled = [next(judged) for _ in points]
        parts.append(
            StudyPoints(study.name, tuple(replace(p, cost=p.cost / unit.size) for p in scaled))
        )
    metric = studies[0].metric
    return SharedCost(name, metric, f"{unit.name} per cell", tuple(parts), is_one_question)


def _with_front(points: Sequence[Point], *, is_up: bool) -> list[Point]:
    """Tell of points of several studies anew which are on the front."""
    pairs = [(point.cost, point.value) for point in points]
    flags = pareto_front(pairs, less_cost=True, more_value=is_up)
    return [replace(point, is_front=flag) for point, flag in zip(points, flags, strict=True)]


def shared_cost_figure(found: SharedCost) -> go.Figure:
    """Draw every study in its colour and marker, and the front of all as a line."""
    traces = [_front(found)] if found.is_one_question else []
    traces += [_trace(each, index) for index, each in enumerate(found.studies)]
    values = [point.value for each in found.studies for point in each.points]
    return go.Figure(
        data=traces,
        layout=theme.layout(
            340,
            xaxis=theme.axis(sentence_case(found.cost)),
            yaxis=theme.value_axis(values, metric_name(found.metric)),
        ),
    )


def _front(found: SharedCost) -> dict[str, Any]:
    return {
        "type": "scatter",
        "mode": "lines",
        "name": "front of all",
        "x": [float(f"{point.cost:.6g}") for _, point in found.front],
        "y": [float(f"{point.value:.6g}") for _, point in found.front],
        "line": {"color": theme.WIN, "width": 1.5, "shape": "hv"},
        "hoverinfo": "skip",
    }


def _trace(own: StudyPoints, index: int) -> dict[str, Any]:
    style = theme.series_style(index)
    return {
        "type": "scatter",
        "mode": "markers",
        "name": own.study,
        "legendgroup": own.study,
        "x": [float(f"{point.cost:.6g}") for point in own.points],
        "y": [float(f"{point.value:.6g}") for point in own.points],
        "text": [f"{point.stage}: {point.label}" for point in own.points],
        "marker": {
            "color": style["color"],
            "symbol": style["marker"],
            "size": [11 if point.is_front else 7 for point in own.points],
        },
        "hovertemplate": "%{fullData.name}<br>%{text}<br>%{y:.3f} at %{x:.3g}<extra></extra>",
    }


def shared_cost_summary(found: SharedCost) -> str:
    """Say in a sentence whose configurations are on the front."""
    counts = [
        f"{sum(point.is_front for point in each.points)} of {each.study}" for each in found.studies
    ]
    total = sum(len(each.points) for each in found.studies)
    if not found.is_one_question:
        return (
            f"{plural(total, 'configuration')}; large: not beaten in {metric_name(found.metric)} "
            f"and {found.cost} within its study: {join_words(counts)}."
        )
    return (
        f"Of {plural(total, 'configuration')} {len(found.front)} cannot be beaten in "
        f"{metric_name(found.metric)} and {found.cost} at once: {join_words(counts)}."
    )
