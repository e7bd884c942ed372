"""How good a result does so much budget buy?

The expected best of n configurations drawn at random from those that were tried (Dodge et al.
2019, "Show Your Work", eq. 5), for n up to how many there were, at the mean cost of one:

    E[best of n] = sum over values v, from worst to best, of v * (P(<= v)^n - P(< v)^n)

Of a random search it is what such a search is to be expected to find. A sampler that learns from
its trials draws better ones as it goes on; of its trials the curve says how good they are to draw
from. Configurations without a value (pruned, infeasible, failed) are of the worst value that was
found: their cost was spent.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import plotly.graph_objects as go
from numpy.typing import NDArray

from reports import theme
from reports.lineage import Placed, places
from reports.measurements import cells_of, mean, value_of
from reports.notation import metric_name, score, sentence_case
from reports.units import DEVICE_TIME, readable
from trackers.costs import costs_of
from trackers.records import CellRecord, StudyRecord

LEAST = 5  # configurations: of fewer the curve says nothing
BUDGETS = ("epochs", "device time", "money")


@dataclass(frozen=True, slots=True)
class ExpectedBest:
    """The curve of one stage or search."""

    stage: str
    metric: str
    unit: str  # of a budget: "epochs", "device minutes", "USD"
    budgets: NDArray[np.float64]  # (n,) mean cost of 1, 2, … configurations
    values: NDArray[np.float64]  # (n,) expected best of so many
    without_value: int  # configurations counted as the worst


def expected_best(values: Sequence[float | None], *, maximize: bool) -> NDArray[np.float64]:
    """Return the expected best of 1, 2, … configurations drawn with replacement.

    Args:
        values: Of configurations; None counts as the worst of the others. One must be known.
        maximize: Whether more is better.
    """
    sign = 1.0 if maximize else -1.0
    known = [sign * value for value in values if value is not None]
    filled = np.sort([min(known) if v is None else sign * v for v in values])
    count = len(filled)
    at_most = np.arange(1, count + 1) / count
    draws = np.arange(1, count + 1)[:, None]
    weights = at_most**draws - (at_most - 1 / count) ** draws  # (draws, values)
    return np.asarray(sign * (weights @ filled), dtype=np.float64)


def expected_curves(study: StudyRecord) -> tuple[ExpectedBest, ...]:
    """Compute a curve for each stage with enough configurations, and for each budget it took."""
    found = places(study)
    curves = []
    for index, stage in enumerate(study.stages):
        placed = [p for p in found.values() if p.place[0] == index]
        if len(placed) >= LEAST and not stage.after_training:
            curves += _curves(study, stage.name, placed)
    return tuple(curves)


def _curves(study: StudyRecord, stage: str, placed: Sequence[Placed]) -> list[ExpectedBest]:
    cells = [cells_of(study, p.configuration) for p in placed]
    ended = [each for each in cells if any(cell.outcome is not None for cell in each)]
    values = [mean(value_of(cell, study.metric) for cell in each) for each in ended]
    if sum(value is not None for value in values) < LEAST:
        return []
    best = expected_best(values, maximize=study.direction == "maximize")
    curves = []
    for budget in BUDGETS:
        unit, costs = _costs(ended, budget)
        if costs is not None and costs > 0:
            steps = np.arange(1, len(best) + 1, dtype=np.float64) * np.float64(costs)
            if budget == "device time":
                readable_unit = readable([float(steps[-1])], DEVICE_TIME)
                unit, steps = readable_unit.name, steps / readable_unit.size
            missing = sum(value is None for value in values)
            curves.append(ExpectedBest(stage, study.metric, unit, steps, best, missing))
    return curves


def _costs(
    configurations: Sequence[Sequence[CellRecord]], budget: str
) -> tuple[str, float | None]:
    """Return a budget's unit, and the mean cost of a configuration; None: unknown."""
    total = costs_of(trial for cells in configurations for cell in cells for trial in cell.trials)
    count = len(configurations)
    if budget == "epochs":
        return budget, sum(len(cell.epochs) for cells in configurations for cell in cells) / count
    if budget == "device time":
        return "s", total.device_s / count
    return total.currency, None if total.money is None else total.money / count


def expected_figure(curve: ExpectedBest) -> go.Figure:
    """Draw the expected best against the budget."""
    trace = {
        "type": "scatter",
        "mode": "lines+markers",
        "x": [float(f"{x:.6g}") for x in curve.budgets],
        "y": [float(f"{y:.6g}") for y in curve.values],
        "customdata": list(range(1, len(curve.values) + 1)),
        "line": {"color": theme.SERIES[0], "width": 2},
        "marker": {"color": theme.SERIES[0], "size": 5},
        "hovertemplate": "%{customdata} configurations, %{x} "
        + curve.unit.replace("<", "")
        + ": %{y:.3f}<extra></extra>",
    }
    return go.Figure(
        data=[trace],
        layout=theme.layout(
            280,
            xaxis=theme.axis(sentence_case(curve.unit), rangemode="tozero"),
            yaxis=theme.value_axis(
                [float(each) for each in curve.values],
                f"expected best {metric_name(curve.metric)}",
            ),
        ),
    )


def expected_summary(curve: ExpectedBest) -> str:
    """Say in a sentence what the first and all of the budget buy."""
    first, last = curve.values[0], curve.values[-1]
    text = (
        f"One configuration is expected to reach {score(float(first))}, the best of "
        f"{len(curve.values)} {score(float(last))} for {curve.budgets[-1]:.3g} {curve.unit}."
    )
    if curve.without_value:
        text += f" {curve.without_value} without a value count as the worst."
    return text
