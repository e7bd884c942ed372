"""What a page shows of costs: tables, what budget buys, and which GPUs the cells fit on."""

from dataclasses import dataclass

from reports.figures.cost_accuracy import (
    cost_accuracy,
    cost_accuracy_figure,
    cost_accuracy_summary,
)
from reports.figures.embedding import EmbeddedFigure, embed
from reports.figures.expected_best import expected_curves, expected_figure, expected_summary
from reports.notation import sentence_case
from reports.tables.costs import CostTable, cost_table
from reports.tables.memory import MemoryTable, memory_table
from trackers.records import StudyRecord


@dataclass(frozen=True, slots=True)
class CostContents:
    """Sections of costs; each is left out where nothing is known of it."""

    table: CostTable | None
    memory: MemoryTable | None
    expected: tuple[EmbeddedFigure, ...]
    pareto: tuple[EmbeddedFigure, ...]


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
    return CostContents(cost_table(study), memory_table(study), tuple(expected), tuple(pareto))
