"""Which configurations are worth their cost?

Each configuration is a point: the mean objective of its complete cells against their mean cost.
Those that none other beats in both are the Pareto front.
"""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import plotly.graph_objects as go

from reports import theme
from reports.lineage import Place, Placed, places
from reports.measurements import cells_of, finite, mean, value_of
from reports.notation import configuration_label, metric_name, plural, sentence_case, value_text
from reports.units import COMPUTE, DEVICE_TIME, Unit, readable
from trackers.costs import costs_of
from trackers.records import CellRecord, Outcome, StudyRecord

LEAST = 3  # points: of fewer there is nothing to see
HOUR_S = 3600.0
Cost = Callable[[CellRecord], float | None]


@dataclass(frozen=True, slots=True)
class Point:
    """One configuration."""

    label: str
    stage: str
    cost: float
    value: float
    is_front: bool


@dataclass(frozen=True, slots=True)
class CostAccuracy:
    """All configurations of a study against one cost."""

    metric: str
    cost: str  # for people: "device hours per cell"
    less_is_better: bool  # of the cost
    points: tuple[Point, ...]  # by cost, ascending

    @property
    def front(self) -> tuple[Point, ...]:
        """Those that no other beats in both."""
        return tuple(point for point in self.points if point.is_front)


def pareto_front(
    points: Sequence[tuple[float, float]], *, less_cost: bool, more_value: bool
) -> tuple[bool, ...]:
    """Tell of each (cost, value) whether none is as good in both and better in one."""
    signed = [(c if less_cost else -c, -v if more_value else v) for c, v in points]

    front, least = set(), math.inf
    for point in sorted(set(signed)):  # what came before is as cheap
        if point[1] < least:
            front.add(point)
            least = point[1]
    return tuple(point in front for point in signed)


def cost_accuracy(study: StudyRecord) -> tuple[CostAccuracy, ...]:
    """Compute a scatter for each cost that is known: time, compute, money, a second objective.

    A cost that is the same for all has none: it decides nothing.
    """
    found = [
        _in_unit(raw_scatter(study, "", device_seconds, less_cost=True), DEVICE_TIME),
        _in_unit(raw_scatter(study, "", training_macs, less_cost=True), COMPUTE),
    ]
    currencies = {costs_of(cell.trials).currency for cell in study.cells.values()} - {""}
    if len(currencies) == 1:
        found.append(raw_scatter(study, f"{currencies.pop()} per cell", _money, less_cost=True))
    found += [
        raw_scatter(study, metric_name(metric), partial(_second, metric=metric), less_cost=less)
        for metric, less in second_objectives(study).items()
    ]
    return tuple(
        each
        for each in found
        if len(each.points) >= LEAST and each.points[0].cost < each.points[-1].cost
    )


def device_seconds(cell: CellRecord) -> float | None:
    """Return seconds times GPUs, of all attempts; None: not known."""
    return costs_of(cell.trials).device_s or None


def training_macs(cell: CellRecord) -> float | None:
    """Return multiply-accumulates; None: not known."""
    return cell.train_macs or None


def _money(cell: CellRecord) -> float | None:
    return costs_of(cell.trials).money


def _in_unit(scatter: CostAccuracy, units: tuple[Unit, ...]) -> CostAccuracy:
    unit = readable((point.cost for point in scatter.points), units)
    points = tuple(replace(point, cost=point.cost / unit.size) for point in scatter.points)
    return replace(scatter, cost=f"{unit.name} per cell", points=points)


def second_objectives(study: StudyRecord) -> dict[str, bool]:
    """Return the second objectives of all its searches: metric -> whether less is better."""
    search = study.settings.get("search")
    if not isinstance(search, Mapping):
        return {}
    joint, stages = search.get("joint"), search.get("tree")
    searches = [joint] if joint else stages if isinstance(stages, list) else []
    found = {}
    for each in searches:
        second = each.get("second") if isinstance(each, Mapping) else None
        if isinstance(second, Mapping) and isinstance(second.get("metric"), str):
            found[str(second["metric"])] = second.get("direction", "minimize") == "minimize"
    return found


def _second(cell: CellRecord, metric: str) -> float | None:
    """Return a metric of a cell, or a fact that its trial measured."""
    if "/" in metric:
        return value_of(cell, metric)
    if metric == "train_hours":
        return cell.seconds / HOUR_S
    if metric == "memory_gb":
        peak_mb = costs_of(cell.trials).peak_memory_mb
        return None if peak_mb is None else peak_mb / 1024
    name = {"macs": "macs_per_image"}.get(metric, metric)
    value = cell.trials[-1].effective.get(name) if cell.trials else None
    return float(value) if isinstance(value, int | float) else None


def raw_scatter(study: StudyRecord, name: str, cost: Cost, *, less_cost: bool) -> CostAccuracy:
    """Compute all points of a study, of whatever number, in the unit of the cost."""
    # By stage and cells: labels repeat among classes and branches, cells where one is repeated.
    kept: dict[tuple[int, tuple[str, ...]], tuple[str, str, float, float]] = {}
    placed_all = places(study)
    branched = {
        stage.name for stage in study.stages if len({c.parent for c in stage.configurations}) > 1
    }
    for placed in placed_all.values():
        cells = [
            cell
            for cell in cells_of(study, placed.configuration)
            if cell.outcome is Outcome.COMPLETE and cell.source is None
        ]
        value = mean(value_of(cell, study.metric) for cell in cells)
        spent = finite(mean(cost(cell) for cell in cells))
        if value is not None and spent is not None:
            key = (placed.place[0], placed.configuration.cells)
            label = _label(placed, placed_all, is_branched=placed.stage.name in branched)
            kept.setdefault(key, (label, placed.stage.name, spent, value))
    is_front = pareto_front(
        [(spent, value) for *_, spent, value in kept.values()],
        less_cost=less_cost,
        more_value=study.direction == "maximize",
    )
    points = [Point(*each, front) for each, front in zip(kept.values(), is_front, strict=True)]
    points.sort(key=lambda point: point.cost)
    return CostAccuracy(study.metric, name, less_cost, tuple(points))


def _label(placed: Placed, placed_all: Mapping[Place, Placed], *, is_branched: bool) -> str:
    """Name a configuration, with its class, or with its branch where a stage has several."""
    configuration = placed.configuration
    label = configuration_label(configuration.shown)
    if configuration.group:
        return f"{value_text(configuration.group)}: {label}"
    if placed.parent is None or not is_branched:
        return label
    return f"{label} from {configuration_label(placed_all[placed.parent].configuration.shown)}"


def cost_accuracy_figure(scatter: CostAccuracy) -> go.Figure:
    """Draw every configuration, and the front as a line of steps through stars."""
    others = [point for point in scatter.points if not point.is_front]
    traces = [
        _trace("others", others, {"color": theme.MUTED, "symbol": "circle", "size": 7}, "markers"),
        _trace(
            "front",
            scatter.front,
            {"color": theme.WIN, "symbol": "star", "size": 12},
            "lines+markers",
        ),
    ]
    return go.Figure(
        data=traces,
        layout=theme.layout(
            320,
            xaxis=theme.axis(sentence_case(scatter.cost)),
            yaxis=theme.value_axis(
                [point.value for point in scatter.points], metric_name(scatter.metric)
            ),
        ),
    )


def _trace(
    name: str, points: Sequence[Point], marker: Mapping[str, Any], mode: str
) -> dict[str, Any]:
    return {
        "type": "scatter",
        "mode": mode,
        "name": name,
        "x": [float(f"{point.cost:.6g}") for point in points],
        "y": [float(f"{point.value:.6g}") for point in points],
        "text": [f"{value_text(point.stage)}: {point.label}" for point in points],
        "marker": dict(marker),
        "line": {"color": theme.WIN, "width": 1.5, "shape": "hv"},
        "hovertemplate": "%{text}<br>%{y:.3f} at %{x:.3g}<extra></extra>",
    }


def cost_accuracy_summary(scatter: CostAccuracy) -> str:
    """Say in a sentence how many configurations are on the front."""
    return (
        f"{len(scatter.front)} of {plural(len(scatter.points), 'configuration')} cannot be beaten "
        f"in {metric_name(scatter.metric)} and {scatter.cost} at once."
    )
