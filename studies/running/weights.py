"""Whose best weights are kept: a study of many cells would fill the disk with them."""

from collections.abc import Iterator
from pathlib import Path

from studies.running.uploads import best_weights
from studies.spec.schema import StudySpec
from studies.tree.ledger import Ledger
from studies.tree.study_record import winners
from trackers.records import Outcome, StudyRecord


def drop_weights(spec: StudySpec, ledger: Ledger, workspace: Path, *, record: StudyRecord) -> None:
    """Delete the weights of every other cell."""
    kept = kept_cells(spec, record)
    for cell in record.cells.values():
        if cell.id in kept or cell.source is not None:
            continue
        weights = best_weights(workspace, ledger.trials(spec.study, cell.id))
        if weights is not None:
            weights.unlink()


def kept_cells(spec: StudySpec, record: StudyRecord) -> set[str]:
    """Return the trained cells whose weights are kept."""
    trained = {
        cell.id
        for cell in record.cells.values()
        if cell.outcome is Outcome.COMPLETE and cell.source is None
    }
    if spec.weights == "all":
        return trained
    if spec.weights == "none":
        return set()
    winning = {
        record.cells[cell].source or cell
        for cell in (*_stage_winners(record), *_assembled(record))
        if cell in record.cells
    }
    return winning & trained


def _stage_winners(record: StudyRecord) -> Iterator[str]:
    for stage in record.stages:
        for configuration in winners(stage):
            yield from configuration.cells


def _assembled(record: StudyRecord) -> Iterator[str]:
    """Yield the cells of networks that were put together, or compared with that."""
    for assembly in record.assemblies:
        yield from assembly.members.values()
        if assembly.single is not None:
            yield assembly.single
