"""Fill databases with earlier trials: one real trial, and copies of all its rows.

What a tool wrote of one trial is what it would have written of thousands, but for the ids; writing
5,000 through each tool would take hours. SQLite only.
"""

import sqlite3
import uuid
from collections.abc import Iterable, Sequence
from contextlib import closing
from pathlib import Path

OPTUNA_TABLES = (  # that hold a trial's rows
    "trial_params",
    "trial_values",
    "trial_intermediate_values",
    "trial_user_attributes",
    "trial_system_attributes",
    "trial_constraints",
)
MLFLOW_TABLES = ("metrics", "latest_metrics", "params", "tags")


def multiply_optuna(file: Path, count: int) -> None:
    """Let the last trial of an Optuna database be there `count` times more."""
    with closing(sqlite3.connect(file)) as database, database:
        source = database.execute("SELECT max(trial_id) FROM trials").fetchone()[0]
        number = database.execute("SELECT max(number) FROM trials").fetchone()[0]
        fresh = range(source + 1, source + 1 + count)
        _copy(database, "trials", "trial_id", source, fresh, skip=("number",))
        database.execute(
            "UPDATE trials SET number = ? + trial_id - ? WHERE trial_id > ?",
            (number, source, source),
        )
        for table in _present(database, OPTUNA_TABLES):
            key = _columns(database, table)[0]
            _copy(database, table, "trial_id", source, fresh, skip=(key,))


def multiply_mlflow(file: Path, run: str, count: int) -> None:
    """Let a run of an MLflow database be there `count` times more."""
    fresh = [uuid.uuid4().hex for _ in range(count)]
    with closing(sqlite3.connect(file)) as database, database:
        _copy(database, "runs", "run_uuid", run, fresh)
        for table in _present(database, MLFLOW_TABLES):
            _copy(database, table, "run_uuid", run, fresh)
        database.executemany(
            "UPDATE tags SET value = ? WHERE run_uuid = ? AND key = 'visionstudy.cell'",
            [(each, each) for each in fresh],
        )


def newest_run(file: Path) -> str:
    """Return the id of the newest run in an MLflow database."""
    with closing(sqlite3.connect(file)) as database:
        query = "SELECT run_uuid FROM runs ORDER BY start_time DESC LIMIT 1"
        return str(database.execute(query).fetchone()[0])


def _copy(
    database: sqlite3.Connection,
    table: str,
    key: str,
    source: int | str,
    fresh: Iterable[int | str],
    *,
    skip: Sequence[str] = (),
) -> None:
    others = [each for each in _columns(database, table) if each != key and each not in skip]
    names = ", ".join(others)
    database.executemany(
        f"INSERT INTO {table} ({key}, {names}) SELECT ?, {names} FROM {table} WHERE {key} = ?",
        [(each, source) for each in fresh],
    )


def _columns(database: sqlite3.Connection, table: str) -> list[str]:
    return [row[1] for row in database.execute(f"PRAGMA table_info({table})")]


def _present(database: sqlite3.Connection, tables: Sequence[str]) -> list[str]:
    rows = database.execute("SELECT name FROM sqlite_master WHERE type = 'table'")
    there = {row[0] for row in rows}
    return [table for table in tables if table in there]
