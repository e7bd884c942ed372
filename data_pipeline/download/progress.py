"""How a download is shown: a bar on a terminal, a line now and then anywhere else."""

import math
import time
from threading import Lock
from typing import Protocol

from rich.console import Console
from rich.progress import (
    BarColumn,
    DownloadColumn,
    Progress,
    TextColumn,
    TimeRemainingColumn,
    TransferSpeedColumn,
)

from data_pipeline.download.space import readable_bytes

LINE_INTERVAL_S = 10.0


class Watcher(Protocol):
    """Is told how a download goes, from several threads."""

    def begin(self, what: str, *, files: int, size_bytes: int) -> None:
        """So many files come, of about so many bytes."""

    def moved(self, count: int) -> None:
        """Bytes arrived; less than 0: so many must come again."""

    def settled(self) -> None:
        """A file is there, or will not come."""

    def end(self) -> None:
        """Nothing comes any more."""

    def say(self, message: str) -> None:
        """Print a line."""


def open_watcher(console: Console) -> Watcher:
    """Return the watcher that fits where the output goes."""
    return Bar(console) if console.is_terminal else Lines(console)


class Bar:
    """Files, bytes, rate and the time that is left, redrawn in place."""

    def __init__(self, console: Console) -> None:
        self._progress = Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            TextColumn("{task.fields[settled]}/{task.fields[files]} files"),
            DownloadColumn(),
            TransferSpeedColumn(),
            TimeRemainingColumn(),
            console=console,
            transient=True,
        )
        self._lock = Lock()
        self._task = self._progress.add_task("", visible=False, settled=0, files=0)
        self._settled = 0

    def begin(self, what: str, *, files: int, size_bytes: int) -> None:
        """Show an empty bar."""
        self._settled = 0
        self._progress.start()
        self._progress.reset(
            self._task,
            description=what,
            total=size_bytes,
            visible=True,
            settled=0,
            files=files,
        )

    def moved(self, count: int) -> None:
        """Move the bar."""
        self._progress.advance(self._task, count)

    def settled(self) -> None:
        """Count a file."""
        with self._lock:
            self._settled += 1
            self._progress.update(self._task, settled=self._settled)

    def end(self) -> None:
        """Take the bar away."""
        self._progress.stop()

    def say(self, message: str) -> None:
        """Print a line above the bar."""
        self._progress.console.print(message, markup=False, highlight=False, soft_wrap=True)


class Lines:
    """A line at most every ten seconds: for logs."""

    def __init__(self, console: Console, interval_s: float = LINE_INTERVAL_S) -> None:
        self._console = console
        self._interval_s = interval_s
        self._lock = Lock()
        self._what = ""
        self._files = self._settled = self._size_bytes = self._bytes = 0
        self._began = self._last = -math.inf

    def begin(self, what: str, *, files: int, size_bytes: int) -> None:
        """Say what comes."""
        with self._lock:
            self._what, self._files, self._size_bytes = what, files, size_bytes
            self._settled = self._bytes = 0
            self._began = self._last = time.monotonic()
        self.say(f"{what}: {files} files, about {readable_bytes(size_bytes)}")

    def moved(self, count: int) -> None:
        """Count bytes, and print a line if the last one is a while ago."""
        with self._lock:
            self._bytes += count
            now = time.monotonic()
            if now - self._last < self._interval_s:
                return
            self._last = now
            line = self._line(now - self._began)
        self.say(line)

    def settled(self) -> None:
        """Count a file."""
        with self._lock:
            self._settled += 1

    def end(self) -> None:
        """Say how it ended."""
        with self._lock:
            line = self._line(time.monotonic() - self._began)
        self.say(line)

    def say(self, message: str) -> None:
        """Print a line."""
        self._console.print(message, markup=False, highlight=False, soft_wrap=True)

    def _line(self, elapsed_s: float) -> str:
        rate = self._bytes / max(elapsed_s, 1e-3)
        left_s = max(0, self._size_bytes - self._bytes) / rate if rate > 0 else math.inf
        left = f", about {left_s:.0f} s left" if 0 < left_s < math.inf else ""
        return (
            f"{self._what}: {self._settled}/{self._files} files, {readable_bytes(self._bytes)}, "
            f"{readable_bytes(rate)}/s{left}"
        )
