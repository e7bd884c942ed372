"""The ledger: what was planned, what ran and what was decided.

One process writes a study's rows (it holds the study's lease); any number may read. Every method
is one transaction, so a killed writer leaves either all of a fact or none of it.
"""

import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from sqlalchemy import URL, Connection, Executable, RowMapping, Select, Table, select, update

from studies.tree.cells import CellResult, PlannedCell
from studies.tree.database import Database
from studies.tree.ledger_errors import LedgerError
from studies.tree.ledger_plan import (
    Addition,
    configurations_query,
    read_stages,
    stages_query,
    write_additions,
    write_plan,
)
from studies.tree.ledger_rows import (
    CellEnd,
    TrialEnd,
    TrialStart,
    settle,
)
from studies.tree.ledger_tables import (
    assemblies,
    cells,
    proposals,
    requests,
    studies,
    test_scores,
    trials,
)
from trackers.records import Outcome, StageRecord

RUNNING = "running"  # a study's note from launch to end
RETRIED_AT_LAUNCH = (Outcome.FAILED, Outcome.LOST, Outcome.STOPPED)

__all__ = ["RUNNING", "CellEnd", "Ledger", "TrialEnd", "TrialStart"]


class Ledger:
    """Every study of a workspace; `open_ledger` of `studies.running.workspace` finds it."""

    def __init__(self, place: Path | URL) -> None:
        self._database = Database(place)
        self._insert = self._database.insert

    @property
    def is_read_only(self) -> bool:
        """Whether nothing can be written."""
        return self._database.is_read_only

    def close(self) -> None:
        """Release the file, or the connections."""
        self._database.close()

    def wait_for_server(
        self,
        say: Callable[[str], None],
        confirm: Callable[[], None],
        *,
        gives_up: Callable[[], bool] = lambda: False,
    ) -> None:
        """Outlive a server that goes away; see `Database.wait_for_server`."""
        self._database.wait_for_server(say, confirm, gives_up=gives_up)

    def study_names(self) -> tuple[str, ...]:
        """Return the names of all studies, oldest first."""
        return tuple(row["name"] for row in self._all(select(studies).order_by("created_at")))

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
        statement = self._insert(studies).values(**first, **values)
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
        listed, stage_rows = list(planned), list(records)
        self._database.write(
            lambda connection: write_plan(
                connection, self._insert, study, planned=listed, records=stage_rows
            )
        )

    def extend(self, study: str, additions: Iterable[Addition]) -> None:
        """Write what samplers proposed, and what that added to the plan."""
        listed = list(additions)
        self._database.write(
            lambda connection: write_additions(connection, self._insert, study, listed)
        )

    def stage_records(self, study: str) -> tuple[StageRecord, ...]:
        """Return the stages in order."""

        def read(connection: Connection) -> tuple[StageRecord, ...]:
            queries = (stages_query(study), configurations_query(study))
            return read_stages(*(tuple(connection.execute(query).mappings()) for query in queries))

        return self._database.read(read)

    def cells(self, study: str) -> tuple[RowMapping, ...]:
        """Return the planned cells in running order."""
        query = select(cells).where(cells.c.study == study, cells.c.position >= 0)
        return self._all(query.order_by(cells.c.position))

    def all_cells(self, study: str) -> tuple[RowMapping, ...]:
        """Return the cells, also those that are no longer planned."""
        return self._all(select(cells).where(cells.c.study == study).order_by(cells.c.position))

    def cell(self, study: str, cell: str) -> RowMapping:
        """Return one cell."""
        row = self._first(select(cells).where(cells.c.study == study, cells.c.id == cell))
        if row is None:
            raise LookupError(f"study '{study}' has no cell '{cell}' in the ledger")
        return row

    def results(self, study: str, cell: str | None = None) -> dict[str, CellResult]:
        """Return every cell that ended, also those no longer planned; or one, if it ended."""
        query = select(cells).where(cells.c.study == study, cells.c.outcome.is_not(None))
        if cell is not None:
            query = query.where(cells.c.id == cell)
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
        forgive = (
            update(trials)
            .where(trials.c.study == study, trials.c.is_fault.is_(True))
            .values(is_fault=False)
        )
        reopen = (
            update(cells)
            .where(cells.c.study == study, cells.c.outcome.in_(unfinished))
            .values(outcome=None, reason="")
        )

        def write(connection: Connection) -> int:
            connection.execute(forgive)
            return int(connection.execute(reopen).rowcount)

        return self._database.write(write)

    def reopen(self, study: str, wanted: Iterable[str]) -> None:
        """Plan cells again whatever came of them, with whole batches and all their attempts."""
        ids = list(wanted)
        fresh = {"is_fault": False, "next_micro_batch_divisor": 1}
        forgive = update(trials).where(trials.c.study == study, trials.c.cell.in_(ids))
        reopen = update(cells).where(cells.c.study == study, cells.c.id.in_(ids))

        def write(connection: Connection) -> None:
            connection.execute(forgive.values(**fresh))
            connection.execute(reopen.values(outcome=None, reason=""))

        self._database.write(write)

    def start_trial(self, study: str, start: TrialStart) -> None:
        """Write that a trial is about to run.

        Raises:
            LedgerError: another process wrote that same attempt.
        """
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
            "costs": {},
        }
        statement = self._insert(trials).values(**row).on_conflict_do_nothing()
        own = (trials.c.study == study, trials.c.cell == start.cell)
        query = select(trials.c.started_at).where(*own, trials.c.attempt == start.attempt)

        def write(connection: Connection) -> None:
            is_new = connection.execute(statement).rowcount == 1
            if not is_new and connection.scalar(query) != row["started_at"]:
                raise LedgerError(
                    f"trial {start.attempt} of cell {start.cell} must be started once, but "
                    f"another process runs study '{study}' too; stop one of them"
                )

        self._database.write(write)

    def end_trial(self, study: str, end: TrialEnd, cell: CellEnd | None = None) -> None:
        """Write how a trial ended and, if that settles it, what came of its cell."""
        ended_at = time.time() if end.ended_at is None else end.ended_at
        own = (trials.c.study == study, trials.c.cell == end.cell)
        statement = (
            update(trials)
            .where(*own, trials.c.attempt == end.attempt)
            .values(
                outcome=str(end.outcome),
                reason=end.reason,
                is_fault=end.is_fault,
                ended_at=ended_at,
                resumed_from_epoch=end.resumed_from_epoch,
                next_micro_batch_divisor=end.next_micro_batch_divisor,
                effective=dict(end.effective),
                costs=dict(end.costs),
            )
        )

        def write(connection: Connection) -> None:
            connection.execute(statement)
            if cell is not None:
                settle(connection, study, cell)

        self._database.write(write)

    def settle(self, study: str, cell: CellEnd) -> None:
        """Write what came of a cell that needed no trial."""
        self._database.write(lambda connection: settle(connection, study, cell))

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

    def proposal_rows(self, study: str) -> tuple[RowMapping, ...]:
        """Return what samplers, or others, proposed, as it is kept."""
        return self._all(select(proposals).where(proposals.c.study == study))

    def save_proposal(
        self,
        study: str,
        search: str,
        *,
        number: int,
        varied: Mapping[str, Any],
        source: str = "",
    ) -> None:
        """Write what a sampler proposed, or who else did: "thesis", "study NAME"."""
        row = {"study": study, "search": search, "number": number, "varied": dict(varied)}
        statement = self._insert(proposals).values(**row, source=source)
        self._write(statement.on_conflict_do_nothing())

    def test_scores(self, study: str) -> dict[str, RowMapping]:
        """Return the test scorings by cell."""
        rows = self._all(select(test_scores).where(test_scores.c.study == study))
        return {row["cell"]: row for row in rows}

    def save_test_score(
        self, study: str, cell: str, *, outcome: Outcome, reason: str, folder: str
    ) -> None:
        """Write that a cell's weights were scored on the test split."""
        values = {"outcome": str(outcome), "reason": reason, "folder": folder}
        statement = self._insert(test_scores).values(study=study, cell=cell, **values)
        self._write(statement.on_conflict_do_update(index_elements=["study", "cell"], set_=values))

    def plan_assemblies(self, study: str, planned: Iterable[Mapping[str, Any]]) -> None:
        """Replace the assemblies that are planned; results stay.

        Args:
            study: Its name.
            planned: Rows with id, seed, members, single and folder.
        """
        fresh = {"reason": "", "device": "", "host": "", "scores": {}}
        rows = [{"study": study, "is_planned": True, **fresh, **row} for row in planned]

        def write(connection: Connection) -> None:
            connection.execute(
                update(assemblies).where(assemblies.c.study == study).values(is_planned=False)
            )
            for row in rows:
                statement = self._insert(assemblies).values(**row)
                connection.execute(
                    statement.on_conflict_do_update(
                        index_elements=["study", "id"], set_={"is_planned": True}
                    )
                )

        self._database.write(write)

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

    def all_assemblies(self, study: str) -> tuple[RowMapping, ...]:
        """Return the assemblies of a study, also those no longer planned."""
        return self._all(select(assemblies).where(assemblies.c.study == study))

    def assembly_looks(self, study: str) -> int:
        """Count the assemblies scored on the test split, also those no longer planned."""
        rows = [row for row in self.all_assemblies(study) if row["outcome"] == Outcome.COMPLETE]
        return sum("test" in row["scores"].get("images", {}) for row in rows)

    def ask(self, study: str, kind: str, *, cell: str | None = None) -> None:
        """Ask something of the process that runs a study.

        Args:
            study: Its name.
            kind: "stop", "kill" or "retry".
            cell: Which cell; None: the whole study.
        """
        row = {"study": study, "kind": kind, "cell": cell, "at": time.time(), "handled": False}
        self._write(self._insert(requests).values(**row))

    def open_requests(self, study: str) -> tuple[RowMapping, ...]:
        """Return what was asked and not handled yet, in order."""
        query = select(requests).where(requests.c.study == study, requests.c.handled.is_(False))
        return self._all(query.order_by(requests.c.id))

    def handle_request(self, request: int) -> None:
        """Write that a request is handled."""
        self._write(update(requests).where(requests.c.id == request).values(handled=True))

    def add_rows(self, rows: Sequence[tuple[Table, Mapping[str, Any]]]) -> None:
        """Write rows of any tables, all or none; what they name must come before them."""

        def write(connection: Connection) -> None:
            for table, row in rows:
                connection.execute(self._insert(table).values(**row))

        self._database.write(write)

    def _write(self, statement: Executable) -> None:
        self._database.write(lambda connection: connection.execute(statement))

    def _first(self, query: Select[Any]) -> RowMapping | None:
        return self._database.read(lambda connection: connection.execute(query).mappings().first())

    def _all(self, query: Select[Any]) -> tuple[RowMapping, ...]:
        return self._database.read(lambda connection: tuple(connection.execute(query).mappings()))
