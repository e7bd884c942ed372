"""Create a workspace's MLflow database; a file appears whole or not at all.

MLflow creates its tables by running dozens of migrations on the file itself: two processes that
start together break each other's, and a kill half-way leaves a file that no MLflow can open.
"""

import fcntl
import logging
import os
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from trackers.mlflow_client import configure_mlflow


def prepare_database(file: Path) -> None:
    """Create the database unless it exists; safe to kill, and in several processes at once."""
    file = file.resolve()
    if file.exists():
        return
    file.parent.mkdir(parents=True, exist_ok=True)
    with _only_one_process(file.with_name(f".{file.name}.lock")):
        if file.exists():
            return
        draft = file.with_name(f".{file.name}.draft")
        for leftover in file.parent.glob(f"{draft.name}*"):  # of a process that was killed
            leftover.unlink()
        _create_tables(draft)
        draft.rename(file)


def prepare_server_database(tracking_uri: str, artifacts: Path) -> None:
    """Create the tables of a database on a server, or bring an earlier MLflow's up to date.

    Only one process at a time may do so: the caller sees to that.
    """
    configure_mlflow()
    # Here, because it takes seconds.
    from mlflow.exceptions import MlflowException

    with _only_warnings("mlflow.store.db.utils"):
        try:
            _open_store(tracking_uri, artifacts)
        except MlflowException:  # an earlier MLflow made its tables
            upgrade = [sys.executable, "-m", "mlflow", "db", "upgrade", tracking_uri]
            subprocess.run(upgrade, check=True, capture_output=True)
            _open_store(tracking_uri, artifacts)


@contextmanager
def _only_one_process(lock: Path) -> Iterator[None]:
    with lock.open("w") as held:
        fcntl.flock(held, fcntl.LOCK_EX)  # ends with the process, however that ends
        yield


def _create_tables(file: Path) -> None:
    configure_mlflow()
    with _only_warnings("mlflow.store.db.utils"):
        _open_store(f"sqlite:///{file}", file.parent / "artifacts")
    with closing(sqlite3.connect(file)) as connection:
        # So that the UI, which reads, and the tracker, which writes, do not lock each other out.
        connection.execute("PRAGMA journal_mode=WAL")
    descriptor = os.open(file, os.O_RDONLY)
    os.fsync(descriptor)
    os.close(descriptor)


def _open_store(uri: str, artifacts: Path) -> None:
    """Let MLflow open a database as its server would, which makes its tables."""
    # Here, because it takes seconds.
    from mlflow.store.tracking.sqlalchemy_store import SqlAlchemyStore

    store = SqlAlchemyStore(uri, artifacts.resolve().as_uri())  # type: ignore[no-untyped-call]
    store.engine.dispose()


@contextmanager
def _only_warnings(logger_name: str) -> Iterator[None]:
    logger = logging.getLogger(logger_name)
    level = logger.level
    logger.setLevel(logging.WARNING)
    try:
        yield
    finally:
        logger.setLevel(level)
