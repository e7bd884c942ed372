"""The truth of a trial: an append-only file with one JSON object per line.

A process may be killed at any moment, also between two bytes of a line. So a line counts once its
newline is there; what is left of a torn one is dropped when the log is next opened for writing.
One process writes a log at a time; any number may read it while it grows.
"""

import errno
import json
import math
import os
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from trackers.records import JsonValue

# Events of which the last ones may be lost with the machine (no kill loses any): an epoch is in a
# checkpoint before it is here, and told again by whoever goes on from that; whatever is durable
# takes those before it along.
NOT_DURABLE = frozenset({"epoch"})
# JSON has no NaN and no infinity, and the strings "NaN" and "Infinity" may be meant as strings.
NON_FINITE = "$float"
_TAIL_BLOCK = 65_536  # bytes


class EventLogError(ValueError):
    """A complete line of an event log is not an event."""


@dataclass(frozen=True, slots=True)
class Event:
    """Something that happened in a trial."""

    name: str
    time: float  # unix seconds
    fields: Mapping[str, Any]


class EventLog:
    """Appends events to a file, each with one write, so that none can be interleaved."""

    def __init__(self, file: Path) -> None:
        file.parent.mkdir(parents=True, exist_ok=True)
        self._fd = os.open(file, os.O_RDWR | os.O_APPEND | os.O_CREAT, 0o644)
        os.ftruncate(self._fd, _end_of_last_line(self._fd))

    def append(self, event: str, /, **fields: JsonValue) -> None:
        """Write one event; it is on disk when this returns, unless it is in `NOT_DURABLE`.

        Raises:
            ValueError: a field has a name that the log itself uses.
            OSError: the disk is full; the log is as it was before.
        """
        if reserved := sorted({"event", "time"} & fields.keys()):
            raise ValueError(f"event {event!r} must not have a field {reserved[0]!r}; rename it")
        content = {"event": event, "time": time.time(), **fields}
        line = json.dumps(_encodable(content), allow_nan=False, separators=(",", ":")) + "\n"
        self._write(line.encode())
        if event not in NOT_DURABLE:
            os.fsync(self._fd)

    def close(self) -> None:
        """Close the file; the log cannot be appended to afterwards."""
        os.close(self._fd)

    def _write(self, line: bytes) -> None:
        size = os.fstat(self._fd).st_size
        if os.write(self._fd, line) < len(line):
            os.ftruncate(self._fd, size)
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def read_events(file: Path, *, offset: int = 0) -> tuple[list[Event], int]:
    """Read the complete lines from byte `offset` on; a missing file is an empty log.

    Returns:
        The events, and the offset to go on from next time.

    Raises:
        EventLogError: a complete line is not an event, so the file was damaged.
    """
    try:
        with file.open("rb") as stream:
            stream.seek(offset)
            content = stream.read()
    except FileNotFoundError:
        return [], offset
    events = []
    for line in content[: content.rfind(b"\n") + 1].splitlines(keepends=True):
        events.append(_event(line, file, offset=offset))
        offset += len(line)
    return events, offset


def _event(line: bytes, file: Path, *, offset: int) -> Event:
    try:
        fields = json.loads(line, object_hook=_decoded)
        return Event(fields.pop("event"), float(fields.pop("time")), fields)
    except (ValueError, KeyError, AttributeError, TypeError) as error:
        raise EventLogError(
            f"every line of {file} must be an event, got {line[:60]!r} at byte {offset}; "
            "the file is damaged: restore it, or cut it off before that byte"
        ) from error


def _encodable(value: JsonValue) -> JsonValue:
    if isinstance(value, float) and not math.isfinite(value):
        return {NON_FINITE: str(value)}
    if isinstance(value, Mapping):
        return {key: _encodable(each) for key, each in value.items()}
    if isinstance(value, list | tuple):
        return [_encodable(each) for each in value]
    return value


def _decoded(content: dict[str, Any]) -> dict[str, Any] | float:
    return float(content[NON_FINITE]) if content.keys() == {NON_FINITE} else content


def _end_of_last_line(fd: int) -> int:
    """Return the size of the file without a torn last line, in bytes."""
    end = os.fstat(fd).st_size
    while end > 0:
        start = max(0, end - _TAIL_BLOCK)
        newline = os.pread(fd, end - start, start).rfind(b"\n")
        if newline >= 0:
            return start + newline + 1
        end = start
    return 0
