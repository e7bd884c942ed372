"""The logs of several attempts, read as one history."""

from pathlib import Path
from typing import Any

import pytest

from studies.tree.cell_history import EVENTS_FILE, read_history
from trackers.event_log import EventLog


def write_attempt(folder: Path, *events: tuple[str, dict[str, Any]]) -> Path:
    log = EventLog(folder / EVENTS_FILE)
    log.append("started", pid=1)
    for name, fields in events:
        log.append(name, **fields)
    log.close()
    return folder


def epoch(number: int, iou: float) -> tuple[str, dict[str, Any]]:
    fields = {
        "epoch": number,
        "metrics": {"val/iou": iou},
        "wall_s": 2.0 * number,
        "images_seen": 8 * number,
        "finished_at": 1000.0 + number,
    }
    return "epoch", fields


def test_each_epoch_counts_once_as_it_was_first_reported(tmp_path: Path) -> None:
    first = write_attempt(tmp_path / "1", epoch(1, 0.1), epoch(2, 0.2), epoch(3, 0.3))
    second = write_attempt(tmp_path / "2", epoch(3, 0.9), epoch(4, 0.4))
    epochs = read_history([first, second]).in_order()
    assert [(each.epoch, each.metrics["val/iou"]) for each in epochs] == [
        (1, 0.1), (2, 0.2), (3, 0.3), (4, 0.4),
    ]  # fmt: skip
    assert (epochs[-1].wall_s, epochs[-1].images_seen) == (8.0, 32)


def test_the_end_is_that_of_the_newest_attempt(tmp_path: Path) -> None:
    failed = write_attempt(tmp_path / "1", ("ended", {"kind": "failed"}))
    running = write_attempt(tmp_path / "2", epoch(1, 0.1))
    assert read_history([failed, running]).end is None
    end = read_history([failed]).end
    assert end is not None
    assert end.fields["kind"] == "failed"


@pytest.mark.parametrize("was_resumed", [True, False])
def test_the_place_it_was_resumed_at_is_that_of_the_newest_attempt(
    tmp_path: Path, was_resumed: bool
) -> None:
    first = write_attempt(tmp_path / "1", ("effective", {"resumed_from_epoch": 7}))
    fields = {"resumed_from_epoch": 2} if was_resumed else {"learning_rate": 0.1}
    second = write_attempt(tmp_path / "2", ("effective", fields))
    assert read_history([first, second]).resumed_from_epoch == (2 if was_resumed else 0)


def test_it_ends_with_the_last_event(tmp_path: Path) -> None:
    folder = write_attempt(tmp_path / "1", epoch(1, 0.1))
    log = (folder / EVENTS_FILE).stat().st_mtime
    assert read_history([folder]).last_at == pytest.approx(log, abs=1)


def test_a_trial_that_wrote_nothing_has_an_empty_history(tmp_path: Path) -> None:
    history = read_history([tmp_path / "never"])
    assert (history.in_order(), history.end, history.last_at) == ((), None, None)


def test_warnings_of_all_attempts_count_once_per_topic(tmp_path: Path) -> None:
    first = write_attempt(tmp_path / "1", ("warning", {"topic": "slow", "message": "5 MB free"}))
    second = write_attempt(
        tmp_path / "2",
        ("warning", {"topic": "slow", "message": "4 MB free"}),
        ("warning", {"topic": "damaged", "message": "damaged"}),
    )
    assert read_history([first, second]).warnings == {"slow": "5 MB free", "damaged": "damaged"}
