"""What a page shows of costs: tables, what budget buys, and which GPUs the cells fit on."""

from dataclasses import dataclass

from reports.figures.cloud_cost import (
    WIDTH,
    cloud_cost_figure,
    cloud_cost_summary,
    cloud_cost_table,
)
from reports.figures.cost_accuracy import (
    cost_accuracy,
    cost_accuracy_figure,
    cost_accuracy_summary,
)
from reports.figures.embedding import EmbeddedFigure, embed
from reports.figures.expected_best import expected_curves, expected_figure, expected_summary
from reports.figures.memory_frontier import frontier_figure, frontier_summary, frontiers
from reports.notation import sentence_case
from reports.tables.cloud_prices import CloudPrices, cloud_prices
from reports.tables.costs import CostTable, cost_table
from reports.tables.memory import MemoryTable, memory_table
from trackers.records import StudyRecord


@dataclass(frozen=True, slots=True)
class CostContents:
    """Sections of costs; each is left out where nothing is known of it."""

    table: CostTable | None
    memory: MemoryTable | None
    frontiers: tuple[EmbeddedFigure, ...]
    expected: tuple[EmbeddedFigure, ...]
    pareto: tuple[EmbeddedFigure, ...]
    cloud: EmbeddedFigure | None


def cost_contents(study: StudyRecord) -> CostContents:
    """Compute everything that is known of a study's costs."""
    expected = [
        embed(
            expected_figure(curve),
            f"expected-best-{index}",
            title=sentence_case(f"{curve.stage}: expected best against {curve.unit}"),
            summary=expected_summary(curve),
        )
        for index, curve in enumerate(expected_curves(study), start=1)
    ]
    pareto = [
        embed(
            cost_accuracy_figure(scatter),
            f"cost-accuracy-{index}",
            title=sentence_case(f"score against {scatter.cost}"),
            summary=cost_accuracy_summary(scatter),
        )
        for index, scatter in enumerate(cost_accuracy(study), start=1)
    ]
    prices = cloud_prices(study)
    return CostContents(
        table=cost_table(study),
        memory=memory_table(study),
        frontiers=_frontiers(study),
        expected=tuple(expected),
        pareto=tuple(pareto),
        cloud=_cloud(prices) if prices else None,
    )


def _frontiers(study: StudyRecord) -> tuple[EmbeddedFigure, ...]:
    return tuple(
        embed(
            frontier_figure(frontier),
            f"memory-{index}",
            title=sentence_case(frontier.label or "out-of-memory frontier"),
            summary=frontier_summary(frontier),
        )
        for index, frontier in enumerate(frontiers(study), start=1)
    )


def _cloud(prices: CloudPrices) -> EmbeddedFigure:
    return embed(
        cloud_cost_figure(prices),
        "cloud-prices",
        title="What an hour of a cloud GPU costs",
        summary=cloud_cost_summary(prices),
        min_width=WIDTH,
        table=cloud_cost_table(prices),
    )
