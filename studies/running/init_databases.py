"""Set a workspace up on a PostgreSQL server: three databases, their tables, and `workspace.yaml`.

May be run again, and by several processes at once: each step looks whether it is done.
"""

import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from sqlalchemy import URL, Connection, NullPool, create_engine, func, insert, select, text
from sqlalchemy.exc import DBAPIError

from studies.running.databases import (
    Databases,
    DatabasesError,
    provide_password,
    write_databases,
)
from studies.running.workspace import WorkspaceFolder
from studies.search.storage import open_storage
from studies.tree.database import CONNECT_TIMEOUT_S, Database
from studies.tree.ledger_tables import metadata, requests, studies, versions
from trackers.mlflow_database import prepare_server_database

LOCK_KEY = 7_613_051  # of the advisory lock under which everything here happens
MOVED = "moved"  # a SQLite ledger whose studies are on the server now


def init_databases(
    place: WorkspaceFolder, databases: Databases, say: Callable[[str], None]
) -> None:
    """Create what is missing, move the studies of a SQLite ledger there, and name the databases.

    Raises:
        DatabasesError: the server cannot be reached, or does not let this user create databases.
        LedgerError: the ledger there or here cannot be used.
    """
    provide_password(databases)
    place.folder.mkdir(parents=True, exist_ok=True)
    with _only_one_process(databases.ledger) as connection:
        for url in (databases.ledger, databases.optuna, databases.mlflow):
            if _create(connection, url):
                say(f"created database {url.database}")
        ledger = Database(databases.ledger)
        try:
            if place.ledger_file.exists() and place.databases() is None:
                say(_move_studies(place.ledger_file, ledger))
        finally:
            ledger.close()
        open_storage(databases.optuna).engine.dispose()
        prepare_server_database(databases.tracking_uri, place.folder / "artifacts")
        write_databases(place.folder, databases)


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


def _move_studies(file: Path, server: Database) -> str:
    """Copy what a SQLite ledger holds, in one transaction, and set the file aside."""
    source = Database(file)  # of an earlier version: brought up to date here
    tables = [each for each in metadata.sorted_tables if each not in (versions, requests)]
    rows = source.read(
        lambda connection: {
            each: [dict(row) for row in connection.execute(select(each)).mappings()]
            for each in tables
        }
    )
    source.close()

    def copy(connection: Connection) -> None:
        known = set(connection.scalars(select(studies.c.name)))
        if both := known & {row["name"] for row in rows[studies]}:
            raise DatabasesError(
                f"studies must have different names, but {', '.join(sorted(both))} are in {file} "
                "and on the server; name another database"
            )
        for table in tables:
            if rows[table]:
                connection.execute(insert(table), rows[table])

    server.write(copy)
    with closing(sqlite3.connect(file)) as connection:
        connection.execute("PRAGMA journal_mode = DELETE")  # all is in the one file then
    aside = file.with_name(f"{file.name}.{MOVED}")
    file.replace(aside)
    return f"moved {len(rows[studies])} studies to the server; {aside} is their old ledger"


def _first_line(error: DBAPIError) -> str:
    return str(error.orig).strip().partition("\n")[0]
