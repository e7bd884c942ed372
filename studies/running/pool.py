"""What the coordinator asks of whatever runs its trials, here or on a cluster."""

from dataclasses import dataclass
from typing import Protocol, TypeAlias

from studies.running.trial_line import ASKS, PROGRESS, Message
from studies.running.trial_order import Slot, TrialOrder


@dataclass(frozen=True, slots=True)
class Progressed:
    """A trial took a step."""

    cell: str
    epoch: int
    step: int
    steps: int


@dataclass(frozen=True, slots=True)
class Wrote:
    """A trial wrote to its event log."""

    cell: str


@dataclass(frozen=True, slots=True)
class Asked:
    """A trial finished an epoch, and waits for `Pool.answer` whether to go on."""

    cell: str
    epoch: int  # the event log has it


@dataclass(frozen=True, slots=True)
class Exited:
    """A trial's process is gone; its event log says how it ended, if it could."""

    cell: str
    exit_code: int | None  # negative: the signal that ended it; None: unknown


@dataclass(frozen=True, slots=True)
class CutOff:
    """A trial's machine cannot be reached, and may still run it; it exits when that is known."""

    cell: str
    holder: str  # for people: who has the trial's folder


Signal: TypeAlias = Progressed | Wrote | Asked | Exited | CutOff


def heard(cell: str, message: Message) -> Signal:
    """Return what a trial's message says, see `trial_line`."""
    if message[0] == PROGRESS:
        return Progressed(cell, *message[1:])
    if message[0] == ASKS:
        return Asked(cell, message[1])
    return Wrote(cell)


class Pool(Protocol):
    """Runs trials, each in a process of its own."""

    def take(self, wanted: int = 1) -> Slot | None:
        """Lease a slot, or None when all are in use.

        Args:
            wanted: How many trials wait for one, this one included; a cluster asks for so many.
        """

    def start(self, order: TrialOrder, slot: Slot) -> None:
        """Run a trial in a leased slot, which is given back when it exits."""

    def wait(self, timeout_s: float) -> list[Signal]:
        """Return what happened, after at most `timeout_s`."""

    def answer(self, cell: str, reason: str | None) -> None:
        """Tell a trial that asked why it is pruned; None: to go on."""

    def stop(self, cell: str) -> None:
        """Ask a trial to write a checkpoint and end."""

    def kill(self, cell: str) -> None:
        """End a trial at once."""

    def close(self) -> None:
        """Let what still runs write a checkpoint and end."""
