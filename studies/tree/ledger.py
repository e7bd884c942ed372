"""The ledger: what was planned, what ran and what was decided, in one SQLite file.

One process writes a study's rows (it holds the study's lease); any number may read. Every method
is one transaction, so a killed writer leaves either all of a fact or none of it.
"""

import fcntl
import sqlite3
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter
from sqlalchemy import (
    Connection,
    Engine,
    Executable,
    RowMapping,
    Select,
    Update,
    create_engine,
    delete,
    event,
    select,
    update,
)
from sqlalchemy.dialects.sqlite import Insert, insert

from studies.tree.cells import CellResult, PlannedCell
from studies.tree.ledger_tables import (
    assemblies,
    cells,
    metadata,
    proposals,
    stages,
    studies,
    test_scores,
    trials,
)
from trackers.records import Outcome, StageRecord

RUNNING = "running"  # a study's note from launch to end
BUSY_TIMEOUT_MS = 30_000
RETRIED_AT_LAUNCH = (Outcome.FAILED, Outcome.LOST, Outcome.STOPPED)
_STAGE_RECORD = TypeAdapter(StageRecord)


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


class Ledger:
    """Every study of a workspace."""

    def __init__(self, file: Path) -> None:
        file.parent.mkdir(parents=True, exist_ok=True)
        self._engine: Engine = create_engine(f"sqlite:///{file}")
        event.listen(self._engine, "connect", _configure)
        # SQLite lets nobody wait for a change of the journal mode, so one process at a time.
        with file.with_suffix(".lock").open("w") as lock, self._engine.connect() as connection:
            fcntl.flock(lock, fcntl.LOCK_EX)
            connection.exec_driver_sql("PRAGMA journal_mode = WAL")  # the file remembers it
            metadata.create_all(connection)
            connection.commit()

    def close(self) -> None:
        """Release the file."""
        self._engine.dispose()

    def study_names(self) -> tuple[str, ...]:
        """Return the names of all studies, oldest first."""
        query = select(studies.c.name).order_by(studies.c.created_at)
        with self._engine.connect() as connection:
            return tuple(connection.scalars(query))

    def study(self, name: str) -> RowMapping | None:
        """Return a study's row, or None."""
        return self._first(select(studies).where(studies.c.name == name))

    def save_study(
        self, name: str, *, text: str, resolved: Mapping[str, Any], environment: Mapping[str, str]
    ) -> None:
        """Write what a launch starts with; keeps what earlier launches used up."""
        values = {
            "text": text,
            "resolved": dict(resolved),
            "environment": dict(environment),
            "is_finished": False,
            "note": RUNNING,
        }
        first = {"name": name, "created_at": time.time(), "wall_s": 0.0}
        statement = insert(studies).values(**first, **values)
        self._write(statement.on_conflict_do_update(index_elements=["name"], set_=values))

    def save_wall_time(self, name: str, wall_s: float) -> None:
        """Write how long a study has run, over all its launches."""
        self._write(update(studies).where(studies.c.name == name).values(wall_s=wall_s))

    def end_launch(self, name: str, *, is_finished: bool, note: str) -> None:
        """Say how a study stands."""
        self._write(
            update(studies)
            .where(studies.c.name == name)
            .values(is_finished=is_finished, note=note)
        )

    def plan(
        self, study: str, planned: Iterable[PlannedCell], records: Iterable[StageRecord]
    ) -> None:
        """Replace the plan by the tree as it has grown; results stay."""
        with self._engine.begin() as connection:
            connection.execute(update(cells).where(cells.c.study == study).values(position=-1))
            for position, cell in enumerate(planned):
                connection.execute(_upsert_cell(study, cell, position))
                connection.execute(_update_source(study, cell))
            connection.execute(delete(stages).where(stages.c.study == study))
            for position, record in enumerate(records):
                row = _STAGE_RECORD.dump_python(record, mode="json")
                connection.execute(
                    insert(stages).values(study=study, position=position, record=row)
                )

    def stage_records(self, study: str) -> tuple[StageRecord, ...]:
        """Return the stages in order."""
        query = select(stages.c.record).where(stages.c.study == study).order_by(stages.c.position)
        with self._engine.connect() as connection:
            return tuple(_STAGE_RECORD.validate_python(row) for row in connection.scalars(query))

    def cells(self, study: str) -> tuple[RowMapping, ...]:
        """Return the planned cells in running order."""
        query = select(cells).where(cells.c.study == study, cells.c.position >= 0)
        return self._all(query.order_by(cells.c.position))

    def cell(self, study: str, cell: str) -> RowMapping:
        """Return one cell."""
        row = self._first(select(cells).where(cells.c.study == study, cells.c.id == cell))
        if row is None:
            raise LookupError(f"study '{study}' has no cell '{cell}' in the ledger")
        return row

    def results(self, study: str) -> dict[str, CellResult]:
        """Return every cell that ended, also those that are no longer planned."""
        query = select(cells).where(cells.c.study == study, cells.c.outcome.is_not(None))
        return {
            row["id"]: CellResult(
                outcome=Outcome(row["outcome"]),
                metrics=row["metrics"],
                train_macs=row["train_macs"],
                seconds=row["seconds"],
                source=row["source"],
            )
            for row in self._all(query)
        }

    def reopen_unfinished(self, study: str) -> int:
        """Plan the cells again that failed, were lost or stopped; return how many."""
        unfinished = [str(outcome) for outcome in RETRIED_AT_LAUNCH]
        statement = (
            update(cells)
            .where(cells.c.study == study, cells.c.outcome.in_(unfinished))
            .values(outcome=None, reason="")
        )
        with self._engine.begin() as connection:
            connection.execute(
                update(trials)
                .where(trials.c.study == study, trials.c.is_fault.is_(True))
                .values(is_fault=False)
            )
            return int(connection.execute(statement).rowcount)

    def start_trial(self, study: str, start: TrialStart) -> None:
        """Write that a trial is about to run."""
        row = {
            "study": study,
            "cell": start.cell,
            "attempt": start.attempt,
            "device": start.device,
            "host": start.host,
            "folder": start.folder,
            "micro_batch_divisor": start.micro_batch_divisor,
            "next_micro_batch_divisor": start.micro_batch_divisor,
            "started_at": time.time(),
            "reason": "",
            "resumed_from_epoch": 0,
            "is_fault": False,
            "effective": {},
        }
        self._write(insert(trials).values(**row))

    def end_trial(self, study: str, end: TrialEnd, cell: CellEnd | None = None) -> None:
        """Write how a trial ended and, if that settles it, what came of its cell."""
        with self._engine.begin() as connection:
            connection.execute(
                update(trials)
                .where(
                    trials.c.study == study,
                    trials.c.cell == end.cell,
                    trials.c.attempt == end.attempt,
                )
                .values(
                    outcome=str(end.outcome),
                    reason=end.reason,
                    is_fault=end.is_fault,
                    ended_at=time.time() if end.ended_at is None else end.ended_at,
                    resumed_from_epoch=end.resumed_from_epoch,
                    next_micro_batch_divisor=end.next_micro_batch_divisor,
                    effective=dict(end.effective),
                )
            )
            if cell is not None:
                _settle(connection, study, cell)

    def settle(self, study: str, cell: CellEnd) -> None:
        """Write what came of a cell that needed no trial."""
        with self._engine.begin() as connection:
            _settle(connection, study, cell)

    def trials(self, study: str, cell: str | None = None) -> tuple[RowMapping, ...]:
        """Return the trials of a study, or of one cell, earlier attempts first."""
        query = select(trials).where(trials.c.study == study)
        if cell is not None:
            query = query.where(trials.c.cell == cell)
        return self._all(query.order_by(trials.c.attempt, trials.c.started_at))

    def proposals(self, study: str) -> dict[str, list[dict[str, Any]]]:
        """Return what samplers proposed, per search, in order."""
        query = select(proposals).where(proposals.c.study == study)
        found: dict[str, list[dict[str, Any]]] = {}
        for row in self._all(query.order_by(proposals.c.search, proposals.c.number)):
            found.setdefault(row["search"], []).append(row["varied"])
        return found

    def save_proposal(
        self, study: str, search: str, *, number: int, varied: Mapping[str, Any]
    ) -> None:
        """Write what a sampler proposed."""
        row = {"study": study, "search": search, "number": number, "varied": dict(varied)}
        self._write(insert(proposals).values(**row).on_conflict_do_nothing())

    def test_scores(self, study: str) -> dict[str, RowMapping]:
        """Return the test scorings by cell."""
        rows = self._all(select(test_scores).where(test_scores.c.study == study))
        return {row["cell"]: row for row in rows}

    def save_test_score(
        self, study: str, cell: str, *, outcome: Outcome, reason: str, folder: str
    ) -> None:
        """Write that a cell's weights were scored on the test split."""
        values = {"outcome": str(outcome), "reason": reason, "folder": folder}
        statement = insert(test_scores).values(study=study, cell=cell, **values)
        self._write(statement.on_conflict_do_update(index_elements=["study", "cell"], set_=values))

    def plan_assemblies(self, study: str, planned: Iterable[Mapping[str, Any]]) -> None:
        """Replace the assemblies that are planned; results stay.

        Args:
            study: Its name.
            planned: Rows with id, seed, members, single and folder.
        """
        fresh = {"reason": "", "device": "", "host": "", "scores": {}}
        with self._engine.begin() as connection:
            connection.execute(
                update(assemblies).where(assemblies.c.study == study).values(is_planned=False)
            )
            for row in planned:
                statement = insert(assemblies).values(study=study, is_planned=True, **fresh, **row)
                connection.execute(
                    statement.on_conflict_do_update(
                        index_elements=["study", "id"], set_={"is_planned": True}
                    )
                )

    def save_assembly(self, study: str, assembly: str, **values: object) -> None:
        """Write how far an assembly is: any columns but its identity."""
        self._write(
            update(assemblies)
            .where(assemblies.c.study == study, assemblies.c.id == assembly)
            .values(**values)
        )

    def assemblies(self, study: str) -> tuple[RowMapping, ...]:
        """Return the planned assemblies by seed."""
        query = select(assemblies).where(assemblies.c.study == study, assemblies.c.is_planned)
        return self._all(query.order_by(assemblies.c.seed))

    def assembly_looks(self, study: str) -> int:
        """Count the assemblies scored on the test split, also those no longer planned."""
        query = select(assemblies).where(assemblies.c.study == study)
        rows = self._all(query.where(assemblies.c.outcome == Outcome.COMPLETE))
        return sum("test" in row["scores"].get("images", {}) for row in rows)

    def _write(self, statement: Executable) -> None:
        with self._engine.begin() as connection:
            connection.execute(statement)

    def _first(self, query: Select[Any]) -> RowMapping | None:
        with self._engine.connect() as connection:
            return connection.execute(query).mappings().first()

    def _all(self, query: Select[Any]) -> tuple[RowMapping, ...]:
        with self._engine.connect() as connection:
            return tuple(connection.execute(query).mappings())


def _configure(connection: sqlite3.Connection, _record: object) -> None:
    """Wait for another study's writer, and let no row name a cell that is not there."""
    connection.execute(f"PRAGMA busy_timeout = {BUSY_TIMEOUT_MS}")
    connection.execute("PRAGMA foreign_keys = ON")


def _upsert_cell(study: str, cell: PlannedCell, position: int) -> Insert:
    row = {
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
    statement = insert(cells).values(**row, position=position)
    return statement.on_conflict_do_update(
        index_elements=["study", "id"], set_={"position": position}
    )


def _update_source(study: str, cell: PlannedCell) -> Update:
    """A cell that never ran may be re-scored now instead of trained, or the other way round."""
    return (
        update(cells)
        .where(cells.c.study == study, cells.c.id == cell.id, cells.c.outcome.is_(None))
        .values(source=cell.source)
    )


def _settle(connection: Connection, study: str, cell: CellEnd) -> None:
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
