"""The columnar copy of a study's epochs says what the logs say, at any time."""

import math
import os
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from studies.tree.cell_history import EVENTS_FILE, read_history
from studies.tree.epoch_file import EPOCH_FILE, CellLogs, KeptHistory, read_epochs
from trackers.event_log import EventLog

STUDY = "demo"
CELLS = (CellLogs("a", "", 0, ("logs/a-1", "logs/a-2")), CellLogs("b", "car", 1, ("logs/b-1",)))
PLANNED = CellLogs("c", "", 2, ())


def epoch(number: int, **metrics: float) -> dict[str, Any]:
    return {
        "epoch": number,
        "metrics": metrics,
        "wall_s": 2.5 * number,
        "images_seen": 8 * number,
        "finished_at": 1000.0 + number,
    }


def write_log(folder: Path, *epochs: dict[str, Any], files: dict[str, str] | None = None) -> None:
    log = EventLog(folder / EVENTS_FILE)
    log.append("started", pid=1)
    log.append("warning", topic="slow disk", message="5 MB/s")
    for each in epochs:
        log.append("epoch", **each)
    if files is not None:
        log.append("finished", metrics={"val/iou": math.nan}, files=files)
    log.close()


@pytest.fixture
def workspace(tmp_path: Path) -> Path:
    """Two cells: one of two attempts that overlap, one whose metrics come and go."""
    write_log(tmp_path / "logs/a-1", epoch(1, iou=0.1), epoch(2, iou=0.2))
    write_log(
        tmp_path / "logs/a-2", epoch(2, iou=0.9), epoch(3, iou=0.3), files={"strip": "s.png"}
    )
    write_log(tmp_path / "logs/b-1", epoch(1, loss=math.inf), epoch(2, iou=math.nan, loss=-0.5))
    return tmp_path


def read(workspace: Path, *, keep: bool = False) -> dict[str, KeptHistory]:
    return read_epochs(workspace, STUDY, [*CELLS, PLANNED], keep=keep)


def printed(history: KeptHistory) -> str:
    """NaN is unequal to itself, and printed alike."""
    return repr(history)


def test_the_file_says_what_the_logs_say(workspace: Path) -> None:
    from_logs = read(workspace, keep=True)
    from_file = read(workspace)
    assert {c: printed(h) for c, h in from_file.items()} == {
        c: printed(h) for c, h in from_logs.items()
    }
    for each in CELLS:
        history = read_history(workspace / folder for folder in each.folders)
        known = from_file[each.cell]
        assert repr(known.in_order()) == repr(history.in_order())
        assert known.warnings == tuple(history.warnings)
    end = from_file["a"].ends["logs/a-2"]
    assert end is not None
    assert end.fields["files"] == {"strip": "s.png"}
    assert from_file["a"].ends["logs/a-1"] is None
    assert from_file["c"].epochs == ()


def test_what_the_logs_still_say_is_read_from_the_file(workspace: Path) -> None:
    read(workspace, keep=True)
    log = workspace / "logs/b-1" / EVENTS_FILE
    before = log.stat()
    log.write_bytes(b"x" * before.st_size)  # which no reader of logs would get over
    os.utime(log, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert read(workspace)["b"].epochs[1].metrics["loss"] == -0.5


def test_a_log_that_grew_is_read_and_the_rest_is_not(workspace: Path) -> None:
    read(workspace, keep=True)
    write_log(workspace / "logs/b-1", epoch(3, iou=0.7))
    assert [each.epoch for each in read(workspace)["b"].epochs] == [1, 2, 3]
    assert [each.epoch for each in read(workspace, keep=True)["b"].epochs] == [1, 2, 3]
    assert len(pd.read_parquet(workspace / "studies" / STUDY / EPOCH_FILE)) == 6


def test_a_cell_that_was_tried_again_is_read_anew(workspace: Path) -> None:
    read(workspace, keep=True)
    write_log(workspace / "logs/b-2", epoch(3, iou=0.8))
    again = CellLogs("b", "car", 1, ("logs/b-1", "logs/b-2"))
    found = read_epochs(workspace, STUDY, [CELLS[0], again])
    assert [each.epoch for each in found["b"].epochs] == [1, 2, 3]


@pytest.mark.parametrize("content", [b"", b"PAR1 torn", b"PAR1" + bytes(40) + b"PAR1"])
def test_a_damaged_file_counts_as_none(workspace: Path, content: bytes) -> None:
    file = workspace / "studies" / STUDY / EPOCH_FILE
    file.parent.mkdir(parents=True)
    file.write_bytes(content)
    assert [each.epoch for each in read(workspace, keep=True)["a"].epochs] == [1, 2, 3]
    assert len(pd.read_parquet(file)) == 5


def test_a_workspace_that_cannot_be_written_is_read(workspace: Path) -> None:
    (workspace / "studies").touch()  # no folder can be made there
    assert len(read(workspace, keep=True)["a"].epochs) == 3


def test_nothing_is_written_unless_it_is_asked_for(workspace: Path) -> None:
    read(workspace)
    assert not (workspace / "studies").exists()


def test_pandas_reads_a_row_per_epoch_and_a_column_per_metric(workspace: Path) -> None:
    read(workspace, keep=True)
    table = pd.read_parquet(workspace / "studies" / STUDY / EPOCH_FILE)
    assert list(table.columns) == [
        "cell", "class", "seed", "epoch", "wall_s", "images_seen", "finished_at", "iou", "loss",
    ]  # fmt: skip
    of_a = table[table["cell"] == "a"]
    assert list(of_a["iou"]) == [0.1, 0.2, 0.3]
    assert list(of_a["wall_s"]) == [2.5, 5.0, 7.5]
    assert set(table[table["cell"] == "b"]["class"]) == {"car"}
