"""The database behind a ledger: a SQLite file, or one on a PostgreSQL server.

`read` and `write` each run one transaction. A server that went away during one is waited for and
the transaction runs again from its beginning, once `wait_for_server` was called: a coordinator
outlives a restart of its server, and `visionstudy status` does not hang on one.
"""

import fcntl
import os
import sqlite3
import time
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

from sqlalchemy import URL, Connection, Engine, Table, create_engine, event
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.exc import DBAPIError, IntegrityError

from studies.tree.ledger_errors import (
    LedgerAwayError,
    ReadOnlyLedgerError,
    explain,
)
from studies.tree.migrations import prepare_file, prepare_server, require_version

BUSY_TIMEOUT_MS = 30_000
PATIENCE_S = 600.0  # for a server that went away
PAUSE_S = 0.5  # between looks for it
CONNECT_TIMEOUT_S = 10
# Connection lost or refused, server shutting down or starting, too many clients, a deadlock.
_PASSING = ("08", "57P0", "53300", "40001", "40P01")
Insert = sqlite.Insert | postgresql.Insert
Result = TypeVar("Result")


class Database:
    """Runs transactions; opening it creates or migrates the ledger's tables."""

    def __init__(self, place: Path | URL) -> None:
        """Open it.

        Args:
            place: A SQLite file, which need not exist yet, or the address of a database.

        Raises:
            LedgerError: it cannot be opened, or a newer release wrote it.
        """
        self.is_read_only = isinstance(place, Path) and not _may_write(place)
        self.place = str(place)
        self._is_server = not isinstance(place, Path)
        self._patience_s = 0.0
        self._say: Callable[[str], None] = lambda _: None
        self._confirm: Callable[[], None] = lambda: None
        self._gives_up: Callable[[], bool] = lambda: False
        try:
            self._engine = self._open(place)
        except DBAPIError as error:
            raise explain(error, self.place) from error

    def close(self) -> None:
        """Release the file, or the connections."""
        self._engine.dispose()

    def insert(self, table: Table) -> Insert:
        """Begin an INSERT that can say what happens on a conflict."""
        return postgresql.insert(table) if self._is_server else sqlite.insert(table)

    def wait_for_server(
        self,
        say: Callable[[str], None],
        confirm: Callable[[], None],
        *,
        gives_up: Callable[[], bool] = lambda: False,
    ) -> None:
        """From now on outlive a server that goes away.

        Args:
            say: Told when the wait begins and ends.
            confirm: Called before a transaction runs again; raises where another process may
                have taken over meanwhile.
            gives_up: Whether nobody wants to wait any longer.
        """
        self._patience_s, self._say, self._confirm = PATIENCE_S, say, confirm
        self._gives_up = gives_up

    def read(self, work: Callable[[Connection], Result]) -> Result:
        """Run what only reads."""

        def attempt() -> Result:
            with self._engine.connect() as connection:
                return work(connection)

        return self._patiently(attempt)

    def write(self, work: Callable[[Connection], Result]) -> Result:
        """Run all of it or nothing; it may run again, so that it must bear a repetition.

        Raises:
            LedgerError: it could not be written.
        """
        if self.is_read_only:
            raise ReadOnlyLedgerError(
                f"ledger {self.place} may only be read; make it and its folder writable for you, "
                "or work on a copy"
            )

        def attempt() -> Result:
            with self._engine.begin() as connection:
                return work(connection)

        return self._patiently(attempt)

    def _patiently(self, attempt: Callable[[], Result]) -> Result:
        deadline: float | None = None
        while True:
            try:
                if deadline is not None:
                    self._confirm()
                done = attempt()
            except IntegrityError:
                raise  # a row that contradicts others, whoever holds them
            except DBAPIError as error:
                deadline = self._deadline(error, deadline)
                time.sleep(PAUSE_S)
            else:
                if deadline is not None:
                    self._say("the ledger's server is back")
                return done

    def _deadline(self, error: DBAPIError, deadline: float | None) -> float:
        """Return until when to try again what failed; raise where that is over or useless."""
        if not self._is_server or not _is_passing(error):
            raise explain(error, self.place) from error
        if deadline is None and self._patience_s > 0:
            self._say(
                f"the ledger's server does not answer; waiting up to {self._patience_s:g} s for "
                "it (trials go on meanwhile)"
            )
        now = time.monotonic()
        deadline = now + self._patience_s if deadline is None else deadline
        if now >= deadline or self._gives_up():
            self._patience_s = 0.0  # whatever still wants to be written does not wait again
            raise LedgerAwayError(
                f"ledger {self.place} must answer, got: {_first_line(error)}; see that its server "
                "runs, then try again: what was measured is kept"
            ) from error
        return deadline

    def _open(self, place: Path | URL) -> Engine:
        if isinstance(place, URL):
            return _open_server(place)
        return _open_to_read(place) if self.is_read_only else _open_file(place)


def _open_file(file: Path) -> Engine:
    """Open a SQLite file of one's own."""
    file.parent.mkdir(parents=True, exist_ok=True)
    engine = create_engine(f"sqlite:///{file}")
    event.listen(engine, "connect", _configure)
    # SQLite lets nobody wait for a change of the journal mode, so one process at a time.
    with file.with_suffix(".lock").open("w") as lock, engine.connect() as connection:
        fcntl.flock(lock, fcntl.LOCK_EX)
        prepare_file(connection, file)
    return engine


def _open_to_read(file: Path) -> Engine:
    """Open a file that nobody can write here; SQLite would like to, even to read."""
    if not file.exists():
        raise ReadOnlyLedgerError(
            f"workspace {file.parent} has no ledger yet, and may only be read; name another"
        )
    # A log beside it holds what is not in the file yet. Without one the file is all there is.
    has_log = file.with_name(f"{file.name}-wal").exists()
    mode = "mode=ro" if has_log else "immutable=1"
    engine = create_engine(f"sqlite:///file:{file}?{mode}&uri=true")
    with engine.connect() as connection:
        require_version(connection, str(file))
    return engine


def _open_server(url: URL) -> Engine:
    engine = create_engine(
        url, pool_pre_ping=True, connect_args={"connect_timeout": CONNECT_TIMEOUT_S}
    )
    with engine.begin() as connection:
        prepare_server(connection, str(url))
    return engine


def _may_write(file: Path) -> bool:
    """Whether SQLite can write a file; it puts others beside it."""
    folder = next(each for each in file.parents if each.exists())
    return os.access(folder, os.W_OK) and (not file.exists() or os.access(file, os.W_OK))


def _configure(connection: sqlite3.Connection, _record: object) -> None:
    """Wait for another study's writer, and let no row name a cell that is not there."""
    connection.execute(f"PRAGMA busy_timeout = {BUSY_TIMEOUT_MS}")
    connection.execute("PRAGMA foreign_keys = ON")


def _is_passing(error: DBAPIError) -> bool:
    """Whether a server's error may be gone a moment later."""
    code = getattr(error.orig, "sqlstate", None)
    return error.connection_invalidated or code is None or code.startswith(_PASSING)


def _first_line(error: DBAPIError) -> str:
    return str(error.orig).strip().partition("\n")[0]
