"""Set a workspace up on a PostgreSQL server: three databases, their tables, and `workspace.yaml`.

May be run again, and by several processes at once: each step looks whether it is done.
"""

import json
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path
from typing import Any, TypeAlias

from sqlalchemy import URL, Connection, NullPool, Table, create_engine, func, insert, select, text
from sqlalchemy.exc import DBAPIError

from studies.running.databases import (
    Databases,
    DatabasesError,
    provide_password,
    write_databases,
)
from studies.running.file_lock import FileLock, LockHeldError
from studies.running.workspace import WorkspaceFolder
from studies.search.storage import open_storage
from studies.tree.database import CONNECT_TIMEOUT_S, Database
from studies.tree.ledger_tables import metadata, requests, studies, versions
from trackers.mlflow_database import prepare_server_database

LOCK_KEY = 7_613_051  # of the advisory lock under which everything here happens
MOVED = "moved"  # a SQLite ledger whose studies are on the server now
Held: TypeAlias = dict[str, dict[Table, list[dict[str, Any]]]]  # study -> table -> its rows
_TABLES = tuple(each for each in metadata.sorted_tables if each not in (versions, requests))


def init_databases(
    place: WorkspaceFolder, databases: Databases, say: Callable[[str], None]
) -> None:
    """Create what is missing, move the studies of a SQLite ledger there, and name the databases.

    Raises:
        DatabasesError: the server cannot be reached, or does not let this user create databases;
            or a study runs whose ledger is to be moved.
        LedgerError: the ledger there or here cannot be used.
    """
    provide_password(databases)
    place.folder.mkdir(parents=True, exist_ok=True)
    with _only_one_process(databases.ledger) as connection:
        for url in (databases.ledger, databases.optuna, databases.mlflow):
            if _create(connection, url):
                say(f"created database {url.database}")
        open_storage(databases.optuna).engine.dispose()
        prepare_server_database(databases.tracking_uri, place.folder / "artifacts")
        ledger = Database(databases.ledger)
        try:
            named = place.databases()
            is_ours = named is None or named.ledger == databases.ledger
            if place.ledger_file.exists() and is_ours:
                with _nobody_runs(place):
                    say(_move(place, databases, ledger))
            write_databases(place.folder, databases)
        finally:
            ledger.close()


@contextmanager
def _only_one_process(url: URL) -> Iterator[Connection]:
    """Connect to the database that every server has, and let nobody else in meanwhile."""
    engine = create_engine(
        url.set(database="postgres"),
        poolclass=NullPool,
        isolation_level="AUTOCOMMIT",
        connect_args={"connect_timeout": CONNECT_TIMEOUT_S},
    )
    try:
        connection = engine.connect()
    except DBAPIError as error:
        raise DatabasesError(
            f"PostgreSQL at {url.render_as_string()} must answer, got: "
            f"{_first_line(error)}; see that it runs, and that the user and its password are right"
        ) from error
    with connection:  # closing it lets the next one in
        connection.scalar(select(func.pg_advisory_lock(LOCK_KEY)))
        yield connection


def _create(connection: Connection, url: URL) -> bool:
    """Create a database that is not there; say whether it was created."""
    known = text("SELECT 1 FROM pg_database WHERE datname = :name")
    if connection.scalar(known, {"name": url.database}):
        return False
    name = connection.dialect.identifier_preparer.quote_identifier(str(url.database))
    try:
        # From the template that holds nothing, as the other one may be in use.
        connection.execute(text(f"CREATE DATABASE {name} ENCODING 'UTF8' TEMPLATE template0"))
    except DBAPIError as error:
        raise DatabasesError(
            f"database {url.database} must exist or be created, got: {_first_line(error)}; have "
            f"an administrator create it for the user {url.username}, then run this again"
        ) from error
    return True


def _move(place: WorkspaceFolder, databases: Databases, server: Database) -> str:
    """Copy a SQLite ledger to the server, name the databases, and set the file aside.

    In this order, so that a process that is killed leaves a workspace that works, and this goes
    on from there: until the databases are named the file counts, and then it is a copy.
    """
    file = place.ledger_file
    source = Database(file)  # of an earlier version: brought up to date here
    try:
        held = source.read(_rows_by_study)
    finally:
        source.close()
    if place.databases() is None:
        server.write(lambda connection: _copy(held, connection, file))
        write_databases(place.folder, databases)
    elif lost := held.keys() - server.read(_rows_by_study).keys():
        raise DatabasesError(
            f"the studies of {file} must be on the server that workspace.yaml names, but "
            f"{', '.join(sorted(lost))} are not; delete workspace.yaml, then run this again"
        )
    aside = _set_aside(file)
    return f"moved {len(held)} studies to the server; {aside} is their old ledger"


@contextmanager
def _nobody_runs(place: WorkspaceFolder) -> Iterator[None]:
    """Hold the leases of the studies that files knew, so that no coordinator writes meanwhile."""
    with ExitStack() as leases:
        for lease in sorted(place.folder.glob("studies/*/lease")):
            try:
                leases.enter_context(FileLock(lease))
            except LockHeldError as error:
                raise DatabasesError(
                    f"study '{lease.parent.name}' must not run while its ledger is moved, but "
                    f"{error} runs it; stop it by visionstudy stop, then run this again"
                ) from error
        yield


def _rows_by_study(connection: Connection) -> Held:
    """Read all that a ledger holds of each study, table by table."""
    held: Held = {}
    for table in _TABLES:
        for row in connection.execute(select(table)).mappings():
            name = row["name" if table is studies else "study"]
            held.setdefault(name, {each: [] for each in _TABLES})[table].append(dict(row))
    return held


def _copy(held: Held, connection: Connection, file: Path) -> None:
    """Write what is not there yet; an earlier call may have written it and been killed."""
    there = _rows_by_study(connection)
    if both := [name for name in held.keys() & there.keys() if not _are_same(held, there, name)]:
        raise DatabasesError(
            f"studies must have different names, but {', '.join(sorted(both))} are in {file} "
            "and on the server; name another database"
        )
    for table in _TABLES:
        rows = [row for name in held.keys() - there.keys() for row in held[name][table]]
        if rows:
            connection.execute(insert(table), rows)


def _are_same(some: Held, others: Held, name: str) -> bool:
    """Whether two ledgers hold the same of a study; as text, for NaN is not itself."""
    one, other = (
        {
            table.name: sorted(json.dumps(row, sort_keys=True, default=str) for row in rows)
            for table, rows in each[name].items()
        }
        for each in (some, others)
    )
    return one == other


def _set_aside(file: Path) -> Path:
    """Rename a ledger whose studies are on the server."""
    with closing(sqlite3.connect(file)) as connection:
        connection.execute("PRAGMA journal_mode = DELETE")  # all is in the one file then
    return file.replace(file.with_name(f"{file.name}.{MOVED}"))


def _first_line(error: DBAPIError) -> str:
    return str(error.orig).strip().partition("\n")[0]
