"""Killed at any moment, a study ends as if it had not been."""

import itertools
import json
import os
import random
import signal
import time
from pathlib import Path
from typing import Any

import pytest

from studies.tree.cell_history import EVENTS_FILE
from trackers.event_log import read_events
from trackers.mlflow_client import mlflow_client
from trackers.mlflow_server import workspace_uri
from trackers.records import Outcome, StudyRecord

KILLS = 10  # of the coordinator, and as many of trials
EPOCHS = 12


@pytest.fixture
def long_study(noop_study: dict[str, Any]) -> dict[str, Any]:
    """Return a study whose trials live long enough to be killed."""
    noop_study["model"]["epoch_seconds"] = 0.15
    noop_study["training"]["epochs"] = EPOCHS
    return noop_study


def living_trials(runs: Path) -> list[int]:
    """Return the process ids of the trials that hold their folder's lock."""
    found = []
    for lock in runs.glob("studies/*/trials/*/lock"):
        try:
            pid = json.loads(lock.read_text())["pid"]
            if b"forkserver" in Path(f"/proc/{pid}/cmdline").read_bytes():
                found.append(pid)
        except (OSError, ValueError):
            continue  # just being written, or gone
    return found


def uploaded_epochs(runs: Path, study: str) -> dict[str, list[int]]:
    """Return, per cell, the steps that MLflow holds of its objective."""
    client = mlflow_client(workspace_uri(runs))
    experiment = client.get_experiment_by_name(study)
    assert experiment is not None
    runs_of_cells = client.search_runs(
        [experiment.experiment_id], "tags.`visionstudy.kind` = 'cell'"
    )
    return {
        run.data.tags["visionstudy.cell"]: [
            metric.step for metric in client.get_metric_history(run.info.run_id, "val/iou")
        ]
        for run in runs_of_cells
    }


def final_metrics(record: StudyRecord) -> dict[str, dict[str, float]]:
    """Return every cell's final metrics."""
    return {cell.id: dict(cell.metrics) for cell in record.cells.values()}


def assert_no_finished_epoch_ran_twice(runs: Path, record: StudyRecord) -> None:
    """Every attempt starts after the last epoch that an earlier one had reported."""
    for cell in record.cells.values():
        reported = 0
        for trial in cell.trials:
            events, _ = read_events(runs / trial.folder / EVENTS_FILE)
            epochs = [event.fields["epoch"] for event in events if event.name == "epoch"]
            resumed = [
                event.fields["resumed_from_epoch"] for event in events if event.name == "effective"
            ]
            assert all(each >= reported for each in resumed)
            assert epochs == list(range(reported + 1, reported + 1 + len(epochs)))
            reported = max([reported, *epochs])


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_killed_study_ends_as_if_it_had_not_been(workshop: Any, long_study: Any) -> None:
    long_study["training"]["epochs"] = 2 * EPOCHS  # enough work for all the kills
    undisturbed, disturbed = workshop(long_study), workshop(long_study)
    undisturbed.launch()
    random_moments = random.Random(20)
    trial_kills = 0
    for _ in range(KILLS):
        coordinator = disturbed.start()
        while not living_trials(disturbed.runs) and coordinator.poll() is None:
            time.sleep(0.02)
        time.sleep(random_moments.uniform(0.0, 1.0))
        if trials := living_trials(disturbed.runs):
            os.kill(random_moments.choice(trials), signal.SIGKILL)
            trial_kills += 1
            time.sleep(random_moments.uniform(0.0, 0.5))
        coordinator.kill()
        coordinator.wait()
    disturbed.launch()

    before, after = undisturbed.record(), disturbed.record()
    assert trial_kills >= KILLS / 2
    assert after.is_finished
    assert final_metrics(after) == final_metrics(before)
    for cell in after.cells.values():
        complete = [trial for trial in cell.trials if trial.outcome is Outcome.COMPLETE]
        assert len(complete) == (cell.source is None)
    assert_no_finished_epoch_ran_twice(disturbed.runs, after)
    trained = [cell.id for cell in after.cells.values() if cell.source is None]
    uploaded = uploaded_epochs(disturbed.runs, after.name)
    assert all(uploaded[cell] == list(range(1, 2 * EPOCHS + 1)) for cell in trained)


@pytest.mark.parametrize(
    "number", [signal.SIGTERM, pytest.param(signal.SIGINT, marks=pytest.mark.exhaustive)]
)
def test_stopped_study_says_how_to_go_on_and_repeats_no_epoch(
    workshop: Any, long_study: Any, number: signal.Signals
) -> None:
    shop = workshop(long_study)
    coordinator = shop.start()
    while not any(shop.runs.glob("studies/*/trials/*/events.jsonl")):
        time.sleep(0.02)
    time.sleep(0.6)
    coordinator.send_signal(number)
    output, _ = coordinator.communicate(timeout=60)

    assert coordinator.returncode == 1
    assert "go on: visionstudy launch" in output
    stopped = shop.record()
    assert Outcome.STOPPED in {cell.outcome for cell in stopped.cells.values()}
    assert not stopped.is_finished
    shop.launch()
    finished = shop.record()
    assert finished.is_finished
    assert_no_finished_epoch_ran_twice(shop.runs, finished)


def test_second_launch_of_a_running_study_exits_at_once_and_names_the_holder(
    workshop: Any, long_study: Any
) -> None:
    shop = workshop(long_study)
    first = shop.start()
    while not (shop.runs / "studies" / "noop" / "lease").exists():
        time.sleep(0.02)
    output = shop.launch(exit_code=3)

    assert f"is being run by process {first.pid}" in output
    assert "--as NEW_NAME" in output
    assert first.poll() is None


def test_stopped_study_decides_nothing_from_half_a_stage(workshop: Any, long_study: Any) -> None:
    long_study["model"]["epoch_seconds"] = 0.1
    shop = workshop(long_study)
    coordinator = shop.start()
    while len(list(shop.runs.glob("studies/*/trials/*/events.jsonl"))) < 3:
        time.sleep(0.02)
    coordinator.send_signal(signal.SIGINT)
    output, _ = coordinator.communicate(timeout=60)
    record = shop.record()

    assert "stopping: interrupted (Ctrl-C)" in output
    assert Outcome.COMPLETE in {cell.outcome for cell in record.cells.values()}
    assert [stage.decisions for stage in record.stages] == [(), (), ()]


def test_trials_outlive_a_killed_fork_server_and_are_not_run_twice_at_once(
    workshop: Any, long_study: Any
) -> None:
    shop = workshop(long_study)
    coordinator = shop.start()
    while not any(shop.runs.glob("studies/*/trials/*/events.jsonl")):
        time.sleep(0.02)
    pid = living_trials(shop.runs)[0]
    server = int(Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[1])
    os.kill(server, signal.SIGKILL)
    output, _ = coordinator.communicate(timeout=120)
    record = shop.record()

    assert coordinator.returncode == 0, output
    assert record.is_finished
    assert_no_finished_epoch_ran_twice(shop.runs, record)
    for cell in record.cells.values():
        spans = [(trial.started_at, trial.ended_at) for trial in cell.trials]
        assert all(before[1] <= after[0] for before, after in itertools.pairwise(spans))


def test_killed_study_says_that_it_was_interrupted(workshop: Any, long_study: Any) -> None:
    shop = workshop(long_study)
    coordinator = shop.start()
    while not living_trials(shop.runs):
        time.sleep(0.02)
    running = shop.run("status", "noop")
    coordinator.kill()
    coordinator.wait()

    assert "is not finished: running" in running
    assert "interrupted; launch it again to go on" in shop.run("status", "noop")


@pytest.mark.exhaustive
def test_sampler_proposes_the_same_after_a_stop(workshop: Any, noop_study: Any) -> None:
    noop_study["model"]["epoch_seconds"] = 0.05
    space = {"training.learning_rate": {"low": 1e-5, "high": 1e-1, "log": True}}
    noop_study["search"] = {"joint": {"space": space, "sampler": "tpe", "trials": 10}}
    undisturbed, stopped = workshop(noop_study), workshop(noop_study)
    undisturbed.launch()
    coordinator = stopped.start()
    while len(list(stopped.runs.glob("studies/*/trials/*/events.jsonl"))) < 6:
        time.sleep(0.02)
    coordinator.send_signal(signal.SIGINT)
    coordinator.communicate(timeout=60)
    assert coordinator.returncode == 1
    stopped.launch()

    assert final_metrics(stopped.record()) == final_metrics(undisturbed.record())
