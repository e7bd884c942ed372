"""The one process that owns a study's state while it runs.

    grow the tree ─► start trials in free slots ─► wait for what they write and how they end
          ▲                                                     │
          └──────── write it into the ledger, tell the tracker ◄┘

It may be killed at any point: what was written down is enough to go on from.
"""

import math
import time
from collections import Counter
from dataclasses import dataclass, field, replace
from pathlib import Path

from studies.running.agenda import Agenda
from studies.running.assembly_desk import AssemblyDesk
from studies.running.assembly_uploads import assembly_name, assembly_upload
from studies.running.bookkeeping import record_exit
from studies.running.budgets import BudgetMeter
from studies.running.eviction import LOCK_FILE, evict
from studies.running.failure_policy import Verdict
from studies.running.lease_watch import LeaseWatch
from studies.running.orders import training_order
from studies.running.output_log import clean_output
from studies.running.pool import Asked, CutOff, Exited, Pool, Progressed, Signal
from studies.running.prices import price_of
from studies.running.progress import RunningRow, View
from studies.running.requests import RequestDesk
from studies.running.running_trial import RunningTrial
from studies.running.snapshots import snapshot
from studies.running.starting import Starts
from studies.running.stopping import StopRequest
from studies.running.trial_order import Slot, TrialOrder
from studies.running.uploads import UploadDesk
from studies.running.winner_scoring import WinnerDesk
from studies.search.living_tree import LivingTree
from studies.spec.budget_schema import duration_s
from studies.spec.schema import StudySpec
from studies.tree.assembly_records import assembly_records
from studies.tree.cell_history import CellHistory
from studies.tree.ledger import Ledger
from trackers.records import Outcome
from trackers.tracker import Tracker

WAIT_S = 0.2
ABSENCE_S = 5.0  # a longer turn of the loop means that this process was suspended
UPLOAD_EVERY_S = 2.0  # of a trial that runs; its end is uploaded in any case
STOP_GRACE_S = 60.0  # a trial that does not stop when asked is killed
SAME_FAILURES = 3  # so many cells failing alike end the study


@dataclass(frozen=True, slots=True)
class LaunchEnd:
    """How a launch ended."""

    is_finished: bool
    note: str  # why it is not finished


@dataclass(slots=True)
class Coordinator:
    """Runs a study to its end, or until something stops it."""

    spec: StudySpec
    ledger: Ledger
    workspace: Path
    pool: Pool
    tracker: Tracker
    view: View
    living_tree: LivingTree
    meter: BudgetMeter
    stop: StopRequest
    desk: UploadDesk
    starts: Starts
    watch: LeaseWatch
    stop_grace_s: float = STOP_GRACE_S
    _running: dict[str, RunningTrial] = field(default_factory=dict)
    _failures: Counter[str] = field(default_factory=Counter)
    _warned: set[str] = field(default_factory=set)  # topics that were said
    _is_stopping: bool = False
    _looked_at: float = field(default_factory=time.monotonic)
    _shown_at: float = -math.inf
    _agenda: Agenda = field(init=False)
    _winner_desk: WinnerDesk = field(init=False)
    _assembly_desk: AssemblyDesk = field(init=False)
    _request_desk: RequestDesk = field(init=False)

    def __post_init__(self) -> None:
        self._agenda = Agenda(
            self.spec, self.ledger, self.workspace, self.living_tree, self.desk, self._upload
        )
        self._winner_desk = WinnerDesk(self.spec, self.ledger, self.workspace)
        self._assembly_desk = AssemblyDesk(self.spec, self.ledger, self.workspace)
        self._request_desk = RequestDesk(self.ledger, self.spec.study)

    def run(self) -> LaunchEnd:
        """Run until nothing is left to do, or a stop was asked for."""
        self._take_requests()  # what was asked while the launch before this one ended
        self._grow()
        self._upload_assemblies()
        self._enforce_limits()  # what earlier launches used up
        while True:
            self._start_trials()
            is_idle = not self._running and (self.stop.is_made or not self._has_work())
            if is_idle and not self._take_requests():
                break  # else: all slots are others' as yet
            self.turn(self.pool.wait(WAIT_S))
        self._save_wall_time()
        return self._end()

    def turn(self, signals: list[Signal]) -> None:
        """Take in what trials said, and see that nobody goes beyond a limit."""
        self.watch.look()
        for signal in signals:
            self._take_in(signal)
        if self._request_desk.is_due():
            self._take_requests()
        self._forgive_absence()
        self._enforce_limits()
        if (wall_s := self.meter.to_save()) is not None:
            self.ledger.save_wall_time(self.spec.study, wall_s)
        self._show()

    def _take_requests(self) -> bool:
        """Do what another process asked for by the ledger; say whether cells are open again."""
        asked = self._request_desk.take()
        if asked.kills:
            self.stop.kill("asked by visionstudy stop")
        elif asked.stops:
            self.stop.ask("asked by visionstudy stop")
        if asked.reopened:
            self.view.say(f"{len(asked.reopened)} cells are tried again, as was asked")
            self._failures.clear()
            self._grow()
        return bool(asked.reopened)

    def _forgive_absence(self) -> None:
        """Hold the time this process itself was suspended against no trial."""
        now = time.monotonic()
        away_s = now - self._looked_at - ABSENCE_S
        self._looked_at = now
        if away_s > 0:
            for trial in self._running.values():
                trial.moved_at += away_s + ABSENCE_S

    def _save_wall_time(self) -> None:
        """Write down the time used so far: a killed coordinator must not give it back."""
        wall_s = self.meter.wall_s()
        self.ledger.save_wall_time(self.spec.study, wall_s)

    def _grow(self) -> None:
        """Grow the tree from all that the ledger holds."""
        self._agenda.begin(self._running.keys())
        self._assembly_desk.follow(self._agenda.tree)

    def _start_trials(self) -> None:
        while not self.stop.is_made and self._has_work():
            slot = self.pool.take(max(1, self._agenda.waiting))
            if slot is None:
                return
            order, history = self._next_order(slot)
            order = replace(order, price=price_of(slot.device, self.spec.budget))
            self._running[order.cell] = RunningTrial(
                order, slot, self._row(order, slot.place), history
            )
            self.pool.start(order, slot)

    def _has_work(self) -> bool:
        return bool(
            self._agenda.waiting
            or self._winner_desk.may_start(self._agenda.tree)
            or self._assembly_desk.may_start()
        )

    def _next_order(self, slot: Slot) -> tuple[TrialOrder, CellHistory]:
        """Train what waits; then score the winners; then what they are put together."""
        if self._agenda.waiting:
            planned = self._agenda.take()
            start = self.starts.find(planned.settings)
            order, history = training_order(
                self.spec,
                self.ledger,
                self.workspace,
                cell=planned.id,
                slot=slot,
                start=start,
            )
            awaited = replace(
                order,
                awaits_verdict=self.living_tree.awaits_verdict(planned.id),
                awaits_last_verdict=self.living_tree.awaits_last_verdict(planned.id),
            )
            return awaited, history
        if self._winner_desk.may_start(self._agenda.tree):
            return self._winner_desk.next_order(), CellHistory()
        return self._assembly_desk.next_order(slot), CellHistory()

    def _row(self, order: TrialOrder, device: str) -> RunningRow:
        if order.purpose == "assembly":
            return RunningRow(order.cell, assembly_name(order.seed), order.attempt, device, 0)
        name = self.desk.name(order.cell)
        label = f"test split: {name}" if order.purpose == "test" else name
        epochs = order.settings["training"]["epochs"] if order.purpose == "train" else 0
        return RunningRow(order.cell, label, order.attempt, device, epochs)

    def _take_in(self, signal: Signal) -> None:
        trial = self._running.get(signal.cell)
        if trial is None:
            return  # it was cut off, and left to its machine
        if isinstance(signal, CutOff):
            self._note_cut_off(trial, signal.holder)
            return
        if isinstance(signal, Progressed):
            trial.moved_at = time.monotonic()
            trial.row.step, trial.row.steps = signal.step, signal.steps
            return
        epochs = trial.read()
        self._say_warnings(trial)
        if isinstance(signal, Exited):
            self._take_in_exit(trial, signal)
            return
        if isinstance(signal, Asked):
            verdict = self.living_tree.verdict(signal.cell, trial.curve(signal.epoch))
            self.pool.answer(signal.cell, verdict)
            trial.is_pruned = verdict is not None
        if epochs and time.monotonic() - trial.uploaded_at >= UPLOAD_EVERY_S:
            trial.uploaded_at = time.monotonic()
            self._upload(signal.cell, trial.history)

    def _note_cut_off(self, trial: RunningTrial, holder: str) -> None:
        trial.is_cut_off = True
        self.view.say(
            f"{self.desk.name(trial.order.cell)}: its machine cannot be reached and may still run "
            f"it: {holder} holds its folder. It goes on when that is free; if the machine is "
            f"gone, delete {trial.order.folder / LOCK_FILE}"
        )

    def _leave(self, trial: RunningTrial) -> None:
        """End without a trial that is cut off; the next launch takes it up when it is over."""
        del self._running[trial.order.cell]
        self.meter.ended.add(trial.spent())
        self.view.say(f"{self.desk.name(trial.order.cell)}: left to its machine")

    def _take_in_exit(self, trial: RunningTrial, signal: Exited) -> None:
        evict(trial.order.folder)  # a dead fork server makes living trials look dead
        clean_output(trial.order.folder)
        trial.read()
        self._say_warnings(trial)
        del self._running[signal.cell]
        self.meter.ended.add(trial.spent())
        self._save_wall_time()
        if trial.order.purpose == "test":
            self.view.say(self._winner_desk.record_exit(trial, signal.exit_code))
            return
        if trial.order.purpose == "assembly":
            self.view.say(self._assembly_desk.record_exit(trial, signal.exit_code))
            self._upload_assemblies()
            return
        verdict = record_exit(self.ledger, self.spec.study, trial, exit_code=signal.exit_code)
        self._announce(trial, verdict)
        self._upload(signal.cell, trial.history)
        self._react(verdict)
        if self.stop.is_made:
            return  # a cell that was stopped has not ended: nothing follows from it
        if verdict.retries:
            self._agenda.again(signal.cell)
        elif self._agenda.settle(signal.cell, self._running.keys()):
            self._assembly_desk.follow(self._agenda.tree)

    def _react(self, verdict: Verdict) -> None:
        if verdict.stops_study:
            self.stop.ask(verdict.reason)
        if verdict.outcome is Outcome.FAILED:
            self._failures[verdict.signature] += 1
            if self._failures[verdict.signature] >= SAME_FAILURES:
                self.stop.ask(f"{SAME_FAILURES} cells failed alike: {verdict.reason}")

    def _announce(self, trial: RunningTrial, verdict: Verdict) -> None:
        text = f"{self.desk.name(trial.order.cell)}: {verdict.outcome}"
        if verdict.outcome is Outcome.COMPLETE and trial.history.end is not None:
            metric = self.spec.objective.metric
            text += f", {metric} {trial.history.end.fields['metrics'][metric]:.4f}"
        if verdict.reason:
            text += f" ({verdict.reason})"
        if verdict.retries:
            text += "; it is tried again"
        self.view.say(text)
        if verdict.outcome is Outcome.FAILED and trial.history.end is not None:
            self.view.say(str(trial.history.end.fields.get("traceback", "")))

    def _say_warnings(self, trial: RunningTrial) -> None:
        """Say what a trial warns of, once per launch however many trials do."""
        for topic in trial.warnings.keys() - self._warned:
            self._warned.add(topic)
            self.view.say(f"warning: {trial.row.label}: {trial.warnings[topic]}")

    def _upload(self, cell: str, history: CellHistory | None = None) -> None:
        with_weights = self.spec.weights == "all"
        upload = self.desk.snapshot(cell, history=history, with_weights=with_weights)
        self.tracker.cell(self.spec.study, upload)

    def _upload_assemblies(self) -> None:
        for record in assembly_records(self.ledger, self.workspace, self.spec):
            upload = assembly_upload(record, self.workspace, task=self.spec.task)
            self.tracker.cell(self.spec.study, upload)

    def _enforce_limits(self) -> None:
        running = [trial.spent() for trial in self._running.values()]
        is_left = bool(self._agenda.waiting) or any(
            trial.trains_on for trial in self._running.values()
        )
        limit = self.meter.exceeded(running, is_training_left=is_left)
        if limit and not self.stop.is_made:
            self.stop.ask(limit)
        if self.stop.is_made and not self._is_stopping:
            self._is_stopping = True
            self.view.say(
                f"stopping: {self.stop.reason}; {len(self._running)} trials write checkpoints "
                "(Ctrl-C twice, or visionstudy stop --now, kills them)"
            )
        for trial in list(self._running.values()):
            if not trial.is_cut_off:  # nothing that is asked of such a one arrives
                self._enforce_limits_of(trial)
            elif self.stop.is_made:
                self._leave(trial)

    def _enforce_limits_of(self, trial: RunningTrial) -> None:
        silence_s = duration_s(self.spec.budget.per_trial.silence)
        time_limit_s = trial.order.limits.seconds
        if self.stop.is_made and trial.stop_asked_at is None:
            trial.stop_asked_at = time.monotonic()
            self.pool.stop(trial.order.cell)
        elif self.stop.kills:
            self._kill(trial, "killed, as was asked")
        elif trial.stop_asked_at is not None:
            if time.monotonic() - trial.stop_asked_at > self.stop_grace_s:
                self._kill(trial, f"did not stop within {self.stop_grace_s:g} s, killed")
        elif trial.silent_s() > silence_s:
            limit = self.spec.budget.per_trial.silence
            self._kill(trial, f"hung: no step for {limit} (budget.per_trial.silence), killed")
        elif time_limit_s is not None and trial.trained_s() > time_limit_s + silence_s:
            limit = str(self.spec.budget.per_trial.time)
            self._kill(trial, f"went on after its {limit} (budget.per_trial.time), killed")

    def _kill(self, trial: RunningTrial, reason: str) -> None:
        if not trial.killed_because:
            trial.killed_because = reason
            self.pool.kill(trial.order.cell)

    def _show(self) -> None:
        if time.monotonic() - self._shown_at < WAIT_S:
            return
        self._shown_at = time.monotonic()
        rows = tuple(trial.row for trial in self._running.values())
        self.view.update(
            snapshot(self._agenda.tree, self._agenda.tally, running=rows, meter=self.meter)
        )

    def _end(self) -> LaunchEnd:
        if self.stop.is_made:
            return LaunchEnd(False, self.stop.reason)
        if blocked := self._agenda.tree.blocked:
            note = f"stage '{blocked.stage.name}' has no complete cell to choose a winner from"
            return LaunchEnd(False, note)
        failed = self._winner_desk.failed()
        if failed:
            return LaunchEnd(False, f"the test split could not be scored: {failed}")
        if failed := self._assembly_desk.failed():
            return LaunchEnd(False, f"the networks could not be put together: {failed}")
        return LaunchEnd(True, "")
