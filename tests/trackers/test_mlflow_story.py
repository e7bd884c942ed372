"""What MLflow says of winners and of cited numbers, however often and in what order it is told."""

import json
import sqlite3
from collections.abc import Callable
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from mlflow import MlflowClient

from trackers.mlflow_server import experiment_links, workspace_uri
from trackers.mlflow_tracker import MlflowTracker
from trackers.records import StudyRecord
from trackers.tracker import CellUpload, CitedResult

MakeUpload = Callable[..., CellUpload]
MakeDecided = Callable[..., StudyRecord]
Stored = Callable[[str, str], dict[str, Any]]


@pytest.fixture
def uri(workspace: Path) -> str:
    return workspace_uri(workspace)


@pytest.fixture
def uploads(
    make_upload: MakeUpload, files_of_a_cell: dict[str, Any]
) -> tuple[CellUpload, CellUpload]:
    """Return the snapshots of two cells with weights."""
    return make_upload("a1", **files_of_a_cell), make_upload("b2", **files_of_a_cell)


def send(tracker: MlflowTracker, *uploads: CellUpload) -> None:
    for upload in uploads:
        tracker.cell("roads", upload)
    assert tracker.drain(60)


def tell(tracker: MlflowTracker, study: StudyRecord, *cited: CitedResult) -> None:
    tracker.study(study, cited=cited)
    assert tracker.drain(60)


def rows(workspace: Path) -> dict[str, list[Any]]:
    """Return every row of the database."""
    with closing(sqlite3.connect(workspace / "mlflow.db")) as connection:
        names = connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")
        return {
            name: sorted(connection.execute(f'SELECT * FROM "{name}"').fetchall(), key=repr)
            for (name,) in names.fetchall()
        }


def cited(**fields: object) -> CitedResult:
    values: dict[str, Any] = {
        "id": "t8",
        "name": "baseline / thesis/table-8 / Car, 256",
        "source": "thesis, Table 8",
        "settings": {"data.image_size": 256},
        "metrics": {"val/iou": 0.61},
        "note": "cited",
    }
    return CitedResult(**values | fields)


def champion(client: MlflowClient) -> tuple[str, ...]:
    """Return the cells of the registered versions, the champion's first."""
    versions = client.search_model_versions("name = 'roads'")
    best = str(client.get_registered_model("roads").aliases["champion"])
    versions.sort(key=lambda each: str(each.version) != best)
    return tuple(each.tags["visionstudy.cell"] for each in versions)


def test_the_winners_run_is_marked_and_its_network_registered(
    tracker: MlflowTracker,
    uploads: tuple[CellUpload, CellUpload],
    make_decided: MakeDecided,
    client: MlflowClient,
    stored: Stored,
    uri: str,
) -> None:
    send(tracker, *uploads)
    tell(tracker, make_decided("a1"))
    runs = stored(uri, "roads")
    assert runs["a1"]["name"] == "★ learning rate / 0.001 / a1"
    assert runs["a1"]["tags"]["visionstudy.role"] == "winner"
    assert "a1 won" in runs["a1"]["tags"]["mlflow.note.content"]
    assert runs["b2"]["name"] == "learning rate / 0.001 / b2"
    (version,) = client.search_model_versions("name = 'roads'")
    assert champion(client) == ("a1",)
    kept = {
        key: version.tags[f"visionstudy.{key}"] for key in ("stage", "seed", "metric", "value")
    }
    assert kept == {"stage": "rate", "seed": "0", "metric": "val/iou", "value": "0.5"}


def test_telling_the_story_again_changes_not_one_row(
    tracker: MlflowTracker,
    uploads: tuple[CellUpload, CellUpload],
    make_decided: MakeDecided,
    workspace: Path,
    uri: str,
) -> None:
    restarted = MlflowTracker(uri, workspace / "artifacts")
    seen = []
    for each in (tracker, tracker, restarted):
        send(each, *uploads)
        tell(each, make_decided("a1"), cited(), cited(id="t9", metrics={"val/iou": 0.2}))
        seen.append(rows(workspace))
    restarted.close()
    assert len(seen[0]["runs"]) == 5
    assert seen[1] == seen[0]
    assert seen[2] == seen[0]


def test_the_story_told_before_its_cells_ends_as_one_told_after_them(
    tracker: MlflowTracker,
    uploads: tuple[CellUpload, CellUpload],
    make_decided: MakeDecided,
    client: MlflowClient,
    stored: Stored,
    uri: str,
) -> None:
    tell(tracker, make_decided("a1"))
    send(tracker, *(replace(each, weights=None) for each in uploads))
    assert stored(uri, "roads")["a1"]["name"].startswith("★ ")
    send(tracker, *uploads)  # the weights that are kept at the end
    assert champion(client) == ("a1",)
    assert stored(uri, "roads")["a1"]["name"] == "★ learning rate / 0.001 / a1"


def test_another_winner_takes_the_marks_and_the_alias_and_gives_them_back(
    tracker: MlflowTracker,
    uploads: tuple[CellUpload, CellUpload],
    make_decided: MakeDecided,
    client: MlflowClient,
    stored: Stored,
    uri: str,
) -> None:
    send(tracker, *uploads)
    tell(tracker, make_decided("a1"))
    before = stored(uri, "roads")
    tell(tracker, make_decided("b2"))
    runs = stored(uri, "roads")
    assert (runs["a1"]["name"][:1], runs["b2"]["name"][:1]) == ("l", "★")
    assert not {"visionstudy.role", "mlflow.note.content", "mlflow.runColor"} & {
        *runs["a1"]["tags"]
    }
    assert champion(client) == ("b2", "a1")
    tell(tracker, make_decided("a1"))
    assert champion(client) == ("a1", "b2")
    assert stored(uri, "roads")["a1"] == before["a1"]


def test_the_experiment_says_what_won_and_brings_a_view_of_its_runs(
    tracker: MlflowTracker,
    uploads: tuple[CellUpload, CellUpload],
    make_decided: MakeDecided,
    client: MlflowClient,
    uri: str,
) -> None:
    send(tracker, *uploads)
    tell(tracker, make_decided("a1"))
    experiment = client.get_experiment_by_name("roads")
    assert experiment is not None
    (run,) = client.search_runs([experiment.experiment_id], "tags.`visionstudy.role` = 'winner'")
    note = experiment.tags["mlflow.note.content"]
    assert f"[curves](#/metric?runs=%5B%22{run.info.run_id}%22%5D&metric=%22val%2Fiou%22&" in note
    assert f"[seed 0](#/experiments/1/runs/{run.info.run_id}?" in note
    view = json.loads(experiment.tags["mlflow.sharedViewState.visionstudy"])
    state = json.loads(view["state"])
    assert (state["orderByKey"], state["orderByAsc"]) == ("metrics.`final/val/iou`", False)
    ((_, page),) = experiment_links(uri)
    assert page.endswith("viewStateShareKey=visionstudy")


def test_cited_numbers_are_runs_under_our_metrics_names_until_cited_no_longer(
    tracker: MlflowTracker, make_decided: MakeDecided, client: MlflowClient
) -> None:
    tell(tracker, make_decided("a1"), cited(), cited(id="t9"))
    tell(tracker, make_decided("a1"), cited(metrics={"val/iou": 0.2}))
    (run,) = client.search_runs(["1"], "tags.`visionstudy.kind` = 'baseline'")
    assert run.info.run_name == "baseline / thesis/table-8 / Car, 256"
    assert (run.data.params, run.data.metrics) == (
        {"data.image_size": "256"},
        {"final/val/iou": 0.2},
    )
    assert run.info.status == "FINISHED"
