"""The histories of a study in an MLflow database, and reading them back as its users do."""

import sqlite3
import time
from collections.abc import Mapping
from contextlib import closing
from pathlib import Path

from benchmarks.earlier_trials import multiply_mlflow
from trackers.mlflow_client import mlflow_client
from trackers.records import CellRecord

Histories = dict[str, dict[str, list[float]]]  # cell -> metric -> value by epoch


def fill(file: Path, cells: Mapping[str, CellRecord]) -> dict[str, str]:
    """Store the histories of cells in a database without runs; return each cell's run.

    One run is made by MLflow and multiplied; each then gets its own points, as rows: writing
    them through the client would take minutes.
    """
    client = mlflow_client(f"sqlite:///{file}")
    experiment = client.create_experiment("large", (file.parent / "artifacts").as_uri())
    first = client.create_run(experiment).info.run_id
    multiply_mlflow(file, first, len(cells) - 1)
    with closing(sqlite3.connect(file)) as database, database:
        runs = [row[0] for row in database.execute("SELECT run_uuid FROM runs ORDER BY run_uuid")]
        of_cell = dict(zip(cells, runs, strict=True))
        database.executemany(
            "INSERT INTO metrics (key, value, timestamp, run_uuid, step, is_nan) "
            "VALUES (?, ?, ?, ?, ?, 0)",
            (
                (name, value, int(1e3 * epoch.finished_at), of_cell[cell.id], epoch.epoch)
                for cell in cells.values()
                for epoch in cell.epochs
                for name, value in epoch.metrics.items()
            ),
        )
    return of_cell


def analyse(file: Path) -> None:
    """Let SQLite count its tables, which MLflow never does: queries are faster then."""
    with closing(sqlite3.connect(file)) as database, database:
        database.execute("ANALYZE")


def read_back(
    file: Path, runs: Mapping[str, str], cells: Mapping[str, CellRecord]
) -> tuple[float, Histories]:
    """Ask for every metric of every run; return the seconds, and what came."""
    client = mlflow_client(f"sqlite:///{file}")
    found: Histories = {}
    started = time.perf_counter()
    for cell, run in runs.items():
        found[cell] = {
            name: [point.value for point in client.get_metric_history(run, name)]
            for name in cells[cell].epochs[0].metrics
        }
    return time.perf_counter() - started, found


def histories(cells: Mapping[str, CellRecord]) -> Histories:
    """Return the same of the records."""
    return {
        cell.id: {
            name: [epoch.metrics[name] for epoch in cell.epochs] for name in cell.epochs[0].metrics
        }
        for cell in cells.values()
    }
