"""From a planned cell to the order its next trial gets."""

import socket
from pathlib import Path

from models.session import StartingWeights
from studies.running.trial_order import Slot, TrialOrder
from studies.spec.budget_schema import duration_s
from studies.spec.schema import CellSettings, StudySpec
from studies.tree.cell_history import CellHistory, read_history
from studies.tree.ledger import Ledger, TrialStart


def trial_folder(study: str, cell: str, attempt: int | str) -> str:
    """Return where a trial lives, relative to the workspace."""
    return f"studies/{study}/trials/{cell}-{attempt}"


def training_order(
    spec: StudySpec,
    ledger: Ledger,
    workspace: Path,
    *,
    cell: str,
    slot: Slot,
    start: StartingWeights | None = None,
) -> tuple[TrialOrder, CellHistory]:
    """Write the next attempt at a cell into the ledger; return its order and the past."""
    row = ledger.cell(spec.study, cell)
    earlier = ledger.trials(spec.study, cell)
    attempt = len(earlier) + 1
    divisor = earlier[-1]["next_micro_batch_divisor"] if earlier else 1
    folder = trial_folder(spec.study, cell, attempt)
    trial = TrialStart(cell, attempt, slot.device, socket.gethostname(), folder, divisor)
    ledger.start_trial(spec.study, trial)
    folders = [workspace / each["folder"] for each in earlier]
    order = TrialOrder(
        purpose="train",
        task=spec.task,
        cell=cell,
        attempt=attempt,
        settings=row["settings"],
        seed=row["seed"],
        objective=spec.objective.metric,
        maximize=spec.objective.direction == "maximize",
        scores_test=spec.objective.select_on == "test",
        time_limit_s=_time_limit_s(spec, row["grp"]),
        folder=workspace / folder,
        earlier_folders=tuple(reversed(folders)),
        micro_batch_divisor=divisor,
        weights=None,
        start=start,
    )
    return order, read_history(folders)


def _time_limit_s(spec: StudySpec, group: str) -> float | None:
    """Return how long a cell may train; the single network stands for one of each class."""
    limit = spec.budget.per_trial.time
    if limit is None:
        return None
    stands_for = len(spec.data.classes) if spec.data.one_model_per_class and not group else 1
    return duration_s(limit) * stands_for


def batch_size(order: TrialOrder) -> int:
    """Return the images per batch that an order trains with."""
    return CellSettings.model_validate(order.settings).training.batch_size
