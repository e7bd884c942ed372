"""What is written into the ledger of a trial and of a cell, and the statements that do it."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import Connection, Update, update

from studies.tree.cells import PlannedCell
from studies.tree.ledger_tables import cells
from trackers.records import JsonValue, Outcome


@dataclass(frozen=True, slots=True)
class TrialStart:
    """What is known of a trial before its process runs."""

    cell: str
    attempt: int
    device: str
    host: str
    folder: str  # relative to the workspace
    micro_batch_divisor: int


@dataclass(frozen=True, slots=True)
class TrialEnd:
    """How a trial ended."""

    cell: str
    attempt: int
    outcome: Outcome
    reason: str
    is_fault: bool  # counts towards the retry limit
    resumed_from_epoch: int
    next_micro_batch_divisor: int
    effective: Mapping[str, Any]
    ended_at: float | None = None  # unix seconds; None: now
    costs: Mapping[str, JsonValue] = field(default_factory=dict)  # what it used -> how much


@dataclass(frozen=True, slots=True)
class CellEnd:
    """What came of a cell."""

    cell: str
    outcome: Outcome
    reason: str
    metrics: Mapping[str, float]
    best_epoch: int | None
    train_macs: float
    seconds: float


def fresh_cell(study: str, cell: PlannedCell) -> dict[str, Any]:
    """Return the row of a cell that never ran, but for its position."""
    return {
        "study": study,
        "id": cell.id,
        "settings": cell.settings.model_dump(mode="json"),
        "seed": cell.seed,
        "grp": cell.group,
        "source": cell.source,
        "reason": "",
        "metrics": {},
        "train_macs": 0.0,
        "seconds": 0.0,
    }


def update_source(study: str, cell: PlannedCell) -> Update:
    """A cell that never ran may be re-scored now instead of trained, or the other way round."""
    return (
        update(cells)
        .where(cells.c.study == study, cells.c.id == cell.id, cells.c.outcome.is_(None))
        .values(source=cell.source)
    )


def settle(connection: Connection, study: str, cell: CellEnd) -> None:
    """Write what came of a cell."""
    connection.execute(
        update(cells)
        .where(cells.c.study == study, cells.c.id == cell.cell)
        .values(
            outcome=str(cell.outcome),
            reason=cell.reason,
            metrics=dict(cell.metrics),
            best_epoch=cell.best_epoch,
            train_macs=cell.train_macs,
            seconds=cell.seconds,
        )
    )
