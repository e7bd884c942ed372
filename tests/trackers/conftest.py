"""Records to store, a prepared MLflow database, and a way to read back what MLflow holds."""

import os
import shutil
import signal
import socket
import subprocess
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

import pytest
from mlflow import MlflowClient
from mlflow.entities import LoggedModel

from trackers.mlflow_client import CLIENT_ENVIRONMENT, mlflow_client
from trackers.mlflow_database import prepare_database
from trackers.mlflow_server import server_command, server_environment, wait_until_healthy
from trackers.mlflow_tracker import MlflowTracker
from trackers.records import (
    CellRecord,
    ConfigurationRecord,
    DecisionRecord,
    EpochRecord,
    Outcome,
    StageRecord,
    StudyRecord,
    TrialRecord,
)
from trackers.tracker import Artifact, CellUpload

NOON = 1_790_000_000.0  # unix seconds


@pytest.fixture(autouse=True)
def _mlflow_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """Give up on a request soon, and put the environment back that the client sets up."""
    for name, value in CLIENT_ENVIRONMENT.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_TIMEOUT", "5")


@pytest.fixture(scope="session")
def template_database(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return an empty MLflow database, which takes seconds to create."""
    file = tmp_path_factory.mktemp("template") / "mlflow.db"
    prepare_database(file)
    return file


@pytest.fixture
def workspace(template_database: Path, tmp_path: Path) -> Path:
    """Return a workspace with an empty MLflow database."""
    folder = tmp_path / "workspace"
    folder.mkdir()
    shutil.copy(template_database, folder / "mlflow.db")
    return folder


@pytest.fixture
def tracker(workspace: Path) -> Iterator[MlflowTracker]:
    """Return a tracker of the workspace's database."""
    opened = MlflowTracker(f"sqlite:///{workspace}/mlflow.db", workspace / "artifacts")
    yield opened
    opened.close()


@pytest.fixture
def client(workspace: Path) -> MlflowClient:
    """Return a client of the workspace's database."""
    return mlflow_client(f"sqlite:///{workspace}/mlflow.db")


@pytest.fixture(scope="session")
def server(
    template_database: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[Path, str]]:
    """Return the workspace and the address of a real server, which takes long to start."""
    folder = tmp_path_factory.mktemp("served")
    shutil.copy(template_database, folder / "mlflow.db")
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    with (folder / "log").open("w") as log:
        process = subprocess.Popen(
            server_command(folder, port=port),
            env=server_environment(),
            stdout=log,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    try:
        wait_until_healthy(f"http://127.0.0.1:{port}", timeout_s=120)
        yield folder, f"http://127.0.0.1:{port}"
    finally:
        os.killpg(process.pid, signal.SIGTERM)
        process.wait(timeout=30)


@pytest.fixture(scope="session")
def make_cell() -> Callable[..., CellRecord]:
    """Return a function that makes the record of a cell with some epochs and attempts."""

    def make(
        cell_id: str = "a1", *, epochs: int = 3, trials: int = 1, **fields: object
    ) -> CellRecord:
        values: dict[str, Any] = {"outcome": Outcome.COMPLETE, **fields}
        outcome = values["outcome"]
        defaults = {
            "settings": {"training.learning_rate": 0.001, "data.classes": ["car"]},
            "seed": 0,
            "group": "",
            "reason": "",
            "metrics": {"val/iou": 0.5} if outcome is Outcome.COMPLETE else {},
            "best_epoch": epochs or None,
            "epochs": tuple(_epoch(number) for number in range(1, epochs + 1)),
            "trials": tuple(
                _trial(cell_id, number, outcome=outcome if number == trials else Outcome.LOST)
                for number in range(1, trials + 1)
            ),
            "train_macs": 2e9,
            "is_running": outcome is None,
        }
        return CellRecord(id=cell_id, **{**defaults, **values})

    return make


@pytest.fixture(scope="session")
def make_upload(make_cell: Callable[..., CellRecord]) -> Callable[..., CellUpload]:
    """Return a function that makes an upload of a cell; other fields go to `make_cell`."""
    own = CellUpload.__dataclass_fields__.keys()

    def make(cell_id: str = "a1", **fields: object) -> CellUpload:
        of_cell = {key: fields.pop(key) for key in list(fields) if key not in own}
        values: dict[str, Any] = {
            "name": f"learning rate / 0.001 / {cell_id}",
            "stages": ("learning rate",),
            "configuration": "c1",
            "varied": {"training.learning_rate": 0.001},
            "attempts": of_cell.get("trials", 1),
            "artifacts": (),
            "resolved_config": lambda: "training: {learning_rate: 0.001}\n",
            "weights": None,
            "task": "semantic_segmentation",
            **fields,
        }
        return CellUpload(cell=make_cell(cell_id, **of_cell), **values)

    return make


@pytest.fixture(scope="session")
def make_study() -> Callable[..., StudyRecord]:
    """Return a function that makes the record of a study."""

    def make(name: str = "roads", **fields: object) -> StudyRecord:
        values: dict[str, Any] = {
            "task": "semantic_segmentation",
            "description": "Which learning rate?",
            "metric": "val/iou",
            "direction": "maximize",
            "select_on": "validation",
            "settings": {"study": name},
            "base": {},
            "stages": (),
            "cells": {},
            "test_scores": (),
            "test_looks": 0,
            "baselines": (),
            "environment": {"torch": "2.15.0"},
            "created_at": NOON,
            "is_finished": True,
            **fields,
        }
        return StudyRecord(name=name, **values)

    return make


@pytest.fixture(scope="session")
def make_decided(
    make_study: Callable[..., StudyRecord], make_cell: Callable[..., CellRecord]
) -> Callable[..., StudyRecord]:
    """Return a function that makes the record of a study of two cells, of which one won."""

    def make(winner: str, *, name: str = "roads") -> StudyRecord:
        cells = {"a1": make_cell("a1"), "b2": make_cell("b2", metrics={"val/iou": 0.4})}
        configurations = tuple(
            ConfigurationRecord(f"c-{cell}", None, {"training.learning_rate": rate}, "", (cell,))
            for cell, rate in (("a1", 1e-3), ("b2", 1e-4))
        )
        decision = DecisionRecord(
            "rate", "", "val/iou", "maximize", (f"c-{winner}",), (), f"{winner} won", 0.95, ()
        )
        stage = StageRecord("rate", False, {}, {}, {}, configurations, (decision,), 2)
        return make_study(name, stages=(stage,), cells=cells)

    return make


@pytest.fixture
def files_of_a_cell(tmp_path: Path) -> dict[str, Any]:
    """Return the fields of an upload that name files, with the files there."""
    strip, weights = tmp_path / "predictions_strip.png", tmp_path / "best.pt"
    strip.write_bytes(b"a picture")
    weights.write_bytes(b"a state_dict")
    return {"artifacts": (Artifact(strip, "predictions/strip.png"),), "weights": weights}


@pytest.fixture
def stored() -> Callable[[str, str], dict[str, Any]]:
    """Return a function that reads all that MLflow holds of a study, without ids."""
    return _stored


def _stored(tracking_uri: str, study: str) -> dict[str, Any]:
    client = mlflow_client(tracking_uri)
    experiment = client.get_experiment_by_name(study)
    if experiment is None:
        return {}
    runs = {}
    for run in client.search_runs([experiment.experiment_id]):
        key = run.data.tags.get("visionstudy.cell", "summary")
        assert key not in runs, f"cell {key} has more than one run"
        runs[key] = {
            "name": run.info.run_name,
            "status": run.info.status,
            "times": (run.info.start_time, run.info.end_time),
            "params": run.data.params,
            "tags": run.data.tags,
            "points": _points(client, run.info.run_id, names=run.data.metrics),
            "files": _files(client, run.info.run_id),
            "models": _models(client, experiment.experiment_id, run_id=run.info.run_id),
            "links": len(run.outputs.model_outputs) if run.outputs else 0,
        }
    return runs


def _points(client: MlflowClient, run_id: str, *, names: Iterable[str]) -> dict[str, list[Any]]:
    return {
        name: sorted(
            (each.step, repr(each.value), each.timestamp)
            for each in client.get_metric_history(run_id, name)
        )
        for name in names
    }


def _files(client: MlflowClient, run_id: str, *, folder: str | None = None) -> list[str]:
    found = []
    for each in client.list_artifacts(run_id, folder):
        inner = _files(client, run_id, folder=each.path) if each.is_dir else [each.path]
        found.extend(inner)
    return sorted(found)


def _models(client: MlflowClient, experiment: str, *, run_id: str) -> list[Any]:
    models = client.search_logged_models([experiment], f"source_run_id = '{run_id}'")
    return [
        (each.name, each.status.value, each.model_type, each.params, each.tags, _values(each))
        for each in models
    ]


def _values(model: LoggedModel) -> list[Any]:
    metrics = model.metrics or []
    return sorted((each.key, each.value, each.step, each.timestamp) for each in metrics)


def _epoch(number: int) -> EpochRecord:
    metrics = {"train/loss": 1 / number, "val/iou": 0.1 * number}
    return EpochRecord(number, metrics, 2.0 * number, 8 * number, NOON + 10.0 * number)


def _trial(cell: str, number: int, *, outcome: Outcome | None) -> TrialRecord:
    ended_at = None if outcome is None else NOON + 1000.0 * number
    return TrialRecord(
        cell=cell,
        attempt=number,
        outcome=outcome,
        reason="",
        device="cpu",
        host="node-1",
        started_at=NOON + 1000.0 * (number - 1),
        ended_at=ended_at,
        resumed_from_epoch=0,
        folder=f"studies/roads/trials/{cell}-{number}",
    )


@pytest.fixture
def run_ids() -> Callable[[str, str], dict[str, str]]:
    """Return what asks MLflow for the run of every cell of a study: cell id -> run id."""

    def ask(uri: str, study: str) -> dict[str, str]:
        client = mlflow_client(uri)
        experiment = client.get_experiment_by_name(study)
        assert experiment is not None
        runs = client.search_runs([experiment.experiment_id], "tags.`visionstudy.kind` = 'cell'")
        return {run.data.tags["visionstudy.cell"]: run.info.run_id for run in runs}

    return ask
