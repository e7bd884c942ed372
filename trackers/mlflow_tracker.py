"""The MLflow tracker: snapshots in, uploads from a thread, one experiment per study, flat runs.

This module and the tracker's constructor are quick: MLflow is imported by the thread, before the
first upload.
"""

from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias
from urllib.parse import unquote

from trackers.mlflow_client import configure_mlflow, mlflow_client
from trackers.mlflow_database import prepare_database
from trackers.records import StudyRecord
from trackers.redaction import redact
from trackers.run_facts import has_started
from trackers.run_register import RunRegister
from trackers.tracker import CellUpload, CitedResult
from trackers.upload_queue import UploadQueue

if TYPE_CHECKING:
    from trackers.mlflow_store import MlflowStore

SQLITE = "sqlite:///"
_Upload: TypeAlias = Callable[["MlflowStore"], None]


class MlflowTracker:
    """Stores studies in an MLflow server or database, which may be down for as long as it likes.

    What is queued is lost with the process; the next one sends every cell again.
    """

    def __init__(
        self,
        tracking_uri: str,
        artifact_root: Path | str,
        *,
        register: RunRegister | None = None,
        first_delay_s: float = 0.5,
        longest_delay_s: float = 15.0,
    ) -> None:
        """Start without contacting MLflow.

        Args:
            tracking_uri: `http://host:port`, or `sqlite:////absolute/path/mlflow.db`, which is
                created when missing.
            artifact_root: folder of the artifacts, or an address s3://bucket/prefix; a server
                uses its own instead.
            register: notes where the runs of cells are; None: nothing does.
            first_delay_s: pause before an upload is tried again; it doubles each time.
            longest_delay_s: longest pause.
        """
        self._tracking_uri = tracking_uri
        self._artifact_root = None if _is_server(tracking_uri) else artifact_root
        self._register = register
        self._store: MlflowStore | None = None
        self._reports: dict[str, Path] = {}  # study -> its newest report
        self._queue: UploadQueue[_Upload] = UploadQueue(
            self._upload,
            destination=f"MLflow at {redact(tracking_uri)}",
            first_delay_s=first_delay_s,
            longest_delay_s=longest_delay_s,
        )

    def study(
        self,
        study: StudyRecord,
        *,
        report: Path | None = None,
        cited: Sequence[CitedResult] = (),
    ) -> None:
        """Take the study's summary, its HTML report and what it cites, and return at once."""
        if report is not None:
            self._reports[study.name] = report
        report = self._reports.get(study.name)
        upload = partial(_store_study, study=study, report=report, cited=tuple(cited))
        self._queue.put(f"study {study.name}", upload)

    def cell(self, study: str, upload: CellUpload) -> None:
        """Take a cell's snapshot, which replaces an earlier one, and return at once."""
        if has_started(upload.cell):
            key = f"cell {upload.cell.id} of {study}"
            self._queue.put(key, partial(_store_cell, study=study, upload=upload))

    def drain(self, timeout_s: float) -> bool:
        """Wait until everything is stored; say whether it is."""
        return self._queue.drain(timeout_s)

    @property
    def is_away(self) -> bool:
        """Whether MLflow could not be reached when it was last tried."""
        return self._queue.is_away

    def close(self) -> None:
        """Stop; what is not stored by now must be sent again another time."""
        self._queue.close()

    def _upload(self, upload: _Upload) -> None:
        if self._store is None:
            self._store = self._connected()
        upload(self._store)

    def _connected(self) -> "MlflowStore":
        configure_mlflow()
        # Here, because it imports MLflow, which takes seconds.
        from trackers.mlflow_store import MlflowStore, as_upload_errors

        with as_upload_errors():
            if (file := database_file(self._tracking_uri)) is not None:
                prepare_database(file)  # before the client, which would create it in place
            client = mlflow_client(self._tracking_uri)
            return MlflowStore(client, self._artifact_root, self._register)


def database_file(tracking_uri: str) -> Path | None:
    """Return the file of an SQLite address; None for any other address."""
    if not tracking_uri.startswith(SQLITE):
        return None
    path, _, _ = tracking_uri.removeprefix(SQLITE).partition("?")
    return Path(unquote(path)) if path else None


def _store_study(
    store: "MlflowStore",
    *,
    study: StudyRecord,
    report: Path | None,
    cited: tuple[CitedResult, ...],
) -> None:
    store.store_study(study, report=report, cited=cited)


def _store_cell(store: "MlflowStore", *, study: str, upload: CellUpload) -> None:
    store.store_cell(study, upload)


def _is_server(tracking_uri: str) -> bool:
    return tracking_uri.startswith(("http:", "https:"))
