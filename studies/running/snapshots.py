"""From a running study to what its view shows."""

from collections import Counter
from collections.abc import Sequence

from sqlalchemy import RowMapping

from studies.running.budgets import BudgetMeter
from studies.running.progress import RunningRow, Snapshot
from studies.spec.schema import StudySpec
from studies.tree.assemblies import waiting_cells
from studies.tree.growth import GrownStage, Tree
from studies.tree.ledger import Ledger


def snapshot(
    spec: StudySpec,
    tree: Tree,
    ledger: Ledger,
    *,
    running: tuple[RunningRow, ...],
    meter: BudgetMeter,
) -> Snapshot:
    """Count what ended and estimate what is left."""
    rows = ledger.cells(spec.study)
    ended = [row for row in rows if row["outcome"] is not None]
    singles = waiting_cells(spec, tree.assemblies)
    planned = len(rows) + singles + sum(_unknown_cells(grown) for grown in tree.stages)
    number, current = _current(tree)
    elapsed_s = meter.wall_s()
    trained = [row["seconds"] for row in ended if row["source"] is None and row["seconds"]]
    remaining_s = None
    if trained and running:
        left = singles + _to_train(rows, tree)
        remaining_s = left * sum(trained) / len(trained) / len(running)
    return Snapshot(
        study=spec.study,
        stage=current.stage.name,
        stage_number=number,
        stages=len(tree.stages),
        outcomes=Counter(row["outcome"] for row in ended),
        settled=len(ended),
        planned=planned,
        running=running,
        metric=spec.objective.metric,
        elapsed_s=elapsed_s,
        remaining_s=remaining_s,
    )


def _current(tree: Tree) -> tuple[int, GrownStage]:
    """Return the first undecided stage, or the last one, with its 1-based number."""
    for number, grown in enumerate(tree.stages, start=1):
        if not grown.decisions:
            return number, grown
    return len(tree.stages), tree.stages[-1]


def _unknown_cells(grown: GrownStage) -> int:
    """Count a stage's cells whose settings are not known yet."""
    return grown.planned_cells - sum(len(each.cells) for each in grown.configurations)


def _to_train(rows: Sequence[RowMapping], tree: Tree) -> int:
    """Count the cells that are left and need training."""
    known = sum(row["outcome"] is None and row["source"] is None for row in rows)
    trained = (grown for grown in tree.stages if not grown.stage.after_training)
    return known + sum(_unknown_cells(grown) for grown in trained)
