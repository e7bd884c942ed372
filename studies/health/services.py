"""The databases of a workspace, and the MLflow server that was named."""

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

from sqlalchemy import create_engine, text
from sqlalchemy.exc import SQLAlchemyError

from studies.health.check import Check, ok
from studies.running.workspace import WorkspaceFolder, open_ledger
from studies.tree.ledger_errors import LedgerError
from trackers.mlflow_server import wait_until_healthy
from trackers.redaction import redact

PATIENCE_S = 5.0


def check_services(place: WorkspaceFolder, tracking_uri: str | None) -> Iterator[Check]:
    """Look whether the ledger, Optuna's copy and MLflow can be used.

    Args:
        place: The workspace.
        tracking_uri: The MLflow server that was named; None: the workspace's own database.
    """
    if place.has_ledger():
        yield _ledger(place)
    else:
        yield ok("ledger", f"{place.folder} has none yet; the first launch makes it")
    databases = place.databases()
    if databases is None:
        yield _file("optuna", place.optuna_file, "the next launch makes it anew from the ledger")
    else:
        yield _server("optuna", str(databases.optuna))
    if tracking_uri and tracking_uri.startswith(("http:", "https:")):
        yield _mlflow_server(tracking_uri)
    elif databases is None:
        yield _file("mlflow", place.folder / "mlflow.db", "visionstudy sync STUDY fills it")
    else:
        yield _server("mlflow", databases.tracking_uri)


def _ledger(place: WorkspaceFolder) -> Check:
    try:
        ledger = open_ledger(place)
    except LedgerError as error:
        return Check("ledger", "fail", redact(str(error)), "as it says")
    try:
        count = len(ledger.study_names())
        state = ", may only be read" if ledger.is_read_only else ""
        return ok("ledger", f"{count} studies, of this release's version{state}")
    finally:
        ledger.close()


def _file(name: str, file: Path, otherwise: str) -> Check:
    """Read a SQLite file's first page."""
    if not file.exists():
        return ok(name, f"{file.name} is not there yet; the first launch makes it")
    try:
        with closing(sqlite3.connect(f"file:{file}?mode=ro", uri=True)) as connection:
            count = connection.execute("SELECT count(*) FROM sqlite_master").fetchone()[0]
    except sqlite3.Error as error:
        fix = f"move {file} away; {otherwise}"
        return Check(name, "fail", f"{file.name} cannot be read: {error}", fix)
    return ok(name, f"{file.name} can be read, {count} tables and indices")


def _server(name: str, address: str) -> Check:
    fix = "see that the PostgreSQL server runs and takes this user; visionstudy init makes it"
    try:
        engine = create_engine(address, connect_args={"connect_timeout": int(PATIENCE_S)})
        with engine.connect() as connection:
            connection.execute(text("SELECT 1"))
        engine.dispose()
    except SQLAlchemyError as error:
        said = redact(str(error.__cause__ or error)).strip().partition("\n")[0]
        return Check(name, "fail", f"its database does not answer: {said}", fix)
    return ok(name, "its database answers")


def _mlflow_server(address: str) -> Check:
    shown = redact(address)
    try:
        wait_until_healthy(address, PATIENCE_S)
    except TimeoutError:
        fix = "start it, or correct MLFLOW_TRACKING_URI; studies run without it, sync catches up"
        return Check("mlflow", "warn", f"no MLflow server answers at {shown}", fix)
    return ok("mlflow", f"the server at {shown} answers")
