"""The tables of a ledger: made, brought up to date, or refused because they are newer.

A file of an earlier version is copied beside itself first, and changed in one transaction.
"""

import sqlite3
import time
from collections.abc import Callable, Mapping
from contextlib import closing
from importlib.metadata import version
from pathlib import Path

from sqlalchemy import Connection, func, insert, inspect, select, text

from studies.tree.ledger_errors import LedgerError, NewerLedgerError
from studies.tree.ledger_tables import VERSION, metadata, studies, versions

LOCK_KEY = 7_613_050  # of the advisory lock under which tables are made


def prepare_file(connection: Connection, file: Path) -> None:
    """Make the tables of a SQLite file, or bring them up to date; the caller lets nobody else.

    Raises:
        NewerLedgerError: a newer release made them.
    """
    connection.exec_driver_sql("PRAGMA journal_mode = WAL")  # the file remembers it
    found = _version(connection)
    connection.rollback()
    if found == VERSION:
        return
    _refuse_newer(connection, found, str(file))
    if found:
        _copy(file, file.with_name(f"{file.stem}.version-{found}{file.suffix}"))
    # Said to SQLite itself: Python's driver begins no transaction for a change of tables.
    connection.exec_driver_sql("BEGIN IMMEDIATE")
    _bring_up_to_date(connection, found)
    connection.commit()


def prepare_server(connection: Connection, place: str) -> None:
    """Make the tables on a PostgreSQL server, or bring them up to date, in this transaction.

    Raises:
        NewerLedgerError: a newer release made them.
    """
    if _version(connection) == VERSION:
        return
    connection.execute(select(func.pg_advisory_xact_lock(LOCK_KEY)))  # others wait here
    found = _version(connection)
    if found == VERSION:
        return
    _refuse_newer(connection, found, place)
    _bring_up_to_date(connection, found)


def require_version(connection: Connection, place: str) -> None:
    """Refuse tables that cannot be brought up to date, as they may only be read.

    Raises:
        LedgerError: they are of another version.
    """
    found = _version(connection)
    _refuse_newer(connection, found, place)
    if found != VERSION:
        raise LedgerError(
            f"ledger {place} must be of version {VERSION}, got version {found}, which may only be "
            "read and so cannot be brought up to date; make it writable, or work on a copy"
        )


def _version(connection: Connection) -> int:
    """Return the version of the tables; 0 where there are none."""
    found = inspect(connection)
    if found.has_table(versions.name):
        return int(connection.scalar(select(func.max(versions.c.version))) or 0)
    return 1 if found.has_table(studies.name) else 0  # version 1 did not say so


def _refuse_newer(connection: Connection, found: int, place: str) -> None:
    if found <= VERSION:
        return
    release = connection.scalar(select(versions.c.release).where(versions.c.version == found))
    raise NewerLedgerError(
        f"ledger {place} must be of version {VERSION} or earlier, got version {found}, which "
        f"visionstudy {release} wrote; use that release or a later one (here: {_release()})"
    )


def _bring_up_to_date(connection: Connection, found: int) -> None:
    if found:
        for step in range(found, VERSION):
            _STEPS[step](connection)
    metadata.create_all(connection)
    row = {"version": VERSION, "release": _release(), "at": time.time()}
    connection.execute(insert(versions).values(**row))


def _from_1(connection: Connection) -> None:
    """Version 2 also holds what trials cost and who made a proposal, and has requests."""
    connection.execute(text("ALTER TABLE trials ADD COLUMN costs JSON NOT NULL DEFAULT '{}'"))
    connection.execute(text("ALTER TABLE proposals ADD COLUMN source TEXT NOT NULL DEFAULT ''"))


_STEPS: Mapping[int, Callable[[Connection], None]] = {1: _from_1}


def _copy(file: Path, copy: Path) -> None:
    """Copy a SQLite file with what its log holds, whole or not at all."""
    draft = copy.with_name(f"{copy.name}.draft")
    draft.unlink(missing_ok=True)
    with closing(sqlite3.connect(file)) as source, closing(sqlite3.connect(draft)) as target:
        source.backup(target)
    draft.replace(copy)


def _release() -> str:
    return version("visionstudy")
