"""Studies whose databases are on a PostgreSQL server."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML

from studies.running.workspace import WorkspaceFolder, open_ledger
from studies.tree.cell_history import EVENTS_FILE
from studies.tree.study_record import read_study
from trackers.event_log import read_events
from trackers.mlflow_client import mlflow_client
from trackers.records import Outcome, StudyRecord

pytestmark = [pytest.mark.postgres, pytest.mark.slow]
ROOT = Path(__file__).parents[4]
CLI = "from studies.cli.app import main; main()"
WORKERS = 4
TRIALS = 8


@pytest.fixture
def searched(noop_study: dict[str, Any]) -> dict[str, Any]:
    """Return a study of exactly so many trials, that take a while."""
    space = {"training.learning_rate": {"low": 1e-5, "high": 1e-1, "log": True}}
    noop_study["search"] = {"joint": {"space": space, "sampler": "tpe", "trials": TRIALS}}
    noop_study["model"]["epoch_seconds"] = 0.2
    return noop_study


def start(study: dict[str, Any], place: WorkspaceFolder) -> "subprocess.Popen[str]":
    """Start a launch in a process of its own."""
    file = place.folder / "study.yaml"
    YAML().dump(study, file)
    arguments = ["launch", str(file), "--workers", str(WORKERS), "--workspace", str(place.folder)]
    return subprocess.Popen(
        [sys.executable, "-c", CLI, *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )


def record_of(place: WorkspaceFolder) -> StudyRecord:
    """Read the study as a report would."""
    ledger = open_ledger(place)
    record = read_study(ledger, place.folder, "noop")
    ledger.close()
    return record


def epochs_of(place: WorkspaceFolder, record: StudyRecord) -> list[list[int]]:
    """Return the epochs that each cell reported, over all its trials."""
    found = []
    for cell in record.cells.values():
        events = [
            event
            for trial in cell.trials
            for event in read_events(place.folder / trial.folder / EVENTS_FILE)[0]
        ]
        found.append([event.fields["epoch"] for event in events if event.name == "epoch"])
    return found


def uploaded(place: WorkspaceFolder) -> list[list[int]]:
    """Return the epochs that MLflow holds of each cell."""
    client = mlflow_client(place.tracking_uri())
    experiment = client.get_experiment_by_name("noop")
    assert experiment is not None
    runs = client.search_runs([experiment.experiment_id], "tags.`visionstudy.kind` = 'cell'")
    return [
        [each.step for each in client.get_metric_history(run.info.run_id, "val/iou")]
        for run in runs
    ]


def wait_for_trials(place: WorkspaceFolder, coordinator: "subprocess.Popen[str]") -> None:
    """Wait until trials run."""
    while not any(place.folder.glob("studies/*/trials/*/events.jsonl")):
        assert coordinator.poll() is None, coordinator.communicate()[0]
        time.sleep(0.05)


@pytest.mark.timeout(300)
def test_a_restarted_server_costs_no_trial_and_no_epoch(
    on_server: Callable[[Path], WorkspaceFolder],
    searched: dict[str, Any],
    postgres_server: Any,
    tmp_path: Path,
) -> None:
    place = on_server(tmp_path / "runs")
    coordinator = start(searched, place)
    wait_for_trials(place, coordinator)
    postgres_server.restart()
    time.sleep(0.5)
    postgres_server.stop()
    time.sleep(2.0)
    postgres_server.start()
    output, _ = coordinator.communicate(timeout=200)

    assert coordinator.returncode == 0, output
    record = record_of(place)
    assert len(record.cells) == TRIALS
    assert sum(len(cell.trials) for cell in record.cells.values()) == TRIALS
    assert {cell.outcome for cell in record.cells.values()} == {Outcome.COMPLETE}
    assert epochs_of(place, record) == [[1, 2, 3, 4]] * TRIALS
    assert uploaded(place) == [[1, 2, 3, 4]] * TRIALS
    assert "the ledger's server is back" in output


@pytest.mark.timeout(300)
def test_a_second_coordinator_is_refused_and_a_killed_one_makes_room(
    on_server: Callable[[Path], WorkspaceFolder], searched: dict[str, Any], tmp_path: Path
) -> None:
    place = on_server(tmp_path / "runs")
    first = start(searched, place)
    wait_for_trials(place, first)
    first.send_signal(signal.SIGSTOP)  # it must not be done before the second one has looked
    second = start(searched, place)
    refusal, _ = second.communicate(timeout=200)
    first.send_signal(signal.SIGKILL)
    first.communicate()
    third = start(searched, place)
    output, _ = third.communicate(timeout=200)

    assert second.returncode == 3
    assert f"is being run by process {first.pid}" in refusal
    assert third.returncode == 0, output
    record = record_of(place)
    complete = [
        [trial.outcome for trial in cell.trials].count(Outcome.COMPLETE)
        for cell in record.cells.values()
    ]
    assert complete == [1] * TRIALS
    assert epochs_of(place, record) == [[1, 2, 3, 4]] * TRIALS
