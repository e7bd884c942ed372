import json
import math
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from trackers.event_log import EventLog, EventLogError, read_events

WRITE_UNTIL_KILLED = """
import itertools, sys
from pathlib import Path
from trackers.event_log import EventLog
log = EventLog(Path(sys.argv[1]))
for number in itertools.count():
    log.append("progress", number=number, padding="x" * (number % 5000))
"""
WRITE_UNTIL_FULL = """
import itertools, resource, sys
from pathlib import Path
from trackers.event_log import EventLog
log = EventLog(Path(sys.argv[1]))
resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000))
for number in itertools.count():
    try:
        log.append("epoch", number=number)
    except OSError as error:
        print(number, type(error).__name__)
        break
"""


def run_writer(code: str, file: Path) -> subprocess.Popen[str]:
    root = Path(__file__).resolve().parents[2]
    return subprocess.Popen(
        [sys.executable, "-c", code, str(file)], cwd=root, stdout=subprocess.PIPE, text=True
    )


def test_events_come_back_in_order_with_their_fields(tmp_path: Path) -> None:
    log = EventLog(tmp_path / "new folder" / "events.jsonl")
    before = time.time()
    log.append("started", attempt=1)
    log.append("epoch", epoch=1, metrics={"val/iou": 0.25}, note="ä\nb")
    log.close()
    events, offset = read_events(tmp_path / "new folder" / "events.jsonl")
    assert [each.name for each in events] == ["started", "epoch"]
    assert events[1].fields == {"epoch": 1, "metrics": {"val/iou": 0.25}, "note": "ä\nb"}
    assert before <= events[0].time <= events[1].time <= time.time()
    assert offset == (tmp_path / "new folder" / "events.jsonl").stat().st_size


def test_the_name_and_the_time_lead_every_line(tmp_path: Path) -> None:
    log = EventLog(tmp_path / "log")
    log.append("epoch", epoch=1)
    assert list(json.loads((tmp_path / "log").read_text())) == ["event", "time", "epoch"]
    log.close()


def test_values_that_are_no_numbers_come_back_as_they_were(tmp_path: Path) -> None:
    log = EventLog(tmp_path / "log")
    log.append("epoch", metrics={"loss": math.nan, "up": math.inf}, many=[-math.inf, 1.5])
    log.append("ended", reason="NaN", other="Infinity")
    log.close()
    (epoch, ended), _ = read_events(tmp_path / "log")
    assert math.isnan(epoch.fields["metrics"]["loss"])
    assert epoch.fields["metrics"]["up"] == math.inf
    assert epoch.fields["many"] == [-math.inf, 1.5]
    assert ended.fields == {"reason": "NaN", "other": "Infinity"}
    for line in (tmp_path / "log").read_text().splitlines():
        json.loads(line, parse_constant=pytest.fail)  # strict JSON, which other tools read


def test_a_missing_file_is_an_empty_log(tmp_path: Path) -> None:
    assert read_events(tmp_path / "none") == ([], 0)


def test_reading_goes_on_where_it_stopped(tmp_path: Path) -> None:
    log = EventLog(tmp_path / "log")
    log.append("one")
    _, offset = read_events(tmp_path / "log")
    log.append("two")
    log.append("three")
    events, end = read_events(tmp_path / "log", offset=offset)
    assert [each.name for each in events] == ["two", "three"]
    assert read_events(tmp_path / "log", offset=end) == ([], end)
    log.close()


def test_a_torn_last_line_is_left_until_it_is_whole(tmp_path: Path) -> None:
    log = EventLog(tmp_path / "log")
    log.append("one")
    log.close()
    whole = (tmp_path / "log").read_bytes()
    for cut in range(len(whole)):
        (tmp_path / "log").write_bytes(whole + whole[:cut])
        events, offset = read_events(tmp_path / "log")
        assert (len(events), offset) == (1, len(whole))
    (tmp_path / "log").write_bytes(whole + whole)
    assert len(read_events(tmp_path / "log", offset=len(whole))[0]) == 1


@pytest.mark.parametrize("torn", [b'{"event":"two","ti', b"\0" * 200_000])
def test_opening_a_log_drops_a_torn_last_line(tmp_path: Path, torn: bytes) -> None:
    log = EventLog(tmp_path / "log")
    log.append("one")
    log.close()
    (tmp_path / "log").write_bytes((tmp_path / "log").read_bytes() + torn)
    log = EventLog(tmp_path / "log")
    log.append("three")
    log.close()
    assert [each.name for each in read_events(tmp_path / "log")[0]] == ["one", "three"]


def test_a_log_of_nothing_but_a_torn_line_is_empty(tmp_path: Path) -> None:
    (tmp_path / "log").write_bytes(b'{"event"')
    EventLog(tmp_path / "log").close()
    assert (tmp_path / "log").read_bytes() == b""


@pytest.mark.parametrize("line", ["{}", "[1]", '"x"', "not json", '{"event":"x"}'])
def test_a_damaged_line_is_named_with_its_place(tmp_path: Path, line: str) -> None:
    log = EventLog(tmp_path / "log")
    log.append("one")
    log.close()
    size = (tmp_path / "log").stat().st_size
    (tmp_path / "log").write_text((tmp_path / "log").read_text() + line + "\n")
    wanted = f"every line of {tmp_path / 'log'} must be an event, got "
    with pytest.raises(EventLogError, match=re.escape(wanted)) as raised:
        read_events(tmp_path / "log")
    assert f"at byte {size};" in str(raised.value)


def test_a_field_of_the_log_itself_is_refused(tmp_path: Path) -> None:
    log = EventLog(tmp_path / "log")
    with pytest.raises(ValueError, match="'epoch' must not have a field 'time'; rename it"):
        log.append("epoch", time=3.0)
    log.close()
    assert (tmp_path / "log").read_bytes() == b""


def test_everything_but_an_epoch_that_a_checkpoint_holds_is_on_disk_at_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    synced: list[int] = []
    monkeypatch.setattr(os, "fsync", synced.append)
    log = EventLog(tmp_path / "log")
    log.append("epoch", epoch=1)
    assert synced == []
    log.append("finished", metrics={})
    assert len(synced) == 1
    log.close()


def test_a_killed_writer_leaves_a_log_that_can_be_read_and_continued(tmp_path: Path) -> None:
    file = tmp_path / "log"
    writer = run_writer(WRITE_UNTIL_KILLED, file)
    while not file.exists() or file.stat().st_size < 1_000_000:
        assert writer.poll() is None
        read_events(file)  # a reader beside the writer never sees half an event
    writer.send_signal(signal.SIGKILL)
    writer.communicate()
    EventLog(file).close()
    numbers = [each.fields["number"] for each in read_events(file)[0]]
    assert numbers == list(range(len(numbers)))
    assert len(numbers) > 100


def test_a_full_disk_costs_the_event_and_not_the_log(tmp_path: Path) -> None:
    writer = run_writer(WRITE_UNTIL_FULL, tmp_path / "log")
    out, _ = writer.communicate(timeout=60)
    failed_at, error = out.split()
    assert error == "OSError"
    events, offset = read_events(tmp_path / "log")
    assert [each.fields["number"] for each in events] == list(range(int(failed_at)))
    assert offset == (tmp_path / "log").stat().st_size
