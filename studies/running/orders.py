"""From a planned cell to the order its next trial gets."""

import socket
from pathlib import Path
from typing import Any

from models.session import StartingWeights
from models.spending import HOUR_S, KWH_J, TrainingLimits
from studies.running.memory import first_divisor
from studies.running.prices import price_of
from studies.running.trial_order import Slot, TrialOrder
from studies.spec.budget_schema import duration_s
from studies.spec.schema import CellSettings, StudySpec
from studies.tree.cell_history import CellHistory, read_history
from studies.tree.ledger import Ledger, TrialStart


def study_folder(workspace: Path, study: str) -> Path:
    """Return where a workspace keeps what is of one study."""
    return workspace / "studies" / study


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
    if earlier:
        divisor = earlier[-1]["next_micro_batch_divisor"]
    else:
        divisor = _first_divisor(spec.study, workspace, row["settings"], slot)
    folder = trial_folder(spec.study, cell, attempt)
    trial = TrialStart(
        cell, attempt, slot.device, slot.host or socket.gethostname(), folder, divisor
    )
    ledger.start_trial(spec.study, trial)
    price = price_of(slot.device, spec.budget)
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
        folder=workspace / folder,
        earlier_folders=tuple(reversed(folders)),
        micro_batch_divisor=divisor,
        weights=None,
        start=start,
        limits=limits_of(spec, row["grp"], price.currency if price is not None else ""),
    )
    return order, read_history(folders)


def _first_divisor(study: str, workspace: Path, settings: dict[str, Any], slot: Slot) -> int:
    cell = CellSettings.model_validate(settings)
    return first_divisor(study_folder(workspace, study), cell, slot)


def limits_of(spec: StudySpec, group: str, currency: str) -> TrainingLimits:
    """Return what a cell may use; the single network stands for one of each class."""
    budget = spec.budget.per_trial
    stands_for = len(spec.data.classes) if spec.data.one_model_per_class and not group else 1

    def measured(limit: float | None, unit: float = 1.0) -> float | None:
        return None if limit is None else limit * unit * stands_for

    def counted(limit: int | None) -> int | None:
        return None if limit is None else limit * stands_for

    return TrainingLimits(
        epochs=budget.epochs,
        steps=counted(budget.steps),
        images=counted(budget.images),
        seconds=None if budget.time is None else measured(duration_s(budget.time)),
        device_s=measured(budget.gpu_hours, HOUR_S),
        energy_j=measured(budget.energy_kwh, KWH_J),
        money=measured(budget.money),
        currency=currency,
    )


def batch_size(order: TrialOrder) -> int:
    """Return the images per batch that an order trains with."""
    return CellSettings.model_validate(order.settings).training.batch_size
