"""Trials on the nodes of a Ray cluster: a `Pool` of tasks that ask for a trial when they run.

A slot is a task that has its GPU and knocked at the door. While tasks wait in Ray's queue no cell
is bound to them, so that nothing counts as running, or hung, that only waits for a node.
"""

import contextlib
import itertools
import queue
import socket
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from multiprocessing import connection as mp_connection
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any, Protocol

from studies.running.eviction import LOCK_FILE
from studies.running.file_lock import FileLock, describe_holder, read_holder
from studies.running.pool import CutOff, Exited, Signal, heard
from studies.running.ray_door import Bell, Door
from studies.running.ray_node import Arrival, Knock
from studies.running.ray_share import Share
from studies.running.trial_line import GO, ORPHAN_GRACE_S, READY, STOP, VERDICT
from studies.running.trial_order import Slot, TrialOrder

WAITING_S = 20.0  # of a task before the user is told why; a process takes seconds to start
IDLE_S = 5.0  # a slot that is not used for so long is given back to the cluster
UNLOCK_S = 120.0  # for a file server to see that a lock's holder is gone
POLL_S = 0.2


@dataclass(frozen=True, slots=True)
class Ended:
    """What Ray says of a task that is over."""

    ticket: int
    error: BaseException | None
    answer: Any = None  # what `ray_node.serve` returned


class Tasks(Protocol):
    """What the pool asks of the cluster, see `ray_cluster`."""

    def room(self) -> int:
        """Return how many tasks the cluster holds at a time."""

    def submit(self, knock: Knock, tell: Callable[[Ended], None]) -> None:
        """Queue a task; `tell` is called from another thread when it is over."""

    def kill(self, ticket: int) -> None:
        """End a task at once."""

    def take_in(self, ended: Ended, *, had_trial: bool) -> None:
        """Learn from how a task ended."""

    def say_waiting(self, count: int) -> None:
        """Tell the user, now and then, what tasks that do not start wait for."""

    def close(self) -> None:
        """Let go of the cluster."""


@dataclass(slots=True)
class _Guest:
    """A task that has its share of a node."""

    connection: Connection
    slot: Slot
    since: float = field(default_factory=time.monotonic)
    is_leased: bool = False
    order: TrialOrder | None = None
    is_open: bool = True


@dataclass(slots=True)
class _Leaving:
    """A trial whose task is over, and whose folder may be locked all the same."""

    folder: Path
    exited: Exited
    since: float = field(default_factory=time.monotonic)
    is_said: bool = False

    def is_free(self) -> bool:
        return not FileLock(self.folder / LOCK_FILE).is_held()


class RayPool:
    """A `Pool` of tasks on a cluster."""

    def __init__(self, tasks: Tasks, share: Share, ip: str) -> None:
        self._tasks = tasks
        self._share = share
        self._bell = Bell()
        self._door = Door(ip, self._bell)
        self._ended: queue.SimpleQueue[Ended] = queue.SimpleQueue()
        self._tickets = itertools.count()
        self._asked: dict[int, float] = {}  # ticket -> since when its task waits
        self._guests: dict[int, _Guest] = {}
        self._cells: dict[str, int] = {}  # cell -> ticket of the task that runs it
        self._leaving: dict[str, _Leaving] = {}

    def take(self, wanted: int = 1) -> Slot | None:
        """Lease the slot of a task that is there, or ask for as many tasks as are wanted."""
        self._meet()
        for guest in self._guests.values():
            if not guest.is_leased:
                guest.is_leased = True
                return guest.slot
        missing = min(wanted, self._tasks.room() - len(self._guests)) - len(self._asked)
        for _ in range(missing):
            ticket = next(self._tickets)
            self._tasks.submit(Knock(ticket, self._door.address, self._door.key), self._tell)
            self._asked[ticket] = time.monotonic()
        return None

    def start(self, order: TrialOrder, slot: Slot) -> None:
        """Hand a trial to the task that has the slot."""
        guest = self._guests[slot.number]
        guest.order = order
        self._cells[order.cell] = slot.number
        with contextlib.suppress(OSError):  # it ended just now, which Ray will say
            guest.connection.send((order, slot))

    def wait(self, timeout_s: float) -> list[Signal]:
        """Return messages and exits; a trial's messages come before its exit."""
        open_guests = [guest for guest in self._guests.values() if guest.is_open]
        bell = self._bell.fileno()
        sources: list[Connection | int] = [bell, *(guest.connection for guest in open_guests)]
        timeout_s = min(timeout_s, POLL_S) if self._leaving else timeout_s
        ready = mp_connection.wait(sources, timeout_s)
        if bell in ready:
            self._bell.quiet()
        self._meet()
        signals = [
            signal
            for guest in open_guests
            if guest.connection in ready
            for signal in self._messages(guest)
        ]
        with contextlib.suppress(queue.Empty):
            while True:
                signals.extend(self._take_in(self._ended.get_nowait()))
        self._give_back_idle()
        return signals + self._left()

    def answer(self, cell: str, reason: str | None) -> None:
        """Tell a trial that asked why it is pruned; None: to go on."""
        self._send(cell, VERDICT + (reason or "").encode())

    def stop(self, cell: str) -> None:
        """Ask a trial to write a checkpoint and end."""
        self._send(cell, STOP)

    def kill(self, cell: str) -> None:
        """End a trial at once."""
        if (ticket := self._cells.get(cell)) is not None:
            self._tasks.kill(ticket)

    def close(self) -> None:
        """Leave the trials alone, so that they write checkpoints and end; kill those that hang."""
        self._door.close()
        for guest in self._guests.values():
            guest.connection.close()
        for ticket in self._asked:
            self._tasks.kill(ticket)
        deadline = time.monotonic() + ORPHAN_GRACE_S
        with contextlib.suppress(queue.Empty):
            while self._guests or self._asked:
                ended = self._ended.get(timeout=max(0.0, deadline - time.monotonic()))
                self._guests.pop(ended.ticket, None)
                self._asked.pop(ended.ticket, None)
        for ticket in self._guests:
            self._tasks.kill(ticket)
        self._tasks.close()
        self._bell.close()

    def _tell(self, ended: Ended) -> None:
        self._ended.put(ended)
        self._bell.ring()

    def _meet(self) -> None:
        """Take in the tasks that knocked."""
        for connection, arrival in self._door.arrived():
            if self._asked.pop(arrival.ticket, None) is None:
                connection.close()  # it was given up meanwhile
            else:
                self._guests[arrival.ticket] = _Guest(connection, self._slot(arrival))
        if self._asked and time.monotonic() - min(self._asked.values()) > WAITING_S:
            self._tasks.say_waiting(len(self._asked))

    def _slot(self, arrival: Arrival) -> Slot:
        return Slot(
            number=arrival.ticket,
            gpu=arrival.gpu,
            device=arrival.device,
            threads=self._share.threads,
            share=min(1.0, self._share.gpus or 1.0),
            host=arrival.host,
            processes=self._share.processes,
        )

    def _messages(self, guest: _Guest) -> list[Signal]:
        signals: list[Signal] = []
        try:
            while guest.is_open and guest.connection.poll():
                message = guest.connection.recv()
                if message == (READY,):
                    guest.connection.send_bytes(GO)
                elif guest.order is not None:
                    signals.append(heard(guest.order.cell, message))
        except (EOFError, OSError):
            guest.is_open = False  # Ray will say how it ended
        return signals

    def _take_in(self, ended: Ended) -> list[Signal]:
        guest = self._guests.pop(ended.ticket, None)
        self._asked.pop(ended.ticket, None)
        self._tasks.take_in(ended, had_trial=guest is not None and guest.order is not None)
        if guest is None or guest.order is None:
            return []
        signals = self._messages(guest)
        guest.connection.close()
        cell, folder = guest.order.cell, guest.order.folder
        del self._cells[cell]
        exited = Exited(cell, 0 if ended.error is None else None)
        if guest.slot.host == socket.gethostname():
            return [*signals, exited]  # the coordinator makes sure that it is gone
        self._leaving[cell] = _Leaving(folder, exited)
        return signals

    def _left(self) -> list[Signal]:
        """Return exits from other machines whose folders are free by now, and who is cut off.

        A node that Ray cannot reach may still run its trial: it ends when it finds itself alone.
        Where that takes long the others go on meanwhile.
        """
        now = time.monotonic()
        gone = [cell for cell, each in self._leaving.items() if each.is_free()]
        signals: list[Signal] = [self._leaving.pop(cell).exited for cell in gone]
        for cell, each in self._leaving.items():
            if not each.is_said and now - each.since > UNLOCK_S:
                each.is_said = True
                signals.append(CutOff(cell, describe_holder(read_holder(each.folder / LOCK_FILE))))
        return signals

    def _give_back_idle(self) -> None:
        """Let tasks go that found nothing to run: others may want their GPUs."""
        now = time.monotonic()
        idle = [
            ticket
            for ticket, guest in self._guests.items()
            if not guest.is_leased and now - guest.since > IDLE_S
        ]
        for ticket in idle:
            self._guests.pop(ticket).connection.close()

    def _send(self, cell: str, word: bytes) -> None:
        if (ticket := self._cells.get(cell)) is not None:  # else it ended, and is about to be seen
            with contextlib.suppress(OSError):
                self._guests[ticket].connection.send_bytes(word)
