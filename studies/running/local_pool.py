"""Trials on this machine: a process each, forked from a server that has torch loaded."""

import contextlib
import multiprocessing
import time
from collections.abc import Sequence
from dataclasses import dataclass
from multiprocessing import connection as mp_connection
from multiprocessing.connection import Connection
from multiprocessing.context import ForkServerProcess

from studies.running.pool import Exited, Signal, heard
from studies.running.trial_line import GO, ORPHAN_GRACE_S, READY, STOP, VERDICT
from studies.running.trial_order import Slot, TrialOrder
from studies.running.trial_process import run_trial

TORCH_PRELOAD = (
    "models.training",
    "models.tasks.segmentation",
    "models.segmentation.unet",
    "data_pipeline.source",
)
EXIT_TIMEOUT_S = 10.0


@dataclass(slots=True)
class _Running:
    process: ForkServerProcess
    connection: Connection
    slot: Slot
    is_open: bool = True


class LocalPool:
    """A `Pool` of processes on this machine."""

    def __init__(self, slots: Sequence[Slot], preload: Sequence[str] = TORCH_PRELOAD) -> None:
        self._context = multiprocessing.get_context("forkserver")
        self._context.set_forkserver_preload(["studies.running.trial_process", *preload])
        self._free = list(slots)
        self._running: dict[str, _Running] = {}

    def take(self, wanted: int = 1) -> Slot | None:
        """Lease the slot with the lowest number."""
        del wanted  # there are no more than there are
        if not self._free:
            return None
        self._free.sort(key=lambda slot: slot.number)
        return self._free.pop(0)

    def start(self, order: TrialOrder, slot: Slot) -> None:
        """Fork a trial process."""
        ours, theirs = self._context.Pipe()
        process = self._context.Process(
            target=run_trial, args=(order, slot, theirs), name=f"trial {order.cell}"
        )
        process.start()
        theirs.close()
        self._running[order.cell] = _Running(process, ours, slot)

    def wait(self, timeout_s: float) -> list[Signal]:
        """Return messages and exits; a trial's messages come before its exit."""
        sources: dict[object, str] = {}
        for cell, running in self._running.items():
            sources[running.process.sentinel] = cell
            if running.is_open:
                sources[running.connection] = cell
        ready = mp_connection.wait(list(sources), timeout_s) if sources else []  # type: ignore[arg-type]
        signals: list[Signal] = []
        for cell in dict.fromkeys(sources[each] for each in ready):
            signals.extend(self._messages(cell))
            if self._running[cell].process.sentinel in ready:
                signals.append(self._reap(cell))
        return signals

    def answer(self, cell: str, reason: str | None) -> None:
        """Tell a trial that asked why it is pruned; None: to go on."""
        with contextlib.suppress(OSError):  # it ended on its own
            self._running[cell].connection.send_bytes(VERDICT + (reason or "").encode())

    def stop(self, cell: str) -> None:
        """Ask a trial to write a checkpoint and end."""
        with contextlib.suppress(OSError):  # it ended on its own
            self._running[cell].connection.send_bytes(STOP)

    def kill(self, cell: str) -> None:
        """End a trial at once."""
        self._running[cell].process.kill()

    def close(self) -> None:
        """Leave the trials alone, so that they write checkpoints and end; kill those that hang."""
        for running in self._running.values():
            running.connection.close()
        deadline = time.monotonic() + ORPHAN_GRACE_S
        for cell, running in list(self._running.items()):
            running.process.join(max(0.0, deadline - time.monotonic()))
            if running.process.is_alive():
                self.kill(cell)
            self._reap(cell)

    def _messages(self, cell: str) -> list[Signal]:
        running = self._running[cell]
        signals: list[Signal] = []
        try:
            while running.is_open and running.connection.poll():
                message = running.connection.recv()
                if message == (READY,):
                    running.connection.send_bytes(GO)
                else:
                    signals.append(heard(cell, message))
        except (EOFError, OSError):
            running.is_open = False
        return signals

    def _reap(self, cell: str) -> Exited:
        running = self._running.pop(cell)
        running.process.join(EXIT_TIMEOUT_S)
        exit_code = running.process.exitcode
        running.connection.close()
        self._free.append(running.slot)
        return Exited(cell, exit_code)
