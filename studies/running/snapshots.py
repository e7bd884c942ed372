"""From a running study to what its view shows."""

from studies.running.budgets import BudgetMeter
from studies.running.progress import RunningRow, Snapshot
from studies.running.tally import Tally
from studies.tree.grown import GrownStage, Tree


def snapshot(
    tree: Tree, tally: Tally, *, running: tuple[RunningRow, ...], meter: BudgetMeter
) -> Snapshot:
    """Tell what ended, and estimate what is left."""
    number, current = _current(tree)
    remaining_s = None
    if tally.seconds is not None and running:
        remaining_s = tally.to_train * tally.seconds / len(running)
    return Snapshot(
        study=tally.spec.study,
        stage=current.stage.name,
        stage_number=number,
        stages=len(tree.every_stage),
        outcomes=tally.outcomes,
        settled=tally.settled,
        planned=tally.planned,
        running=running,
        metric=tally.spec.objective.metric,
        elapsed_s=meter.wall_s(),
        remaining_s=remaining_s,
    )


def _current(tree: Tree) -> tuple[int, GrownStage]:
    """Return the first undecided stage, or the last one, with its 1-based number."""
    for number, grown in enumerate(tree.every_stage, start=1):
        if not grown.decisions:
            return number, grown
    return len(tree.every_stage), tree.every_stage[-1]
