"""A launch of a study with thousands of settled cells sends MLflow none of them again."""

from collections.abc import Callable
from dataclasses import replace
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest
from mlflow import MlflowClient
from mlflow.exceptions import MlflowException

from trackers.mlflow_client import mlflow_client
from trackers.mlflow_store import MlflowStore
from trackers.records import EpochRecord, Outcome
from trackers.tracker import CellUpload
from trackers.upload_queue import StoreUnavailableError

MakeUpload = Callable[..., CellUpload]


class Counted:
    """A client that counts the writes that go through it."""

    def __init__(self, client: MlflowClient) -> None:
        self._client = client
        self.writes = 0
        self.calls: list[str] = []

    def __getattr__(self, name: str) -> Any:
        self.calls.append(name)
        if name.startswith(("log_", "create_", "set_", "update_", "delete_")):
            self.writes += 1
        return getattr(self._client, name)


@pytest.fixture
def open_store(workspace: Path) -> Callable[[], tuple[MlflowStore, Counted]]:
    """Return what opens the store as a launch does, with its client."""

    def make() -> tuple[MlflowStore, Counted]:
        client = Counted(mlflow_client(f"sqlite:///{workspace}/mlflow.db"))
        return MlflowStore(client, workspace / "artifacts"), client  # type: ignore[arg-type]

    return make


OpenStore = Callable[[], tuple[MlflowStore, Counted]]


def writes_of(open_store: OpenStore, *uploads: CellUpload) -> list[int]:
    """Send uploads as one launch does; return how many writes each took."""
    store, client = open_store()
    counts = []
    for upload in uploads:
        before = client.writes
        store.store_cell("roads", upload)
        counts.append(client.writes - before)
    return counts


def test_a_settled_cell_is_sent_once(open_store: OpenStore, make_upload: MakeUpload) -> None:
    (first,) = writes_of(open_store, make_upload())
    assert first > 0
    assert writes_of(open_store, make_upload()) == [0]


def test_a_cell_that_went_on_is_sent(open_store: OpenStore, make_upload: MakeUpload) -> None:
    lost = make_upload(epochs=1, outcome=Outcome.LOST)
    writes_of(open_store, lost)
    assert writes_of(open_store, make_upload(trials=2)) > [0]
    again, running = writes_of(open_store, make_upload(trials=2), make_upload("b2", outcome=None))
    assert (again, running > 0) == (0, True)


def test_a_long_cell_that_was_cut_between_two_batches_is_sent_again(
    open_store: OpenStore, make_upload: MakeUpload, monkeypatch: pytest.MonkeyPatch
) -> None:
    wide = {f"m{number}": float(number) for number in range(900)}  # two epochs: two batches
    epochs = tuple(EpochRecord(each, wide, 1.0, 1, 1e9 + each) for each in (1, 2))
    upload = make_upload()
    upload = replace(upload, cell=replace(upload.cell, epochs=epochs))
    store, _ = open_store()
    database = import_module("mlflow.store.tracking.sqlalchemy_store").SqlAlchemyStore
    log_batch, batches = database.log_batch, []

    def cut(*given: Any, **named: Any) -> Any:
        batches.append(named)
        if len(batches) > 1:
            raise MlflowException("the server is gone")
        return log_batch(*given, **named)

    monkeypatch.setattr(database, "log_batch", cut)
    with pytest.raises(StoreUnavailableError):
        store.store_cell("roads", upload)
    monkeypatch.undo()

    assert writes_of(open_store, upload) > [0]
    assert writes_of(open_store, upload) == [0]


def test_what_is_known_is_not_asked_for_again(
    open_store: OpenStore, make_upload: MakeUpload
) -> None:
    store, client = open_store()
    store.store_cell("roads", make_upload("a1"))
    client.calls.clear()
    store.store_cell("roads", make_upload("b2"))
    assert not {"get_experiment_by_name", "search_runs", "get_run"} & set(client.calls)
    store.store_cell("roads", make_upload("b2", trials=2))
    assert client.calls.count("search_runs") == 1  # it may have been changed meanwhile


def test_weights_that_are_kept_at_the_end_are_sent_and_stay(
    open_store: OpenStore, make_upload: MakeUpload, files_of_a_cell: dict[str, Any]
) -> None:
    bare = {**files_of_a_cell, "weights": None}
    writes_of(open_store, make_upload(**bare))
    assert writes_of(open_store, make_upload(**files_of_a_cell)) > [0]
    assert writes_of(open_store, make_upload(**bare), make_upload(**files_of_a_cell)) == [0, 0]


def test_a_run_that_somebody_deleted_is_sent_again(
    open_store: OpenStore, make_upload: MakeUpload
) -> None:
    writes_of(open_store, make_upload())
    _, client = open_store()
    experiment = client.get_experiment_by_name("roads")
    (run,) = client.search_runs([experiment.experiment_id])
    client.delete_run(run.info.run_id)
    assert writes_of(open_store, make_upload()) > [0]
