"""From how a trial ended to the ledger's rows."""

from dataclasses import replace
from itertools import takewhile
from pathlib import Path

from sqlalchemy import RowMapping

from studies.running.costs import final_costs
from studies.running.eviction import evict
from studies.running.failure_policy import TrialExit, Verdict, judge
from studies.running.orders import batch_size
from studies.running.output_log import clean_output
from studies.running.running_trial import RunningTrial
from studies.tree.cell_history import CellHistory, read_history
from studies.tree.ledger import CellEnd, Ledger, TrialEnd
from trackers.event_log import Event
from trackers.records import Outcome

KILLED_WITH_COORDINATOR = "its coordinator was killed"
ENDED_WITH_COORDINATOR = ("stopped", "lost")  # of a trial that was left alone, what it says


def record_exit(
    ledger: Ledger, study: str, trial: RunningTrial, *, exit_code: int | None
) -> Verdict:
    """Judge a trial that exited and write it down, in one transaction."""
    cell = trial.order.cell
    earlier = reversed(ledger.trials(study, cell)[:-1])
    faults = sum(1 for _ in takewhile(lambda each: each["is_fault"], earlier))
    verdict = judge(
        TrialExit(
            end=trial.history.end,
            exit_code=exit_code,
            killed_because=trial.killed_because,
            was_asked_to_stop=trial.stop_asked_at is not None,
            made_progress=trial.made_progress,
            earlier_faults=faults,
            micro_batch_divisor=trial.order.micro_batch_divisor,
            batch_size=-(-batch_size(trial.order) // trial.slot.processes),
        )
    )
    end = _trial_end(
        cell,
        trial.order.attempt,
        verdict=verdict,
        history=trial.history,
        micro_batch_divisor=trial.order.micro_batch_divisor,
    )
    end = replace(end, costs=trial.costs())
    settled = None if verdict.retries else cell_end(cell, verdict, trial.history)
    ledger.end_trial(study, end, settled)
    return verdict


def cell_end(cell: str, verdict: Verdict, history: CellHistory) -> CellEnd:
    """Return what came of a cell whose last trial was judged; only a complete one has metrics."""
    epochs = history.in_order()
    seconds = epochs[-1].wall_s if epochs else 0.0
    if verdict.outcome is not Outcome.COMPLETE or history.end is None:
        return CellEnd(cell, verdict.outcome, verdict.reason, {}, None, 0.0, seconds)
    fields = history.end.fields
    return CellEnd(
        cell=cell,
        outcome=Outcome.COMPLETE,
        reason=verdict.reason,
        metrics=fields["metrics"],
        best_epoch=int(fields["best_epoch"]),
        train_macs=float(fields["train_macs"]),
        seconds=seconds,
    )


def reap(ledger: Ledger, workspace: Path, study: str) -> int:
    """End what an earlier coordinator left running; return how many trials that were.

    A trial that said how it ended is judged by that; any other is resumed from its checkpoint and
    does not count towards the retry limit: it was not the trial's fault.
    """
    left = [trial for trial in ledger.trials(study) if trial["outcome"] is None]
    for trial in left:
        evict(workspace / trial["folder"])
        clean_output(workspace / trial["folder"])
        _reap_trial(ledger, workspace, study, trial=trial)
    return len(left)


def _reap_trial(ledger: Ledger, workspace: Path, study: str, *, trial: RowMapping) -> None:
    attempts = ledger.trials(study, trial["cell"])
    history = read_history(workspace / each["folder"] for each in attempts)
    own = read_history([workspace / trial["folder"]])
    history.end = own.end
    verdict = _verdict_on_left(own.end, trial, ledger.cell(study, trial["cell"]))
    settled = None if verdict.retries else cell_end(trial["cell"], verdict, history)
    end = _trial_end(
        trial["cell"],
        trial["attempt"],
        verdict=verdict,
        history=own,
        micro_batch_divisor=trial["micro_batch_divisor"],
    )
    ended_at = own.last_at or trial["started_at"]  # it holds no device since then
    costs = final_costs(own.costs, ended_at - trial["started_at"])
    ledger.end_trial(study, replace(end, ended_at=ended_at, costs=costs), settled)


def _verdict_on_left(end: Event | None, trial: RowMapping, cell: RowMapping) -> Verdict:
    """Judge what an earlier coordinator left by the trial's last word, if it is its own."""
    if end is None or end.fields.get("kind") in ENDED_WITH_COORDINATOR:
        return Verdict(Outcome.LOST, KILLED_WITH_COORDINATOR, retries=True)
    return judge(
        TrialExit(
            end=end,
            exit_code=None,
            killed_because="",
            was_asked_to_stop=False,
            made_progress=True,
            earlier_faults=0,
            micro_batch_divisor=trial["micro_batch_divisor"],
            batch_size=cell["settings"]["training"]["batch_size"],
        )
    )


def _trial_end(
    cell: str,
    attempt: int,
    *,
    verdict: Verdict,
    history: CellHistory,
    micro_batch_divisor: int,
) -> TrialEnd:
    return TrialEnd(
        cell=cell,
        attempt=attempt,
        outcome=verdict.outcome,
        reason=verdict.reason,
        is_fault=verdict.is_fault,
        resumed_from_epoch=history.resumed_from_epoch,
        next_micro_batch_divisor=verdict.micro_batch_divisor or micro_batch_divisor,
        effective=history.effective,
    )
