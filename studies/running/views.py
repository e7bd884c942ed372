"""A live table on a terminal; plain lines everywhere else."""

import math
import time

from rich.console import Console, Group
from rich.live import Live
from rich.markup import escape
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from studies.running.progress import RunningRow, Snapshot, View

REFRESHES_PER_S = 4
PLAIN_INTERVAL_S = 30.0
SHOWN_METRICS = ("train/loss", "val/loss")


def open_view(console: Console) -> View:
    """Return the view that fits where the output goes."""
    return LiveView(console) if console.is_terminal else PlainView(console)


class PlainView:
    """One line per event, and a summary now and then: for logs."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._last = -math.inf

    def update(self, snapshot: Snapshot) -> None:
        """Print a summary if the last one is a while ago."""
        now = time.monotonic()
        if now - self._last < PLAIN_INTERVAL_S:
            return
        self._last = now
        self.say(summary(snapshot))
        for row in snapshot.running:
            self.say(f"  {row.label}: epoch {row.epoch}/{row.epochs} {_metrics(row, snapshot)}")

    def say(self, message: str) -> None:
        """Print a line."""
        self._console.print(message, markup=False, highlight=False, soft_wrap=True)

    def close(self) -> None:
        """Nothing to undo."""


class LiveView:
    """Stage, cells and running trials with their last values, redrawn in place."""

    def __init__(self, console: Console) -> None:
        self._live = Live(console=console, refresh_per_second=REFRESHES_PER_S, transient=True)
        self._live.start()

    def update(self, snapshot: Snapshot) -> None:
        """Redraw."""
        self._live.update(Group(_header(snapshot), _bar(snapshot), _table(snapshot)))

    def say(self, message: str) -> None:
        """Print a line above the table."""
        self._live.console.print(escape(message), highlight=False, soft_wrap=True)

    def close(self) -> None:
        """Remove the table."""
        self._live.stop()


def summary(snapshot: Snapshot) -> str:
    """Say in a line how far a launch is."""
    outcomes = ", ".join(f"{count} {name}" for name, count in snapshot.outcomes.items() if count)
    left = "" if snapshot.remaining_s is None else f", about {duration(snapshot.remaining_s)} left"
    return (
        f"{snapshot.study}: stage {snapshot.stage_number}/{snapshot.stages} '{snapshot.stage}', "
        f"{snapshot.settled}/{snapshot.planned} cells ({outcomes or 'none ended'}), "
        f"{len(snapshot.running)} running, {duration(snapshot.elapsed_s)} elapsed{left}"
    )


def duration(seconds: float) -> str:
    """Write a duration for people: 42 s, 3 min 05 s, 2 h 10 min."""
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60:02d} s"
    return f"{whole // 3600} h {whole % 3600 // 60:02d} min"


def _header(snapshot: Snapshot) -> Text:
    return Text(summary(snapshot), style="bold")


def _bar(snapshot: Snapshot) -> ProgressBar:
    return ProgressBar(total=max(1, snapshot.planned), completed=snapshot.settled, width=60)


def _table(snapshot: Snapshot) -> Table:
    table = Table(box=None, pad_edge=False)
    names = dict.fromkeys((snapshot.metric, *SHOWN_METRICS))
    for title in ("trial", "device", "epoch", "step", *names):
        table.add_column(title, justify="left" if title in ("trial", "device") else "right")
    for row in snapshot.running:
        attempt = f" (attempt {row.attempt})" if row.attempt > 1 else ""
        table.add_row(
            escape(row.label) + attempt,
            escape(row.device),
            f"{row.epoch}/{row.epochs}",
            f"{row.step}/{row.steps}" if row.steps else "",
            *(_value(row, name) for name in names),
        )
    return table


def _value(row: RunningRow, name: str) -> str:
    return f"{row.metrics[name]:.4f}" if name in row.metrics else "-"


def _metrics(row: RunningRow, snapshot: Snapshot) -> str:
    names = [name for name in (snapshot.metric, *SHOWN_METRICS) if name in row.metrics]
    return " ".join(f"{name} {row.metrics[name]:.4f}" for name in dict.fromkeys(names))
