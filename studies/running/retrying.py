"""Plan cells again that ended badly: at once, or by the process that runs their study.

NotRetriableError   a cell that is asked for is not there, or has not ended badly
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass

from studies.running.file_lock import LockHeldError
from studies.running.requests import RETRIABLE, RETRY
from studies.running.workspace import WorkspaceFolder
from studies.tree.finding_cells import UnknownCellError, find_cell
from studies.tree.ledger import Ledger
from trackers.records import Outcome


class NotRetriableError(LookupError):
    """A cell cannot be tried again; the message says which, and why."""


@dataclass(frozen=True, slots=True)
class Retry:
    """What was done."""

    cells: tuple[str, ...]
    runner: str  # who was asked to do it; "" where it was done at once


def cells_to_retry(
    ledger: Ledger, study: str, wanted: Sequence[str], *, all_failed: bool
) -> tuple[str, ...]:
    """Return the ids of the cells that are meant, in running order.

    Args:
        ledger: Of the workspace.
        study: Its name.
        wanted: Cells by the beginnings of their ids.
        all_failed: Also every cell that failed, was lost, stopped or infeasible.

    Raises:
        NotRetriableError: One is unknown, runs, or is complete.
    """
    rows = {row["id"]: row for row in ledger.cells(study)}
    chosen = {_found(study, each, rows) for each in wanted}
    for cell in chosen:
        if rows[cell]["outcome"] not in RETRIABLE:
            state = rows[cell]["outcome"] or "planned, or runs"
            if state == Outcome.PRUNED:
                state += ", which its search decided and would again"
            raise NotRetriableError(
                f"cell {cell} must have ended without a result to be tried again, but is "
                f"{state}; leave it out"
            )
    if all_failed:
        chosen |= {cell for cell, row in rows.items() if row["outcome"] in RETRIABLE}
    return tuple(cell for cell in rows if cell in chosen)


def retry_cells(place: WorkspaceFolder, ledger: Ledger, study: str, cells: Sequence[str]) -> Retry:
    """Reopen cells, or ask the process that runs the study to do so."""
    try:
        with place.lease(study):
            ledger.reopen(study, cells)
            note = f"{len(cells)} cells are to be tried again; launch it to go on"
            ledger.end_launch(study, is_finished=False, note=note)
    except LockHeldError as error:
        for cell in cells:
            ledger.ask(study, RETRY, cell=cell)
        return Retry(tuple(cells), str(error))
    return Retry(tuple(cells), "")


def _found(study: str, wanted: str, ids: Collection[str]) -> str:
    try:
        return find_cell(f"{study}/{wanted.rpartition('/')[2]}", {study: ids})[1]
    except UnknownCellError as error:
        raise NotRetriableError(str(error)) from error
