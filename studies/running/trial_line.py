"""The line between a trial and its coordinator, as the trial sees it.

    trial ──ready──────────────────► coordinator       may I begin?
          ◄─────────────────── go ──
          ──wrote, progress────────►                   look into the event log; it moves
          ──asks (epoch)───────────►                   is it worth going on? (with a pruner)
          ◄── on, or prune (why) ───
          ◄───────────────── stop ──                   write a checkpoint and end

Whoever runs trials elsewhere gives them a line of its own; all that matters is in the event log.
"""

import contextlib
import os
import queue
import signal
import threading
import time
from typing import Any, Protocol

READY, WROTE, PROGRESS, ASKS = "ready", "wrote", "progress", "asks"  # the trial's words
GO, STOP, VERDICT = b"go", b"stop", b"verdict "  # the coordinator's; a verdict has its reason
ORPHAN_GRACE_S = 30.0  # a trial that does not stop for a vanished coordinator is ended
ORPHANED_EXIT_CODE = 75  # EX_TEMPFAIL
Message = tuple[Any, ...]  # a word, and for progress epoch, step, steps; for asks the epoch


class TrialLine(Protocol):
    """What a trial says to its coordinator, and hears."""

    def say(self, message: Message) -> None:
        """Send a message, if there still is a coordinator."""

    def should_stop(self) -> bool:
        """Whether the trial is to write a checkpoint and end."""

    def verdict(self, epoch: int) -> str | None:
        """Ask whether to go on after an epoch, and wait for the answer.

        Returns:
            Why the trial is pruned; None to go on, or where it should stop.
        """


class Wire(Protocol):
    """The end of a pipe, as `multiprocessing` has it, or what stands for one on a cluster."""

    def send(self, message: Any, /) -> None:  # noqa: ANN401  # as in multiprocessing
        """Send a message; OSError when nobody is there."""

    def recv_bytes(self) -> bytes:
        """Wait for a word; EOFError or OSError when nobody is there."""


class WireLine:
    """A line over a wire, in a process that is the trial's own.

    A coordinator that is held up, as by a database that is away, hears nothing, and a wire takes
    only so much. So a thread speaks, of each word the newest message: training goes on.
    """

    def __init__(self, wire: Wire) -> None:
        self._wire = wire
        self._stop = threading.Event()
        self._verdicts: queue.SimpleQueue[str | None] = queue.SimpleQueue()
        self._unsaid: dict[str, Message] = {}  # by word, in order
        self._speaks = threading.Condition()  # a warning may come from any thread

    def is_wanted(self) -> bool:
        """Ask the coordinator whether to begin; the trial's folder is locked by now.

        A process that comes up after its coordinator died must not touch anything: the next
        coordinator found its folder free, and may have started another attempt.
        """
        try:
            self._wire.send((READY,))
            return self._wire.recv_bytes() == GO
        except (EOFError, OSError):
            return False

    def listen(self) -> None:
        """Hear from now on what the coordinator says, and that it vanished."""
        signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the coordinator's to pass on
        signal.signal(signal.SIGTERM, lambda *_: self._stop_now())
        threading.Thread(target=self._hear, daemon=True, name="coordinator").start()
        threading.Thread(target=self._speak, daemon=True, name="to coordinator").start()

    def say(self, message: Message) -> None:
        """Have a message sent; a vanished coordinator is seen by the listener."""
        with self._speaks:
            self._unsaid[message[0]] = message
            self._speaks.notify()

    def should_stop(self) -> bool:
        """Whether the trial is to write a checkpoint and end."""
        return self._stop.is_set()

    def verdict(self, epoch: int) -> str | None:
        """Ask whether to go on after an epoch, and wait for the answer."""
        if self._stop.is_set():
            return None
        self.say((ASKS, epoch))
        return self._verdicts.get()

    def _speak(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                with self._speaks:
                    while not self._unsaid:
                        self._speaks.wait()
                    message = self._unsaid.pop(next(iter(self._unsaid)))
                self._wire.send(message)

    def _hear(self) -> None:
        try:
            while (word := self._wire.recv_bytes()) != STOP:
                if word.startswith(VERDICT):
                    self._verdicts.put(word.removeprefix(VERDICT).decode() or None)
            self._stop_now()
        except (EOFError, OSError):
            self._stop_now()
            time.sleep(ORPHAN_GRACE_S)
            os._exit(ORPHANED_EXIT_CODE)

    def _stop_now(self) -> None:
        self._stop.set()
        self._verdicts.put(None)  # whoever waits for one
