"""Store runs in MLflow so that doing it again, after whatever went wrong, changes nothing.

MLflow itself is the only memory of what is stored: a run that holds all of a settled cell has its
stamp as a tag, and is left alone; any other run is found by its tag before it is created,
and says with the last value of its metric `epoch` which epochs it has. MLflow writes the metrics
of one batch in one transaction, and drops a point that it has (same name, step, time and value).
An epoch that a crash between two batches has cut is thus sent again whole, and completed.
"""

import re
import sqlite3
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import MappingProxyType

import requests
from mlflow import MlflowClient
from mlflow.entities import Metric, Param, Run, RunTag
from mlflow.exceptions import MlflowException
from sqlalchemy.exc import SQLAlchemyError

from trackers.mlflow_files import FILES_TAG, store_files, store_weights
from trackers.mlflow_server import run_url
from trackers.mlflow_story import tell
from trackers.records import StudyRecord
from trackers.run_facts import (
    BASELINE,
    EPOCH,
    SUMMARY_RUN,
    TAG,
    RunFacts,
    cell_facts,
    cell_files,
    cited_facts,
    cited_stamp,
    files_stamp,
    report_stamp,
    study_facts,
    study_files,
    upload_stamp,
)
from trackers.run_register import RunRegister
from trackers.study_story import Story, story_of
from trackers.tracker import CellUpload, CitedResult
from trackers.upload_queue import StoreUnavailableError, UploadError, UploadRefusedError

HTTP_BAD_REQUEST = 400
STORED_TAG = f"{TAG}stored"  # the stamp of the settled cell that a run holds whole
WITH_WEIGHTS = " with weights"
RUNS_PER_PAGE = 1000
MOST_IN_A_BATCH = 1000  # points, params and tags together, as MLflow cuts them
MOST_OF_A_KIND = 100  # params or tags in a batch
NO_MARKS: Mapping[str, str] = MappingProxyType({})


class MlflowStore:
    """Brings MLflow up to date with a snapshot; every method may take long and be repeated."""

    def __init__(
        self,
        client: MlflowClient,
        artifact_root: Path | str | None,
        register: RunRegister | None = None,
    ) -> None:
        """Store through a client.

        Args:
            client: of a server or database.
            artifact_root: folder of the artifacts, or an address s3://bucket/prefix; None: the
                server decides.
            register: notes where the runs of cells are; None: nothing does.
        """
        self._client = client
        self._register = register
        self._artifact_root = artifact_root
        self._experiments: dict[str, str] = {}  # study -> id, until something goes wrong with it
        # study -> cell -> stamp, as it was found; "" where a run may have been made since
        self._stored: dict[str, dict[str, str]] = {}
        self._stories: dict[str, tuple[StudyRecord, Story]] = {}  # as they were told last

    def store_study(
        self, study: StudyRecord, *, report: Path | None, cited: Sequence[CitedResult] = ()
    ) -> None:
        """Store a study's experiment, its summary run with the report, what it cites, its story.

        Raises:
            StoreUnavailableError: MLflow is away.
            UploadRefusedError: MLflow, or we, will never take this.
        """
        facts = study_facts(study)

        def store(experiment: str) -> None:
            run = self._run(experiment, "kind", SUMMARY_RUN, facts=facts)
            self._log(run, facts)
            stamp = report_stamp(study, report=report)
            store_files(self._client, run, study_files(study, report=report), stamp=stamp)
            self._client.set_tag(run.info.run_id, FILES_TAG, stamp)
            self._store_cited(experiment, study, cited)
            self._stories[study.name] = study, story_of(study)
            self._tell(experiment, study.name)

        self._in_experiment(study.name, store)

    def store_cell(self, study: str, upload: CellUpload) -> None:
        """Store a cell's run, and with its outcome its files.

        Raises:
            StoreUnavailableError: MLflow is away.
            UploadRefusedError: MLflow, or we, will never take this.
        """
        facts = cell_facts(study, upload)
        cell = upload.cell.id
        is_settled = upload.cell.outcome is not None
        stamp = upload_stamp(facts, upload) if is_settled else ""

        def store(experiment: str) -> None:
            stamps = self._stamps(study, experiment)
            if is_settled and _holds(stamps.get(cell, ""), stamp, upload):
                return
            is_new = cell not in stamps
            stamps[cell] = ""
            run = (
                self._create_run(experiment, facts)
                if is_new
                else self._run(experiment, "cell", cell, facts=facts)
            )
            self._note(study, cell, run)
            if is_settled:
                self._store_whole(run, upload, facts=facts, stamp=stamp)
            else:
                self._log(run, facts)
            if study in self._stories and cell in self._stories[study][1].marks:
                self._tell(experiment, study)  # it came after the study, which was told without it

        self._in_experiment(study, store)

    def _store_whole(self, run: Run, upload: CellUpload, *, facts: RunFacts, stamp: str) -> None:
        """Store a settled cell, and mark its run as holding all of it, in this order."""
        files = files_stamp(upload)
        try:
            store_files(self._client, run, cell_files(upload), stamp=files)
            store_weights(self._client, run, upload, facts=facts)
        except UploadRefusedError:  # a file is gone; what it scored is stored all the same
            self._log(run, facts)
            raise
        whole = stamp + (WITH_WEIGHTS if upload.weights is not None else "")
        self._log(run, facts, marks={FILES_TAG: files, STORED_TAG: whole})

    def _in_experiment(self, study: str, store: Callable[[str], None]) -> None:
        """Store something in a study's experiment, which is looked up once while all goes well.

        A person may delete an experiment while it is stored into: what fails in one that was
        looked up before is tried again in the one that is there now.
        """
        is_known = study in self._experiments
        try:
            with as_upload_errors():
                store(self._experiments.get(study) or self._experiment(study))
        except UploadError as error:
            self._experiments.pop(study, None)
            if not is_known or isinstance(error, StoreUnavailableError):
                raise  # the queue comes again
            self._in_experiment(study, store)

    def _tell(self, experiment: str, study: str) -> None:
        record, story = self._stories[study]
        tell(self._client, self._client.get_experiment(experiment), story, record)

    def _store_cited(
        self, experiment: str, study: StudyRecord, cited: Sequence[CitedResult]
    ) -> None:
        """Store the runs of cited numbers, and delete those that are not cited like that any more.

        A run is never changed: of two values at one time, MLflow shows the larger one.
        """
        wanted = {cited_stamp(facts): facts for facts in (cited_facts(study, c) for c in cited)}
        kind = f"tags.`{TAG}kind` = '{BASELINE}'"
        for run in self._client.search_runs([experiment], kind, max_results=RUNS_PER_PAGE):
            if wanted.pop(run.data.tags.get(STORED_TAG, ""), None) is None:
                self._client.delete_run(run.info.run_id)
        for stamp, facts in wanted.items():
            run = self._run(experiment, BASELINE, facts.tags[f"{TAG}{BASELINE}"], facts=facts)
            self._log(run, facts)
            self._client.set_tag(run.info.run_id, STORED_TAG, stamp)

    def _stamps(self, study: str, experiment: str) -> dict[str, str]:
        """Return the stamps of a study's runs, as they were when first asked for, or changed."""
        if study not in self._stored:
            self._stored[study] = self._read_stamps(study, experiment)
        return self._stored[study]

    def _read_stamps(self, study: str, experiment: str) -> dict[str, str]:
        """Read every run's; "" for a cell with two runs, of which one must go."""
        found: dict[str, str] = {}
        token = None
        while True:
            page = self._client.search_runs(
                [experiment], max_results=RUNS_PER_PAGE, page_token=token
            )
            for run in page:
                tags = run.data.tags
                if cell := tags.get(f"{TAG}cell"):
                    found[cell] = "" if cell in found else tags.get(STORED_TAG, "")
                    self._note(study, cell, run)
            token = page.token
            if not token:
                return found

    def _note(self, study: str, cell: str, run: Run) -> None:
        """Keep where the cell's run is, for reports."""
        if self._register is not None:
            path = run_url("", run.info.experiment_id, run.info.run_id)
            self._register.note(study, cell, path)

    def _experiment(self, study: str) -> str:
        """Return the id of the study's experiment, which is created, or taken from the bin."""
        found = self._client.get_experiment_by_name(study)
        if found is None:
            root = self._artifact_root
            location = None if root is None else location_of(root, study)
            try:
                self._client.create_experiment(study, location, tags={f"{TAG}study": study})
            except MlflowException as error:
                if error.error_code != "RESOURCE_ALREADY_EXISTS":  # another process was first
                    raise
            found = self._client.get_experiment_by_name(study)
        if found is None:
            raise StoreUnavailableError(f"experiment {study!r} was created and is not there")
        if isinstance(self._artifact_root, str) and found.artifact_location != location_of(
            self._artifact_root, study
        ):
            raise UploadRefusedError(
                f"the artifacts of study {study!r} are kept at {found.artifact_location}, which "
                f"cannot become {self._artifact_root}; leave --artifacts out, or launch with "
                "--as NEW_NAME"
            )
        if found.lifecycle_stage == "deleted":
            self._client.restore_experiment(found.experiment_id)
        self._experiments[study] = str(found.experiment_id)
        return self._experiments[study]

    def _run(self, experiment: str, tag: str, value: str, *, facts: RunFacts) -> Run:
        """Return the one run with a tag, which is created if there is none."""
        runs = self._client.search_runs([experiment], f"tags.`{TAG}{tag}` = '{value}'")
        if not runs:
            return self._create_run(experiment, facts)
        # A server that is slow, and not dead, may create the run of an attempt given up on after
        # the next attempt's.
        kept, *doubles = sorted(runs, key=lambda each: (-_epochs_in(each), each.info.run_id))
        for double in doubles:
            self._client.delete_run(double.info.run_id)
        return kept

    def _create_run(self, experiment: str, facts: RunFacts) -> Run:
        return self._client.create_run(experiment, facts.started_ms, dict(facts.tags), facts.name)

    def _log(self, run: Run, facts: RunFacts, *, marks: Mapping[str, str] = NO_MARKS) -> None:
        """Write the run's status and what it lacks, and last the marks that say so."""
        run_id = run.info.run_id
        metrics = _missing_metrics(run, facts)
        params, tags = _missing_params(run, facts), _changed_tags(run, facts.tags)
        last = _changed_tags(run, marks)
        ended_ms = facts.ended_ms or run.info.end_time
        if (facts.status, ended_ms) != (run.info.status, run.info.end_time):
            if facts.status == "RUNNING":
                self._client.update_run(run_id, facts.status)
            else:
                self._client.set_terminated(run_id, facts.status, ended_ms)
        if _is_one_batch(metrics, params, [*tags, *last]):
            tags, last = [*tags, *last], []
        self._client.log_batch(run_id, metrics, params, tags, synchronous=True)
        self._client.log_batch(run_id, tags=last, synchronous=True)  # of nothing it does nothing


def _is_one_batch(
    metrics: Sequence[Metric], params: Sequence[Param], tags: Sequence[RunTag]
) -> bool:
    """Whether MLflow writes all of this in one batch, of which it writes the tags last."""
    return (
        len(metrics) + len(params) + len(tags) <= MOST_IN_A_BATCH
        and max(len(params), len(tags)) <= MOST_OF_A_KIND
    )


def _holds(held: str, stamp: str, upload: CellUpload) -> bool:
    """Whether a run with one stamp holds all of a settled cell, and its weights if it has any."""
    return held == stamp + WITH_WEIGHTS or (held == stamp and upload.weights is None)


@contextmanager
def as_upload_errors() -> Iterator[None]:
    """Turn what MLflow and the libraries under it raise into the queue's errors."""
    try:
        yield
    except MlflowException as error:
        status: int = error.get_http_status_code()  # type: ignore[no-untyped-call]  # MLflow's
        is_refused = status == HTTP_BAD_REQUEST
        kind = UploadRefusedError if is_refused else StoreUnavailableError
        raise kind(_reason(error)) from error
    except (requests.RequestException, SQLAlchemyError, sqlite3.Error, OSError) as error:
        raise StoreUnavailableError(_reason(error)) from error


def _reason(error: Exception) -> str:
    """Return one line without the user and password of an address."""
    line = next(iter(str(error).strip().splitlines()), type(error).__name__)
    return re.sub(r"//[^/@\s]+@", "//", line)[:200]


def _epochs_in(run: Run) -> int:
    return int(run.data.metrics.get(EPOCH, 0))


def _missing_params(run: Run, facts: RunFacts) -> list[Param]:
    stored = run.data.params
    for name, value in facts.params.items():
        if stored.get(name, value) != value:
            raise UploadRefusedError(
                f"settings of a cell must not change, got {name} = {value} where the run "
                f"{run.info.run_id} has {stored[name]}; delete that run to store the cell anew"
            )
    return [Param(name, value) for name, value in facts.params.items() if name not in stored]


def _changed_tags(run: Run, tags: Mapping[str, str]) -> list[RunTag]:
    stored = run.data.tags
    return [RunTag(key, value) for key, value in tags.items() if stored.get(key) != value]


def _missing_metrics(run: Run, facts: RunFacts) -> list[Metric]:
    """Return the points that the run lacks; MLflow cuts them into batches, in this order."""
    stored = _epochs_in(run)
    new = [point for epoch in facts.epochs if epoch[-1].step > stored for point in epoch]
    # A NaN is unequal to the stored one and sent again, and MLflow drops it. Of several points
    # only the last one is known to be stored.
    points = Counter(each.name for each in facts.final)
    final = [
        each
        for each in facts.final
        if points[each.name] > 1 or run.data.metrics.get(each.name) != each.value
    ]
    return [Metric(each.name, each.value, each.time_ms, each.step) for each in (*new, *final)]


def location_of(artifact_root: Path | str, study: str) -> str:
    """Return the address under which a study's artifacts are kept."""
    if isinstance(artifact_root, str):
        return f"{artifact_root.rstrip('/')}/{study}"
    return (artifact_root / study).resolve().as_uri()
