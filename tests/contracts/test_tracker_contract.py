"""What every tracker does: each fact once, however often and in whatever order it is sent."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, TypeAlias

import pytest

from trackers.memory_tracker import MemoryTracker
from trackers.mlflow_client import mlflow_client
from trackers.mlflow_database import prepare_database
from trackers.mlflow_tracker import MlflowTracker
from trackers.records import CellRecord, EpochRecord, Outcome, StudyRecord, TrialRecord
from trackers.tracker import Artifact, CellUpload, Tracker

START = 1_790_000_000.0  # unix seconds
Runs: TypeAlias = dict[str, dict[str, Any]]  # cell id or "summary" -> what is stored


@dataclass(frozen=True, slots=True)
class Opened:
    """A tracker, and a way to look at what it has stored of a study."""

    tracker: Tracker
    read: Callable[[str], Runs]


@pytest.fixture(scope="module")
def database(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return an MLflow database that the tests of this module share."""
    file = tmp_path_factory.mktemp("contract") / "mlflow.db"
    prepare_database(file)
    return file


@pytest.fixture(params=["memory", "mlflow"])
def opened(request: pytest.FixtureRequest) -> Iterator[Opened]:
    """Return every tracker in turn."""
    if request.param == "memory":
        memory = MemoryTracker()
        yield Opened(memory, lambda study: read_memory(memory, study))
        return
    file: Path = request.getfixturevalue("database")
    uri = f"sqlite:///{file}"
    tracker = MlflowTracker(uri, file.parent / "artifacts")
    yield Opened(tracker, lambda study: read_mlflow(uri, study))
    tracker.close()


@pytest.fixture
def study_name(request: pytest.FixtureRequest) -> str:
    """Return a name that no other test uses."""
    return str(abs(hash(request.node.nodeid)))


def read_memory(tracker: MemoryTracker, study: str) -> Runs:
    return {
        key: {
            "name": run.name,
            "status": run.status,
            "params": run.params,
            "tags": run.tags,
            "points": {
                name: [(each.step, each.value, each.time_ms) for each in points]
                for name, points in run.points.items()
            },
            "files": sorted(run.files),
            "has_weights": run.has_weights,
        }
        for key, run in tracker.runs.get(study, {}).items()
    }


def read_mlflow(uri: str, study: str) -> Runs:
    client = mlflow_client(uri)
    experiment = client.get_experiment_by_name(study)
    runs = client.search_runs([experiment.experiment_id]) if experiment else []
    found: Runs = {}
    for run in runs:
        root = Path(run.info.artifact_uri.removeprefix("file://"))
        files = [each for each in root.rglob("*") if each.is_file()]
        # How MLflow's store knows what it is done with.
        own = ("visionstudy.files", "visionstudy.weights", "visionstudy.stored")
        found[run.data.tags.get("visionstudy.cell", "summary")] = {
            "name": run.info.run_name,
            "status": run.info.status,
            "params": run.data.params,
            "tags": {key: value for key, value in run.data.tags.items() if key not in own},
            "points": {
                name: [
                    (each.step, each.value, each.timestamp)
                    for each in client.get_metric_history(run.info.run_id, name)
                ]
                for name in run.data.metrics
            },
            "files": sorted(str(each.relative_to(root)) for each in files),
            "has_weights": bool(run.outputs and run.outputs.model_outputs),
        }
    return found


def cell(*, epochs: int = 2, outcome: Outcome | None = None, trials: int = 1) -> CellUpload:
    """Return the snapshot of a cell."""
    ended_at = None if outcome is None else START + 100.0
    attempts = [
        TrialRecord("a1", each, outcome, "", "cpu", "node-1", START, ended_at, 0, f"a1-{each}")
        for each in range(1, trials + 1)
    ]
    record = CellRecord(
        id="a1",
        settings={"training.learning_rate": 0.1, "data.classes": ["car"]},
        seed=3,
        group="",
        outcome=outcome,
        reason="",
        metrics={"val/iou": 0.5} if outcome is Outcome.COMPLETE else {},
        best_epoch=1 if epochs else None,
        epochs=tuple(
            EpochRecord(each, {"val/iou": 0.1 * each}, 1.0 * each, 8 * each, START + each)
            for each in range(1, epochs + 1)
        ),
        trials=tuple(attempts),
        train_macs=1e9,
        is_running=outcome is None and trials > 0,
    )
    varied = {"training.learning_rate": 0.1}
    return CellUpload(
        cell=record,
        name="rate / 0.1",
        stages=("rate",),
        configuration="c1",
        varied=varied,
        attempts=trials,
        artifacts=(),
        resolved_config=lambda: "a: 1\n",
        weights=None,
        task="segmentation",
    )


def study(name: str, *, is_finished: bool = True) -> StudyRecord:
    """Return the record of a study without stages."""
    return StudyRecord(
        name=name,
        task="semantic_segmentation",
        description="What for?",
        metric="val/iou",
        direction="maximize",
        select_on="validation",
        settings={"study": name},
        base={},
        stages=(),
        cells={},
        test_scores=(),
        test_looks=0,
        baselines=(),
        environment={},
        created_at=START,
        is_finished=is_finished,
    )


def send(opened: Opened, name: str, *uploads: CellUpload) -> dict[str, Any]:
    """Send snapshots one by one and return what is stored of the cell."""
    for upload in uploads:
        opened.tracker.cell(name, upload)
        assert opened.tracker.drain(60)
    return opened.read(name).get("a1", {})


def test_a_cell_is_stored_with_its_settings_curves_and_status(
    opened: Opened, study_name: str
) -> None:
    run = send(opened, study_name, cell(outcome=Outcome.COMPLETE))
    assert run["name"] == "rate / 0.1"
    assert run["status"] == "FINISHED"
    assert run["params"] == {"training.learning_rate": "0.1", "data.classes": '["car"]'}
    assert run["points"]["val/iou"] == [
        (1, 0.1, 1_790_000_001_000),
        (2, 0.2, 1_790_000_002_000),
    ]
    assert run["points"]["final/val/iou"] == [(1, 0.5, 1_790_000_100_000)]
    assert run["tags"]["visionstudy.seed"] == "3"
    assert run["files"] == ["config.yaml"]


def test_an_epoch_is_stored_once_however_often_it_is_sent(opened: Opened, study_name: str) -> None:
    run = send(opened, study_name, *(cell(epochs=number) for number in (1, 2, 2, 1, 3)))
    assert [step for step, _, _ in run["points"]["val/iou"]] == [1, 2, 3]


def test_an_epoch_that_ran_again_keeps_its_first_report(opened: Opened, study_name: str) -> None:
    again = cell(epochs=3)
    later = tuple(replace(each, finished_at=each.finished_at + 50) for each in again.cell.epochs)
    again = replace(again, cell=replace(again.cell, epochs=later))
    run = send(opened, study_name, cell(epochs=2), again)
    assert [(step, time_ms) for step, _, time_ms in run["points"]["val/iou"]] == [
        (1, 1_790_000_001_000),
        (2, 1_790_000_002_000),
        (3, 1_790_000_053_000),
    ]


def test_sending_again_changes_nothing(opened: Opened, study_name: str) -> None:
    first = send(opened, study_name, cell(outcome=Outcome.COMPLETE))
    assert send(opened, study_name, cell(outcome=Outcome.COMPLETE)) == first


def test_a_planned_cell_is_not_stored(opened: Opened, study_name: str) -> None:
    assert send(opened, study_name, cell(epochs=0, trials=0)) == {}


@pytest.mark.parametrize(
    ("outcome", "status"),
    [
        (None, "RUNNING"),
        (Outcome.PRUNED, "FINISHED"),
        (Outcome.INFEASIBLE, "FAILED"),
        (Outcome.STOPPED, "KILLED"),
    ],
)
def test_the_status_follows_the_outcome(
    opened: Opened, study_name: str, outcome: Outcome | None, status: str
) -> None:
    assert send(opened, study_name, cell(outcome=outcome))["status"] == status


def test_a_further_attempt_continues_the_same_run(opened: Opened, study_name: str) -> None:
    stopped = cell(epochs=1, outcome=Outcome.STOPPED)
    assert send(opened, study_name, stopped, cell(epochs=2, trials=2))["status"] == "RUNNING"
    run = send(opened, study_name, cell(epochs=3, trials=2, outcome=Outcome.COMPLETE))
    assert [step for step, _, _ in run["points"]["epoch"]] == [1, 2, 3]
    assert (run["status"], run["tags"]["visionstudy.attempts"]) == ("FINISHED", "2")
    assert opened.read(study_name).keys() == {"a1"}


def test_files_are_stored_once_the_cell_has_an_outcome(
    opened: Opened, study_name: str, tmp_path: Path
) -> None:
    (tmp_path / "x.png").write_bytes(b"picture")
    (tmp_path / "best.pt").write_bytes(b"weights")
    files = (Artifact(tmp_path / "x.png", "predictions/strip.png"),)
    with_files = replace(cell(), artifacts=files, weights=tmp_path / "best.pt")
    run = send(opened, study_name, with_files)
    assert (run["files"], run["has_weights"]) == ([], False)
    complete = replace(with_files, cell=cell(outcome=Outcome.COMPLETE).cell)
    run = send(opened, study_name, complete)
    assert run["files"] == ["config.yaml", "predictions/strip.png"]
    assert run["has_weights"]


def test_the_report_stays_with_the_study(opened: Opened, study_name: str, tmp_path: Path) -> None:
    report = tmp_path / "today.html"
    report.write_text("<p>")
    opened.tracker.study(study(study_name, is_finished=False), report=report)
    opened.tracker.study(study(study_name))
    assert opened.tracker.drain(60)
    run = opened.read(study_name)["summary"]
    assert run["files"] == ["report.html", "study.json"]
    assert run["status"] == "FINISHED"
    assert "What for?" in run["tags"]["mlflow.note.content"]


def test_both_trackers_store_the_same(database: Path, study_name: str) -> None:
    memory = MemoryTracker()
    mlflow = MlflowTracker(f"sqlite:///{database}", database.parent / "artifacts")
    for tracker in (memory, mlflow):
        tracker.study(study(study_name))
        tracker.cell(study_name, cell(epochs=1, trials=2))
        tracker.cell(study_name, cell(epochs=4, trials=2, outcome=Outcome.COMPLETE))
        assert tracker.drain(60)
    mlflow.close()
    assert read_memory(memory, study_name) == read_mlflow(f"sqlite:///{database}", study_name)


def test_the_memory_tracker_catches_up_after_an_outage(study_name: str) -> None:
    tracker = MemoryTracker()
    tracker.is_away = True
    for number in (1, 2, 3):
        tracker.cell(study_name, cell(epochs=number))
    assert not tracker.drain(0)
    assert read_memory(tracker, study_name) == {}
    tracker.is_away = False
    assert tracker.drain(0)
    assert len(read_memory(tracker, study_name)["a1"]["points"]["epoch"]) == 3
