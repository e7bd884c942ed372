import json
import urllib.error
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest

from trackers.mlflow_server import (
    best_first_url,
    experiment_links,
    run_url,
    server_command,
    server_environment,
    study_url,
    wait_until_healthy,
    workspace_uri,
)
from trackers.mlflow_tracker import MlflowTracker
from trackers.records import StudyRecord
from trackers.tracker import CellUpload

MakeUpload = Callable[..., CellUpload]
MakeStudy = Callable[..., StudyRecord]


def get(url: str) -> bytes:
    with urllib.request.urlopen(url, timeout=30) as answer:
        content: bytes = answer.read()
    return content


@pytest.fixture
def served(
    server: tuple[Path, str],
    make_upload: MakeUpload,
    make_study: MakeStudy,
    files_of_a_cell: dict[str, Any],
    tmp_path: Path,
) -> str:
    """Return the address of a server whose workspace a tracker writes beside it."""
    workspace, url = server
    report = tmp_path / "report.html"
    report.write_text("<h1>Report</h1>")
    tracker = MlflowTracker(workspace_uri(workspace), workspace / "artifacts")
    tracker.study(make_study("served"), report=report)
    tracker.cell("served", make_upload(**files_of_a_cell))
    assert tracker.drain(60)
    tracker.close()
    return url


@pytest.mark.slow
def test_the_server_shows_what_a_tracker_wrote_into_the_workspaces_database(
    served: str, run_ids: Callable[[str, str], dict[str, str]]
) -> None:
    name = f"{served}/api/2.0/mlflow/experiments/get-by-name?experiment_name=served"
    experiment = json.loads(get(name))["experiment"]["experiment_id"]
    assert ("served", best_first_url("", experiment)) in experiment_links(served)
    ((cell, run),) = run_ids(served, "served").items()
    assert cell == "a1"
    shown = json.loads(get(f"{served}/api/2.0/mlflow/runs/get?run_id={run}"))["run"]
    values = {each["key"]: each["value"] for each in shown["data"]["metrics"]}
    assert values["final/val/iou"] == 0.5


@pytest.mark.slow
def test_the_server_hands_out_the_artifacts_of_a_tracker(
    served: str, server: tuple[Path, str], run_ids: Callable[[str, str], dict[str, str]]
) -> None:
    (run,) = run_ids(workspace_uri(server[0]), "served").values()
    listed = json.loads(get(f"{served}/api/2.0/mlflow/artifacts/list?run_id={run}"))
    assert {each["path"] for each in listed["files"]} == {"config.yaml", "predictions"}
    path = quote("predictions/strip.png")
    assert get(f"{served}/get-artifact?run_id={run}&path={path}") == b"a picture"


@pytest.mark.slow
def test_the_pages_that_links_name_are_there(served: str) -> None:
    assert b"<html" in get(f"{served}{study_url('', '1')}").lower()


@pytest.mark.slow
def test_the_server_answers_no_foreign_host_name(served: str) -> None:
    request = urllib.request.Request(f"{served}/", headers={"Host": "evil.example"})
    with pytest.raises(urllib.error.HTTPError, match="403") as raised:
        urllib.request.urlopen(request, timeout=30)
    raised.value.close()


def test_the_command_names_the_workspace_and_the_address(tmp_path: Path) -> None:
    command = " ".join(server_command(tmp_path, host="0.0.0.0", port=5001))
    assert f"--backend-store-uri sqlite:///{tmp_path}/mlflow.db " in command
    assert f"--artifacts-destination file://{tmp_path}/artifacts " in command
    assert "--host 0.0.0.0 --port 5001 " in command


def test_the_environment_is_quiet_and_can_be_overruled(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MLFLOW_SERVER_ALLOWED_HOSTS", "gpu-box:5000")
    environment = server_environment()
    assert environment["MLFLOW_SERVER_ENABLE_JOB_EXECUTION"] == "false"
    assert environment["MLFLOW_DISABLE_TELEMETRY"] == "true"
    assert environment["MLFLOW_SERVER_ALLOWED_HOSTS"] == "gpu-box:5000"
    assert "PATH" in environment


def test_links_open_the_pages_for_model_training() -> None:
    assert study_url("http://h:1/", "7") == (
        "http://h:1/#/experiments/7/runs?workflowType=machine_learning&compareRunsMode=CHART"
    )
    assert run_url("", "7", "ab") == "/#/experiments/7/runs/ab?workflowType=machine_learning"


def test_a_workspace_without_a_database_has_no_links_and_gets_no_database(tmp_path: Path) -> None:
    assert experiment_links(workspace_uri(tmp_path)) == []
    assert list(tmp_path.iterdir()) == []


def test_a_server_that_never_answers_is_named(free_port: int) -> None:
    url = f"http://127.0.0.1:{free_port}"
    with pytest.raises(TimeoutError, match=f"must answer at {url}/health, and has not for 0.1 s"):
        wait_until_healthy(url, timeout_s=0.1)
