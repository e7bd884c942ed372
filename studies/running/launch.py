"""Launch a study: lease it, compare it with what was launched before, run it, report.

Everything that can be refused is refused before a trial starts.
"""

import time
import traceback
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path

from data_pipeline.catalog import data_fingerprint, prepare_data
from models.catalog import MODELS
from reports.page import write as write_report
from studies.running.bookkeeping import reap
from studies.running.budget_preflight import check_budget
from studies.running.budgets import BudgetMeter
from studies.running.cited_results import cited_results
from studies.running.coordinator import Coordinator, LaunchEnd
from studies.running.costs import spent_by
from studies.running.data_preflight import preflight
from studies.running.devices import local_devices
from studies.running.environment import describe_environment
from studies.running.executors import EXECUTORS, Placement
from studies.running.file_lock import LockHeldError
from studies.running.fold_preflight import check_folds
from studies.running.forecast import Forecast, forecast
from studies.running.idle_slots import idle_warnings
from studies.running.inline_pool import InlinePool
from studies.running.lease_watch import LeaseWatch
from studies.running.memory_preflight import check_memory, planned_settings
from studies.running.prices import price_of
from studies.running.progress import View
from studies.running.rank_preflight import check_ranks
from studies.running.report_records import for_report
from studies.running.requests import forget_stops
from studies.running.same_study import accept_changes, require_same_data
from studies.running.start_preflight import check_starts, starting_facts
from studies.running.starting import Starts
from studies.running.stopping import stop_on_signals
from studies.running.uploads import UploadDesk
from studies.running.weights import drop_weights, kept_cells
from studies.running.workspace import WorkspaceFolder, open_ledger
from studies.search.living_tree import LivingTree, data_fingerprints
from studies.search.measured import measured_by, read_cell
from studies.search.optuna_copy import OptunaCopy
from studies.search.storage import open_storage
from studies.search.warm_start import StartOf, check_earlier_studies, search_start
from studies.spec.load import LoadedStudy
from studies.spec.schema import StudySpec
from studies.tree.cited_files import keep_cited
from studies.tree.image_differences import image_differences
from studies.tree.ledger import Ledger
from studies.tree.sources import Sources
from studies.tree.study_record import read_study, with_runs
from trackers.records import StudyRecord
from trackers.tracker import Tracker

UPLOAD_TIMEOUT_S = 120.0  # for the tracker to take the rest
UPLOAD_PAUSE_S = 10.0  # between looks whether it is there at all


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
        starts = Starts(workspace)
        sources = Sources(
            fingerprints,
            starts.fingerprint,
            image_differences(loaded.spec, ledger, workspace.folder),
        )
        check = _Checks(loaded, workspace, ledger, placement, view)
        check.before_data(starts, data_fingerprint=fingerprints(loaded.spec.data))
        check.data()
        check.memory(partial(forecast, loaded.spec, sources=sources))
        desk = UploadDesk(loaded.spec, ledger, workspace.folder)
        copy = OptunaCopy(lambda: open_storage(workspace.optuna_place()))
        living_tree = LivingTree(
            loaded.spec,
            ledger,
            copy=copy,
            sources=sources,
            measured=measured_by(ledger, workspace.folder, loaded.spec),
            start_of=_start_of(loaded.spec, ledger, workspace),
        )
        ground = _Ground(workspace, desk, living_tree, starts, watch)
        end = _run(ground, placement=placement, tracker=tracker, view=view)
        copy.close()
        return _finish(workspace, desk, end=end, tracker=tracker, view=view)
    finally:
        ledger.close()


@dataclass(frozen=True, slots=True)
class _Checks:
    """Everything that can be refused before a trial starts; the first that is wrong ends it."""

    loaded: LoadedStudy
    workspace: WorkspaceFolder
    ledger: Ledger
    placement: Placement
    view: View
    environment: dict[str, str] = field(default_factory=describe_environment)

    def before_data(self, starts: Starts, *, data_fingerprint: str) -> None:
        """Check what needs no look at pictures."""
        spec = self.loaded.spec
        check_budget(spec.budget, self.view, is_local=self.placement.executor != "ray")
        check_ranks(spec, self.placement)
        for warning in idle_warnings(spec, self.placement):
            self.view.say(warning)
        self.environment["data_fingerprint"] = data_fingerprint
        self.environment.update(starting_facts(spec, starts))
        accept_changes(self.loaded, self.ledger, self.view, environment=self.environment)
        check_earlier_studies(spec, self.ledger.study_names())
        prepare_data(spec.data)
        check_starts(spec, starts, self.view)

    def data(self) -> None:
        """Look at the data, and write down what the study begins with."""
        spec = self.loaded.spec
        used = preflight(spec, self.workspace.data_page(spec.study), self.view)
        for warning in check_folds(spec):
            self.view.say(warning)
        require_same_data(spec.study, self.ledger, used)
        self.ledger.save_study(
            spec.study,
            text=self.loaded.text,
            resolved=self.loaded.resolved,
            environment={**self.environment, **used},
        )
        keep_cited(self.workspace.study(spec.study), self.loaded.cited_files)

    def memory(self, plan: Callable[..., Forecast]) -> None:
        """Probe which cells fit the device, unless it is another machine's."""
        spec = self.loaded.spec
        if self.placement.executor == "ray":
            return
        planned = partial(planned_settings, plan, self.ledger, spec.study)
        check_memory(spec, self.workspace.study(spec.study), self.view, planned=planned)


def _start_of(spec: StudySpec, ledger: Ledger, workspace: WorkspaceFolder) -> StartOf:
    """Return what finds out what a search may start with."""
    metric = spec.objective.metric
    measured = partial(read_cell, ledger, workspace.folder, metric=metric)
    return partial(search_start, earlier=ledger, measured=measured)


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
        with stop_on_signals() as stop:
            ledger.wait_for_server(
                view.say, ground.watch.lease.confirm, gives_up=lambda: stop.is_by_signal
            )
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
    record = read_study(desk.ledger, workspace.folder, spec.study, keep_epochs=True)
    if end.is_finished:
        for cell in sorted(kept_cells(spec, record)):
            tracker.cell(spec.study, desk.snapshot(cell, with_weights=True))
    report = workspace.report(spec.study)
    # The tracker's thread may be importing pandas just now; Plotly would meet it half-made.
    import pandas  # noqa: F401

    is_written = _written(record, report, view)
    tracker.study(record, report=report if is_written else None, cited=cited_results(record))
    is_uploaded = _wait_for_uploads(tracker, view)
    cells = with_runs(record.cells, workspace.study(spec.study))
    if is_written and cells != record.cells:  # made meanwhile, which the report is to link to
        _written(replace(record, cells=cells), report, view)
    if end.is_finished:
        drop_weights(spec, desk.ledger, workspace.folder, record=record)
    return LaunchResult(end, report, is_uploaded)


def _written(record: StudyRecord, report: Path, view: View) -> bool:
    """Write the report; a defect in it costs nothing of what was trained, nor its upload."""
    try:
        write_report(for_report(record), report)
    except Exception:  # noqa: BLE001
        view.say(
            f"the report could not be written; everything else is kept. `visionstudy report "
            f"{record.name}` tries again\n{traceback.format_exc()}"
        )
        return False
    return True


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
