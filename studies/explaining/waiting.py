"""Why a study, a stage or a cell does not go on."""

from collections.abc import Iterator

from trackers.records import CellRecord, StageRecord, StudyRecord


def study_waits(record: StudyRecord, runner: str | None) -> Iterator[str]:
    """Yield a sentence for everything that waits; nothing where the study is finished.

    Args:
        record: The study.
        runner: Who runs it, see `find_runner`; None: nobody.
    """
    if record.is_finished:
        return
    undecided = [stage for stage in record.stages if not stage.decisions]
    stages = [
        sentence
        for stage in undecided
        for sentence in _stage_waits(
            record, stage, None if stage is undecided[0] else undecided[0]
        )
    ]
    if runner is None:
        is_said = any(each.startswith(record.note) for each in stages)  # a stage is in the way
        note = f": {record.note}" if record.note else "; launch it to go on"
        yield f"nobody runs the study{'' if record.note and is_said else note}"
    yield from stages


def cell_waits(record: StudyRecord, cell: CellRecord, runner: str | None) -> str:
    """Say why a cell has not ended; "" where it has, or is being measured."""
    if cell.outcome is not None or (cell.is_running and runner is not None):
        return ""
    if cell.is_running:
        return "the process that ran it is gone; the next launch resumes it from its checkpoint"
    source = record.cells.get(cell.source or "")
    if source is not None and source.outcome is None:
        return f"cell {source.id}, whose predictions it re-scores, must end first"
    again = f"attempt {len(cell.trials) + 1} " if cell.trials else ""
    if runner is None:
        return f"{again}waits for a launch: nobody runs the study"
    running = sum(each.is_running for each in record.cells.values())
    return f"{again}waits for a free worker: {running} cells run{_before(record, cell)}"


def _stage_waits(
    record: StudyRecord, stage: StageRecord, above: StageRecord | None
) -> Iterator[str]:
    """Say what an undecided stage lacks; `above` is the first undecided stage, if another."""
    if above is not None:
        yield (
            f"stage '{stage.name}' ({stage.planned_cells} cells) waits for the winner of stage "
            f"'{above.name}'"
        )
        return
    cells = [record.cells[each] for each in _cells_of(stage) if each in record.cells]
    unasked = max(0, stage.planned_cells - sum(len(each.cells) for each in stage.configurations))
    left = sum(cell.outcome is None for cell in cells) + unasked
    if left:
        proposed = f", {unasked} of them not proposed yet" if unasked else ""
        yield f"stage '{stage.name}' is decided when {left} more cells have ended{proposed}"
    else:
        yield (
            f"stage '{stage.name}' has no complete cell to choose a winner from; see why by "
            f"`visionstudy why CELL`, then `visionstudy retry {record.name} --failed`"
        )


def _before(record: StudyRecord, cell: CellRecord) -> str:
    """Count the cells that wait in front of one: the ledger's order is that of running."""
    count = 0
    for each in record.cells.values():
        if each.id == cell.id:
            break
        count += each.outcome is None and not each.is_running and each.source is None
    return f", {count} wait before it" if count else ""


def _cells_of(stage: StageRecord) -> Iterator[str]:
    for configuration in stage.configurations:
        yield from configuration.cells
