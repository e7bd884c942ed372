"""The epochs of a study in one columnar file, `epochs.parquet` in its folder.

A row is an epoch of a cell, a column a metric; null where an epoch did not report it. It is a copy
of what the trials' event logs say, which is read a hundred times as fast, and which pandas, DuckDB
or Polars open as it is. What every log was when it was copied (its size and time) is in the file:
a cell whose logs are others by now is read from them, so that the copy is never behind.
"""

import contextlib
import json
import os
import tempfile
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias

import pyarrow as pa
import pyarrow.parquet as pq

from studies.tree.cell_history import EVENTS_FILE, CellHistory
from trackers.event_log import Event, read_events
from trackers.records import EpochRecord

EPOCH_FILE = "epochs.parquet"
VERSION = 1  # of what `STAMP` holds
STAMP = b"visionstudy"  # key of the file's metadata
FACTS = pa.schema(
    [
        ("cell", pa.dictionary(pa.int32(), pa.string())),
        ("class", pa.dictionary(pa.int32(), pa.string())),  # of a model per class, else ""
        ("seed", pa.int64()),
        ("epoch", pa.int32()),  # 1-based
        ("wall_s", pa.float64()),  # training and validation so far, over all attempts
        ("images_seen", pa.int64()),  # training images so far
        ("finished_at", pa.float64()),  # unix seconds
    ]
)  # the columns before those of metrics
Log: TypeAlias = tuple[
    str, int, int
]  # a trial's folder; size and time of its log, 0 if it has none


@dataclass(frozen=True, slots=True)
class CellLogs:
    """Where a cell's epochs are told."""

    cell: str
    group: str
    seed: int
    folders: tuple[str, ...]  # of its trials, relative to the workspace, oldest first


@dataclass(frozen=True, slots=True)
class KeptHistory:
    """What a record needs of a cell's logs."""

    epochs: tuple[EpochRecord, ...]
    warnings: tuple[str, ...]  # topics
    ends: Mapping[str, Event | None]  # trial's folder -> how it ended

    def in_order(self) -> tuple[EpochRecord, ...]:
        """Return the epochs, first to last."""
        return self.epochs


def read_epochs(
    workspace: Path, study: str, cells: Sequence[CellLogs], *, keep: bool = False
) -> dict[str, KeptHistory]:
    """Read the histories of cells, by cell.

    Args:
        workspace: Its folder.
        study: Its name.
        cells: The cells of the study, in order.
        keep: Write the file anew if it is behind. Whoever may not write leaves it as it is.
    """
    file = workspace / "studies" / study / EPOCH_FILE
    logs = {each.cell: [_log(workspace, folder) for folder in each.folders] for each in cells}
    copied = _read_file(file, logs)
    found = {
        each.cell: copied.get(each.cell) or _read_logs(workspace, each.folders) for each in cells
    }
    if keep and len(copied) < len(cells):
        with contextlib.suppress(OSError):  # it is a copy: the next reader reads the logs
            _write_file(file, cells, logs, found)
    return found


def _log(workspace: Path, folder: str) -> Log:
    try:
        status = (workspace / folder / EVENTS_FILE).stat()
    except FileNotFoundError:
        return folder, 0, 0
    return folder, status.st_size, status.st_mtime_ns


def _read_logs(workspace: Path, folders: Iterable[str]) -> KeptHistory:
    history = CellHistory()
    ends: dict[str, Event | None] = {}
    for folder in folders:
        events, _ = read_events(workspace / folder / EVENTS_FILE)
        history.end = None
        history.add(events)
        ends[folder] = history.end
    return KeptHistory(history.in_order(), tuple(history.warnings), ends)


def _read_file(file: Path, logs: Mapping[str, Sequence[Log]]) -> dict[str, KeptHistory]:
    """Return what the file says of the cells whose logs are still as it knew them."""
    try:
        with pq.ParquetFile(file) as parquet:
            stamp = json.loads(parquet.schema_arrow.metadata[STAMP])
            if stamp["version"] != VERSION:
                return {}
            epochs = _epochs(parquet.read())
    except (OSError, pa.ArrowException, ValueError, KeyError, TypeError):
        return {}  # absent, torn or of something else
    found: dict[str, KeptHistory] = {}
    start = 0
    for cell, known in stamp["cells"].items():
        end = start + known["epochs"]
        if cell in logs and [tuple(each) for each in known["logs"]] == logs[cell]:
            ends = {folder: event and Event(*event) for folder, event in known["ends"].items()}
            found[cell] = KeptHistory(tuple(epochs[start:end]), tuple(known["warnings"]), ends)
        start = end
    return found


def _epochs(table: pa.Table) -> list[EpochRecord]:
    """Return the rows as records, in order."""
    names = table.column_names[len(FACTS) :]
    facts = [table.column(index).to_pylist() for index in range(3, len(FACTS))]
    metrics = [table.column(index).to_pylist() for index in range(len(FACTS), table.num_columns)]
    return [
        EpochRecord(
            epoch=epoch,
            metrics={name: v for name, v in zip(names, values, strict=True) if v is not None},
            wall_s=wall_s,
            images_seen=images_seen,
            finished_at=finished_at,
        )
        for (epoch, wall_s, images_seen, finished_at), values in zip(
            zip(*facts, strict=True), _rows(metrics, table.num_rows), strict=True
        )
    ]


def _rows(columns: Sequence[Sequence[Any]], count: int) -> Iterable[Sequence[Any]]:
    return zip(*columns, strict=True) if columns else [()] * count


def _write_file(
    file: Path,
    cells: Sequence[CellLogs],
    logs: Mapping[str, Sequence[Log]],
    found: Mapping[str, KeptHistory],
) -> None:
    """Write what was read; a reader sees the old file or the new one."""
    stamp = {
        "version": VERSION,
        "cells": {
            each: {
                "epochs": len(known.epochs),
                "logs": logs[each],
                "warnings": known.warnings,
                "ends": {
                    folder: end and (end.name, end.time, end.fields)
                    for folder, end in known.ends.items()
                },
            }
            for each, known in found.items()
        },
    }
    table = _table(cells, found).replace_schema_metadata({STAMP: json.dumps(stamp)})
    file.parent.mkdir(parents=True, exist_ok=True)
    descriptor, name = tempfile.mkstemp(dir=file.parent, prefix=f".{file.name}.")
    temporary = Path(name)
    try:
        with os.fdopen(descriptor, "wb") as stream:
            pq.write_table(table, stream, compression="zstd")
        temporary.chmod(0o644)
        temporary.replace(file)
    finally:
        temporary.unlink(missing_ok=True)


def _table(cells: Sequence[CellLogs], found: Mapping[str, KeptHistory]) -> pa.Table:
    rows = [(cell, epoch) for cell in cells for epoch in found[cell.cell].epochs]
    metrics = dict.fromkeys(name for _, epoch in rows for name in epoch.metrics)
    facts = [
        [cell.cell for cell, _ in rows],
        [cell.group for cell, _ in rows],
        [cell.seed for cell, _ in rows],
        [epoch.epoch for _, epoch in rows],
        [epoch.wall_s for _, epoch in rows],
        [epoch.images_seen for _, epoch in rows],
        [epoch.finished_at for _, epoch in rows],
    ]
    columns = [pa.array(values, kind) for values, kind in zip(facts, FACTS.types, strict=True)] + [
        pa.array([e.metrics.get(name) for _, e in rows], pa.float64()) for name in metrics
    ]
    return pa.Table.from_arrays(columns, names=[*FACTS.names, *metrics])
