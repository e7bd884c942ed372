"""What follows from how a trial ended.

| the trial | outcome | then |
|---|---|---|
| finished | complete | |
| ran out of memory | infeasible | again with half the micro-batch, same effective batch |
| … at micro-batch 1 | infeasible | settled; the sampler learns it as a constraint |
| diverged (NaN) | infeasible | settled |
| was told that others do better | pruned | settled; never scored |
| was killed, crashed; or one | lost | resumed from its checkpoint; settled when that |
|   of its processes was | | happens a 4th time before an epoch was finished |
| raised | failed | settled; the study goes on |
| stopped when asked, or hung | stopped | settled until the next launch |
| was asked to stop by another | stopped | as if it had been killed |
| found the disk full | stopped | settled; the whole study stops |

A failure is never scored.
"""

import signal
from dataclasses import dataclass

from trackers.event_log import Event
from trackers.records import Outcome

MAX_FAULTS = 3  # trials resumed although they had finished no epoch
SHELL_SIGNAL_BASE = 128
SETTLED = {"diverged": Outcome.INFEASIBLE, "pruned": Outcome.PRUNED}  # by what a trial says


@dataclass(frozen=True, slots=True)
class TrialExit:
    """How a trial ended, as far as it can be told."""

    end: Event | None  # its last word, if it had one
    exit_code: int | None
    killed_because: str  # the coordinator's reason; "" when it did not kill it
    was_asked_to_stop: bool
    made_progress: bool  # finished an epoch in this attempt
    earlier_faults: int
    micro_batch_divisor: int
    batch_size: int


@dataclass(frozen=True, slots=True)
class Verdict:
    """What becomes of the trial and its cell."""

    outcome: Outcome
    reason: str
    retries: bool = False  # else the cell is settled with the trial's outcome
    is_fault: bool = False
    micro_batch_divisor: int | None = None  # of the next attempt; None: as it was
    signature: str = ""  # of a failure, to recognise the same one in other cells
    stops_study: bool = False


def judge(trial: TrialExit) -> Verdict:
    """Apply the table above."""
    if trial.end is not None and trial.end.name == "finished":
        return Verdict(Outcome.COMPLETE, str(trial.end.fields.get("note", "")))
    if trial.killed_because:
        return Verdict(Outcome.STOPPED, trial.killed_because)
    if trial.end is None:
        return _judge_lost(trial, describe_exit(trial.exit_code))
    fields = trial.end.fields
    message = str(fields.get("message", ""))
    kind = fields["kind"]
    if kind in ("stopped", "lost"):
        return _judge_stopped(trial) if kind == "stopped" else _judge_lost(trial, message)
    if kind == "out_of_memory":
        return _judge_memory(trial)
    if kind in SETTLED:
        return Verdict(SETTLED[kind], message or kind)
    if kind == "disk_full":
        return Verdict(Outcome.STOPPED, f"disk full: {message}", stops_study=True)
    return Verdict(Outcome.FAILED, message, signature=str(fields.get("signature", message)))


def describe_exit(exit_code: int | None) -> str:
    """Name an exit code, or the signal behind it."""
    if exit_code is None:
        return "the process vanished"
    number = -exit_code if exit_code < 0 else exit_code - SHELL_SIGNAL_BASE
    try:
        return f"exit code {exit_code} ({signal.Signals(number).name})"
    except ValueError:
        return f"exit code {exit_code}"


def _judge_lost(trial: TrialExit, reason: str) -> Verdict:
    if trial.was_asked_to_stop:
        return Verdict(Outcome.STOPPED, f"ended while stopping: {reason}")
    return _resume(trial, Outcome.LOST, reason)


def _judge_stopped(trial: TrialExit) -> Verdict:
    if trial.was_asked_to_stop:
        return Verdict(Outcome.STOPPED, "stopped with a checkpoint")
    return _resume(trial, Outcome.STOPPED, "asked to stop from outside")


def _resume(trial: TrialExit, outcome: Outcome, reason: str) -> Verdict:
    """Go on from the last checkpoint, unless that led nowhere too often."""
    is_fault = not trial.made_progress
    faults = trial.earlier_faults + is_fault
    if is_fault and faults > MAX_FAULTS:
        reason = f"{reason}, {faults} times without finishing an epoch"
        return Verdict(outcome, reason, is_fault=True)
    return Verdict(
        outcome,
        reason,
        retries=True,
        is_fault=is_fault,
    )


def _judge_memory(trial: TrialExit) -> Verdict:
    micro_batch = -(-trial.batch_size // trial.micro_batch_divisor)
    if micro_batch == 1:
        return Verdict(Outcome.INFEASIBLE, "out of memory at micro-batch 1")
    divisor = trial.micro_batch_divisor * 2
    smaller = -(-trial.batch_size // divisor)
    return Verdict(
        Outcome.INFEASIBLE,
        f"out of memory at micro-batch {micro_batch}; again with {smaller}",
        retries=True,
        micro_batch_divisor=divisor,
    )
