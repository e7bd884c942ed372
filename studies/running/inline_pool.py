"""Trials in the coordinator's own process, one at a time: to debug, and with the least overhead.

A breakpoint stops in the trial, its output is on the terminal, and Ctrl-C makes it write a
checkpoint and end. While a trial runs the coordinator has its turn whenever the trial says
something or asks whether to stop. What ends a process (a segfault, a kill for want of memory)
ends the launch; the next one goes on from the checkpoint.
"""

import signal
import threading
import time
from collections.abc import Callable
from dataclasses import replace

from studies.running.devices import cpu_count
from studies.running.eviction import LOCK_FILE
from studies.running.file_lock import FileLock
from studies.running.pool import Asked, Exited, Signal, heard
from studies.running.slot_use import use_slot
from studies.running.trial_line import PROGRESS, Message
from studies.running.trial_order import Slot, TrialOrder
from studies.running.trial_process import PROGRESS_INTERVAL_S, conduct


class Killed(BaseException):
    """Ends a trial in whatever it does; no error that a trainer may catch."""


class InlinePool:
    """A `Pool` and its trial's line in one: a message is a call."""

    def __init__(self, slot: Slot) -> None:
        self._slot = replace(slot, threads=cpu_count())  # it is the only one
        self._is_free = True
        self._due: TrialOrder | None = None
        self._turn: Callable[[list[Signal]], None] | None = None
        self._turned_at = 0.0
        self._thread = 0
        self._is_stopping = self._is_killed = False
        self._answer: str | None = None
        self._error: Exception | None = None  # of the coordinator, in a turn that a trial gave it

    def give_turns(self, turn: Callable[[list[Signal]], None]) -> None:
        """Have the coordinator take in what a trial says while `wait` runs it."""
        self._turn = turn

    def take(self, wanted: int = 1) -> Slot | None:
        """Lease the one slot."""
        del wanted  # there is but one
        if not self._is_free:
            return None
        self._is_free = False
        return self._slot

    def start(self, order: TrialOrder, slot: Slot) -> None:
        """Note what `wait` is to run."""
        del slot  # there is but one
        self._due = order
        self._is_stopping = self._is_killed = False

    def wait(self, timeout_s: float) -> list[Signal]:
        """Run the trial that was started to its end, however long that takes.

        Raises:
            Exception: What the coordinator met with meanwhile; the trial wrote a checkpoint.
        """
        del timeout_s
        if self._due is None:
            return []
        order = self._due
        exit_code = 0
        self._thread = threading.get_ident()
        try:
            self._run(order)
        except Killed:
            exit_code = -signal.SIGKILL
        self._due, self._is_free = None, True
        if self._error is not None:
            raise self._error
        return [Exited(order.cell, exit_code)]

    def answer(self, cell: str, reason: str | None) -> None:
        """Tell the trial why it is pruned; None: to go on."""
        del cell
        self._answer = reason

    def stop(self, cell: str) -> None:
        """Ask the trial to write a checkpoint and end."""
        del cell
        self._is_stopping = True

    def kill(self, cell: str) -> None:
        """End the trial when it next says something or asks whether to stop."""
        del cell
        self._is_killed = True

    def close(self) -> None:
        """Leave nothing behind: a trial ends before `wait` returns."""

    def say(self, message: Message) -> None:
        """Give the coordinator its turn with a message of the trial."""
        if message[0] != PROGRESS or self._is_turn_due():
            self._take_turn([heard(self._cell, message)])

    def should_stop(self) -> bool:
        """Whether the trial is to write a checkpoint and end."""
        if self._is_turn_due():
            self._take_turn([])
        return self._is_stopping

    def verdict(self, epoch: int) -> str | None:
        """Return why the trial is pruned; None to go on, or where it should stop."""
        self._answer = None
        self._take_turn([Asked(self._cell, epoch)])
        return self._answer

    @property
    def _cell(self) -> str:
        if self._due is None:
            raise RuntimeError("a trial must be running to speak; call start first")
        return self._due.cell

    def _run(self, order: TrialOrder) -> None:
        order.folder.mkdir(parents=True, exist_ok=True)
        with FileLock(order.folder / LOCK_FILE):
            use_slot(self._slot)
            conduct(order, self._slot, self)

    def _is_turn_due(self) -> bool:
        return time.monotonic() - self._turned_at >= PROGRESS_INTERVAL_S

    def _take_turn(self, signals: list[Signal]) -> None:
        """Let the coordinator work; what another thread says waits in the event log.

        What goes wrong there is no failure of the trial, through which it must not be raised: the
        trial is asked to stop, as those elsewhere do when their coordinator vanishes.
        """
        if self._turn is None or self._error or threading.get_ident() != self._thread:
            return
        try:
            self._turn(signals)
        except Exception as error:  # noqa: BLE001 - whatever it is, `wait` raises it again
            self._error, self._is_stopping = error, True
        self._turned_at = time.monotonic()
        if self._is_killed:
            raise Killed
