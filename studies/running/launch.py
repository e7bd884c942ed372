"""Launch a study: lease it, compare it with what was launched before, run it, report.

Everything that can be refused is refused before a trial starts.
"""

import signal
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from data_pipeline.catalog import data_fingerprint, prepare_data
from models.catalog import MODELS
from reports.page import write as write_report
from studies.running.bookkeeping import reap
from studies.running.budget_preflight import check_budget
from studies.running.budgets import BudgetMeter
from studies.running.coordinator import Coordinator, LaunchEnd, StopRequest
from studies.running.costs import spent_by
from studies.running.data_preflight import preflight
from studies.running.devices import local_devices
from studies.running.environment import describe_environment
from studies.running.executors import EXECUTORS, Placement
from studies.running.file_lock import LockHeldError
from studies.running.forecast import forecast
from studies.running.inline_pool import InlinePool
from studies.running.lease_watch import LeaseWatch
from studies.running.memory_preflight import check_memory, planned_settings
from studies.running.prices import price_of
from studies.running.progress import View
from studies.running.rank_preflight import check_ranks
from studies.running.requests import forget_stops
from studies.running.start_preflight import START_FACT, check_starts, starting_facts
from studies.running.starting import Starts
from studies.running.uploads import UploadDesk
from studies.running.weights import drop_weights, kept_cells
from studies.running.workspace import WorkspaceFolder, open_ledger
from studies.search.importance import with_importance
from studies.search.living_tree import LivingTree, data_fingerprints
from studies.search.measured import measured_by, read_cell
from studies.search.optuna_copy import OptunaCopy
from studies.search.storage import open_storage
from studies.search.warm_start import StartOf, check_earlier_studies, search_start
from studies.spec.diff import Change, classify_changes, is_refused, render_changes
from studies.spec.load import LoadedStudy
from studies.spec.schema import StudySpec
from studies.tree.image_differences import image_differences
from studies.tree.ledger import Ledger
from studies.tree.study_record import read_study
from trackers.tracker import Tracker

UPLOAD_TIMEOUT_S = 120.0  # for the tracker to take the rest
UPLOAD_PAUSE_S = 10.0  # between looks whether it is there at all


class StudyChangedError(ValueError):
    """The study file asks something else than when the study was first launched."""

    def __init__(self, changes: list[Change], study: str) -> None:
        self.changes = changes
        super().__init__(render_changes(changes, study))


@dataclass(frozen=True, slots=True)
class LaunchResult:
    """What a launch tells its caller."""

    end: LaunchEnd
    report: Path
    is_uploaded: bool  # the tracker has everything


def launch(
    loaded: LoadedStudy,
    workspace: WorkspaceFolder,
    *,
    placement: Placement,
    tracker: Tracker,
    view: View,
) -> LaunchResult:
    """Lease a study and run it, or what is left of it.

    Args:
        loaded: The study.
        workspace: Where it is kept.
        placement: Where its trials run.
        tracker: Where facts go, besides the ledger.
        view: What is shown meanwhile.

    Raises:
        LockHeldError: another process runs the study, or took it over.
        StudyChangedError: the file asks something else than the study in the workspace.
        DataError: the data cannot be read, or too little of it.
        UnusableStartError: what a training is to start from is not there, or does not fit.
        RanksRefusedError: several processes per trial cannot train it.
        TooFewGpusError: a trial takes more GPUs than there are.
        PriceError: a limit of the budget cannot be measured.
        UnknownEarlierStudyError: a study to learn from is not in the workspace.
    """
    with workspace.lease(loaded.spec.study) as lease:
        return _launch(
            loaded,
            workspace,
            placement=placement,
            tracker=tracker,
            view=view,
            watch=LeaseWatch(lease),
        )


def _launch(
    loaded: LoadedStudy,
    workspace: WorkspaceFolder,
    *,
    placement: Placement,
    tracker: Tracker,
    view: View,
    watch: LeaseWatch,
) -> LaunchResult:
    """Run a study whose lease is held."""
    ledger = open_ledger(workspace)
    try:
        ledger.wait_for_server(view.say, watch.lease.confirm)
        forget_stops(ledger, loaded.spec.study)
        fingerprints = data_fingerprints(data_fingerprint)
        image_difference = image_differences(loaded.spec, ledger, workspace.folder)
        environment = {
            **describe_environment(),
            "data_fingerprint": fingerprints(loaded.spec.data),
        }
        check_budget(loaded.spec.budget, view, is_local=placement.executor != "ray")
        check_ranks(loaded.spec, placement)
        starts = Starts(workspace)
        environment |= starting_facts(loaded.spec, starts)
        _accept(loaded, ledger, view, environment=environment)
        check_earlier_studies(loaded.spec, ledger.study_names())
        prepare_data(loaded.spec.data)
        check_starts(loaded.spec, starts, view)
        used = preflight(loaded.spec, workspace.data_page(loaded.spec.study), view)
        _require_same_data(loaded.spec.study, ledger, used)
        ledger.save_study(
            loaded.spec.study,
            text=loaded.text,
            resolved=loaded.resolved,
            environment={**environment, **used},
        )
        if placement.executor != "ray":  # whose machines are not this one
            plan = partial(
                forecast,
                loaded.spec,
                data_fingerprint=fingerprints,
                start_fingerprint=starts.fingerprint,
                image_difference=image_difference,
            )
            planned = partial(planned_settings, plan, ledger, loaded.spec.study)
            check_memory(loaded.spec, workspace.study(loaded.spec.study), view, planned=planned)
        desk = UploadDesk(loaded.spec, ledger, workspace.folder)
        copy = OptunaCopy(lambda: open_storage(workspace.optuna_place()))
        living_tree = LivingTree(
            loaded.spec,
            ledger,
            copy=copy,
            measured=measured_by(ledger, workspace.folder, loaded.spec),
            data_fingerprint=fingerprints,
            start_fingerprint=starts.fingerprint,
            image_difference=image_difference,
            start_of=_start_of(loaded.spec, ledger, workspace),
        )
        ground = _Ground(workspace, desk, living_tree, starts, watch)
        end = _run(ground, placement=placement, tracker=tracker, view=view)
        copy.close()
        return _finish(workspace, desk, end=end, tracker=tracker, view=view)
    finally:
        ledger.close()


def _start_of(spec: StudySpec, ledger: Ledger, workspace: WorkspaceFolder) -> StartOf:
    """Return what finds out what a search may start with."""
    metric = spec.objective.metric
    measured = partial(read_cell, ledger, workspace.folder, metric=metric)
    return partial(search_start, earlier=ledger, measured=measured)


def _accept(
    loaded: LoadedStudy, ledger: Ledger, view: View, *, environment: Mapping[str, str]
) -> None:
    """Refuse a study that became another one; show what else changed."""
    earlier = ledger.study(loaded.spec.study)
    if earlier is None:
        return
    changes = classify_changes(earlier["resolved"], loaded.resolved)
    if ledger.results(loaded.spec.study):
        changes += _changed_ground(earlier["environment"], environment)
    if is_refused(changes):
        raise StudyChangedError(changes, loaded.spec.study)
    if changes:
        view.say(render_changes(changes, loaded.spec.study))


def _require_same_data(study: str, ledger: Ledger, used: Mapping[str, str]) -> None:
    """Refuse to go on with other images than the trials so far had.

    Files that broke or were mended since are not seen by the data's fingerprint, and cells
    trained and scored with and without them cannot be compared.
    """
    earlier = ledger.study(study)
    if earlier is None or not ledger.trials(study):
        return
    before = earlier["environment"]
    if before.get("data_used", used.get("data_used")) != used.get("data_used"):
        change = Change(
            "(images left out)", before["data_left_out"], used["data_left_out"], "refused"
        )
        raise StudyChangedError([change], study)


def _changed_ground(before: Mapping[str, str], now: Mapping[str, str]) -> list[Change]:
    """Return what is not in the file and yet makes every measured cell another one."""
    return [
        Change(f"({fact.replace('_', ' ')})", before.get(fact), now.get(fact), "refused")
        for fact in ("data_fingerprint", "numerics")
        if before.get(fact) != now.get(fact)
    ] + [
        Change(f"({fact})", before[fact], now[fact], "refused")
        for fact in now
        if fact.startswith(START_FACT) and before.get(fact, now[fact]) != now[fact]
    ]


@dataclass(frozen=True, slots=True)
class _Ground:
    """What a launch runs on."""

    workspace: WorkspaceFolder
    desk: UploadDesk
    living_tree: LivingTree
    starts: Starts
    watch: LeaseWatch


def _run(ground: _Ground, *, placement: Placement, tracker: Tracker, view: View) -> LaunchEnd:
    workspace, desk = ground.workspace, ground.desk
    spec, ledger = desk.spec, desk.ledger
    started_at = time.monotonic()
    _resume(ledger, workspace, spec.study, view=view)
    needs_torch = MODELS[spec.model.name].builder is not None
    pool = EXECUTORS[placement.executor](placement, needs_torch, view.say)
    end = LaunchEnd(False, "the launch itself failed")
    is_ours = True
    try:
        with _stop_on_signals() as stop:
            coordinator = Coordinator(
                spec=spec,
                ledger=ledger,
                workspace=workspace.folder,
                pool=pool,
                tracker=tracker,
                view=view,
                living_tree=ground.living_tree,
                meter=_meter(spec, ledger, started_at=started_at),
                stop=stop,
                desk=desk,
                starts=ground.starts,
                watch=ground.watch,
            )
            if isinstance(pool, InlinePool):
                pool.give_turns(coordinator.turn)
            end = coordinator.run()
    except LockHeldError:
        is_ours = False  # another process took the study over: the ledger is its to write
        raise
    finally:
        pool.close()
        if is_ours:
            ledger.end_launch(spec.study, is_finished=end.is_finished, note=end.note)
    return end


def _resume(ledger: Ledger, workspace: WorkspaceFolder, study: str, *, view: View) -> None:
    """Take up what an earlier launch left."""
    if count := reap(ledger, workspace.folder, study):
        view.say(f"{count} trials of a coordinator that was killed are taken up again")
    if count := ledger.reopen_unfinished(study):
        view.say(f"{count} cells that failed, were lost or stopped are tried again")


def _meter(spec: StudySpec, ledger: Ledger, *, started_at: float) -> BudgetMeter:
    """Count what earlier launches used."""
    row = ledger.study(spec.study)
    price = price_of(local_devices()[0], spec.budget)
    return BudgetMeter(
        budget=spec.budget.study,
        ended=spent_by(ledger.trials(spec.study)),
        earlier_wall_s=row["wall_s"] if row is not None else 0.0,
        started_at=started_at,
        currency="" if price is None else price.currency,
    )


@contextmanager
def _stop_on_signals() -> Iterator[StopRequest]:
    """Turn SIGINT and SIGTERM into requests to stop, as long as the study runs."""
    stop = StopRequest()
    reasons = {signal.SIGINT: "interrupted (Ctrl-C)", signal.SIGTERM: "terminated (SIGTERM)"}
    previous = {
        number: signal.signal(number, lambda *_, reason=reason: stop.ask(reason))
        for number, reason in reasons.items()
    }
    try:
        yield stop
    finally:
        for number, handler in previous.items():
            signal.signal(number, handler)


def _finish(
    workspace: WorkspaceFolder,
    desk: UploadDesk,
    *,
    end: LaunchEnd,
    tracker: Tracker,
    view: View,
) -> LaunchResult:
    """Keep the weights that were asked for, write the report, and wait for the tracker."""
    spec = desk.spec
    record = read_study(desk.ledger, workspace.folder, spec.study)
    if end.is_finished:
        for cell in sorted(kept_cells(spec, record)):
            tracker.cell(spec.study, desk.snapshot(cell, with_weights=True))
    report = workspace.report(spec.study)
    # The tracker's thread may be importing pandas just now; Plotly would meet it half-made.
    import pandas  # noqa: F401

    write_report(with_importance(record), report)
    tracker.study(record, report=report)
    is_uploaded = _wait_for_uploads(tracker, view)
    if end.is_finished:
        drop_weights(spec, desk.ledger, workspace.folder, record=record)
    return LaunchResult(end, report, is_uploaded)


def _wait_for_uploads(tracker: Tracker, view: View) -> bool:
    """Wait for a tracker that is still taking uploads, but not for one that is away."""
    view.say("waiting for MLflow to take the rest")
    deadline = time.monotonic() + UPLOAD_TIMEOUT_S
    while time.monotonic() < deadline:
        asked_at = time.monotonic()
        if tracker.drain(UPLOAD_PAUSE_S):
            return True
        is_refused = time.monotonic() - asked_at < UPLOAD_PAUSE_S / 2  # drain waits no further
        if tracker.is_away or is_refused:
            break
    return False
