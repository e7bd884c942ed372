"""What MLflow holds after uploads, and after everything that can go wrong between them."""

import math
import sqlite3
from collections.abc import Callable
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from mlflow import MlflowClient
from mlflow.artifacts import download_artifacts
from mlflow.entities import Metric

from trackers.mlflow_client import mlflow_client
from trackers.mlflow_tracker import MlflowTracker
from trackers.records import EpochRecord, Outcome, StudyRecord
from trackers.tracker import Artifact, CellUpload

MakeUpload = Callable[..., CellUpload]
MakeStudy = Callable[..., StudyRecord]
Stored = Callable[[str, str], dict[str, Any]]


@pytest.fixture
def uri(workspace: Path) -> str:
    return f"sqlite:///{workspace}/mlflow.db"


def send(tracker: MlflowTracker, *uploads: CellUpload) -> None:
    for upload in uploads:
        tracker.cell("roads", upload)
        assert tracker.drain(60)


def rows(workspace: Path) -> dict[str, list[Any]]:
    """Return every row of the database."""
    with closing(sqlite3.connect(workspace / "mlflow.db")) as connection:
        names = connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")
        return {
            name: sorted(connection.execute(f'SELECT * FROM "{name}"').fetchall(), key=repr)
            for (name,) in names.fetchall()
        }


def the_run(client: MlflowClient) -> Any:
    experiment = client.get_experiment_by_name("roads")
    assert experiment is not None
    (run,) = client.search_runs([experiment.experiment_id])
    return run


def test_a_cell_becomes_one_flat_run(
    tracker: MlflowTracker,
    make_upload: MakeUpload,
    files_of_a_cell: dict[str, Any],
    stored: Stored,
    uri: str,
) -> None:
    send(tracker, make_upload(**files_of_a_cell))
    (run,) = stored(uri, "roads").values()
    assert run["name"] == "learning rate / 0.001 / a1"
    assert run["status"] == "FINISHED"
    assert run["times"] == (1_790_000_000_000, 1_790_001_000_000)
    assert run["params"] == {"training.learning_rate": "0.001", "data.classes": '["car"]'}
    assert run["tags"]["visionstudy.stage"] == "learning rate"
    assert run["tags"]["visionstudy.varied"] == "training.learning_rate = 0.001"
    assert run["tags"]["visionstudy.outcome"] == "complete"
    assert "mlflow.parentRunId" not in run["tags"]
    assert run["points"]["train/loss"] == [
        (1, "1.0", 1_790_000_010_000),
        (2, "0.5", 1_790_000_020_000),
        (3, "0.3333333333333333", 1_790_000_030_000),
    ]
    assert run["points"]["final/val/iou"] == [(3, "0.5", 1_790_001_000_000)]
    assert run["files"] == ["config.yaml", "predictions/strip.png"]


def test_the_best_weights_become_the_runs_model(
    tracker: MlflowTracker,
    make_upload: MakeUpload,
    files_of_a_cell: dict[str, Any],
    stored: Stored,
    uri: str,
    tmp_path: Path,
) -> None:
    send(tracker, make_upload(**files_of_a_cell))
    (run,) = stored(uri, "roads").values()
    ((name, status, kind, params, tags, values),) = run["models"]
    assert (status, kind) == ("READY", "visionstudy/semantic_segmentation")
    assert name == "learning rate _ 0_001 _ a1"
    assert params == run["params"]
    assert tags["visionstudy.cell"] == "a1"
    assert ("final/val/iou", 0.5, 3, 1_790_001_000_000) in values
    assert run["links"] == 1
    client = mlflow_client(uri)
    (output,) = the_run(client).outputs.model_outputs
    folder = client.get_logged_model(output.model_id).artifact_location
    here = Path(download_artifacts(folder, dst_path=str(tmp_path), tracking_uri=uri))
    assert (here / "weights.pt").read_bytes() == b"a state_dict"
    assert (here / "config.yaml").read_text() == "training: {learning_rate: 0.001}\n"


def test_sending_everything_again_changes_not_one_row(
    tracker: MlflowTracker,
    make_upload: MakeUpload,
    make_study: MakeStudy,
    files_of_a_cell: dict[str, Any],
    workspace: Path,
    tmp_path: Path,
) -> None:
    report = tmp_path / "report.html"
    report.write_text("<h1>Report</h1>")
    metrics = {"val/iou": 0.5, "val/none": math.nan, "val/much": math.inf}
    upload = make_upload(**files_of_a_cell, metrics=metrics)
    restarted = MlflowTracker(f"sqlite:///{workspace}/mlflow.db", workspace / "artifacts")
    seen = []
    for each in (tracker, tracker, restarted):
        each.study(make_study(), report=report)
        send(each, upload, make_upload("b2", outcome=Outcome.PRUNED))
        seen.append(rows(workspace))
    restarted.close()
    assert len(seen[0]["runs"]) == 3
    assert seen[1] == seen[0]
    assert seen[2] == seen[0]


def test_a_growing_cell_has_every_epoch_once(
    tracker: MlflowTracker, make_upload: MakeUpload, stored: Stored, uri: str
) -> None:
    for epochs in (0, 1, 1, 3, 2, 4):
        send(tracker, make_upload(epochs=epochs, outcome=None))
    (run,) = stored(uri, "roads").values()
    assert run["status"] == "RUNNING"
    assert [step for step, _, _ in run["points"]["val/iou"]] == [1, 2, 3, 4]
    assert run["files"] == []
    send(tracker, make_upload(epochs=5))
    (run,) = stored(uri, "roads").values()
    assert [step for step, _, _ in run["points"]["val/iou"]] == [1, 2, 3, 4, 5]
    assert run["status"] == "FINISHED"


def test_a_second_attempt_continues_the_run(
    tracker: MlflowTracker,
    make_upload: MakeUpload,
    files_of_a_cell: dict[str, Any],
    stored: Stored,
    uri: str,
) -> None:
    send(tracker, make_upload(epochs=2, outcome=Outcome.STOPPED, **files_of_a_cell))
    (run,) = stored(uri, "roads").values()
    assert run["status"] == "KILLED"
    send(tracker, make_upload(epochs=2, trials=2, outcome=None))
    (run,) = stored(uri, "roads").values()
    assert run["status"] == "RUNNING"
    send(tracker, make_upload(epochs=4, trials=2, **files_of_a_cell))
    (run,) = stored(uri, "roads").values()
    assert run["status"] == "FINISHED"
    assert run["times"] == (1_790_000_000_000, 1_790_002_000_000)
    assert run["tags"]["visionstudy.attempts"] == "2"
    assert [step for step, _, _ in run["points"]["epoch"]] == [1, 2, 3, 4]
    assert len(run["models"]) == 1  # the first attempt's weights are gone


def test_weights_that_win_later_are_added(
    tracker: MlflowTracker,
    make_upload: MakeUpload,
    files_of_a_cell: dict[str, Any],
    stored: Stored,
    uri: str,
) -> None:
    send(tracker, make_upload(artifacts=files_of_a_cell["artifacts"]))
    assert stored(uri, "roads")["a1"]["models"] == []
    send(tracker, make_upload(**files_of_a_cell))
    assert len(stored(uri, "roads")["a1"]["models"]) == 1


def test_a_planned_cell_has_no_run(
    tracker: MlflowTracker, make_upload: MakeUpload, stored: Stored, uri: str
) -> None:
    planned = make_upload(epochs=0, trials=0, outcome=None, is_running=False)
    send(tracker, planned, make_upload("b2"))
    assert stored(uri, "roads").keys() == {"b2"}


@pytest.mark.parametrize("epochs_before_the_crash", [0, 2])
def test_a_crash_after_the_run_was_created_leads_to_no_second_run(
    tracker: MlflowTracker,
    make_upload: MakeUpload,
    client: MlflowClient,
    stored: Stored,
    uri: str,
    workspace: Path,
    epochs_before_the_crash: int,
) -> None:
    experiment = client.create_experiment("roads", (workspace / "artifacts").as_uri())
    run = client.create_run(experiment, tags={"visionstudy.cell": "a1"})
    upload = make_upload(epochs=3)
    for epoch in upload.cell.epochs[:epochs_before_the_crash]:  # and no tag after that
        values = {**epoch.metrics, "cost/wall_s": epoch.wall_s, "epoch": float(epoch.epoch)}
        time_ms = round(epoch.finished_at * 1000)
        points = [Metric(key, value, time_ms, epoch.epoch) for key, value in values.items()]
        client.log_batch(run.info.run_id, metrics=points)
    send(tracker, upload)
    assert stored(uri, "roads")["a1"]["points"]["val/iou"] == [
        (1, "0.1", 1_790_000_010_000),
        (2, "0.2", 1_790_000_020_000),
        (3, "0.30000000000000004", 1_790_000_030_000),
    ]
    assert the_run(client).info.run_id == run.info.run_id


def test_a_crash_while_a_model_was_stored_leads_to_no_second_model(
    tracker: MlflowTracker,
    make_upload: MakeUpload,
    files_of_a_cell: dict[str, Any],
    client: MlflowClient,
    workspace: Path,
    stored: Stored,
    uri: str,
) -> None:
    send(tracker, make_upload(**files_of_a_cell))
    whole = stored(uri, "roads")
    with closing(sqlite3.connect(workspace / "mlflow.db")) as connection:
        connection.execute("UPDATE logged_models SET status = 1")  # PENDING
        connection.execute("DELETE FROM logged_model_metrics WHERE rowid % 2 = 0")
        connection.commit()
    (model,) = client.search_logged_models([the_run(client).info.experiment_id])
    assert model.status.value == "PENDING"
    send(tracker, make_upload(**files_of_a_cell))
    assert stored(uri, "roads") == whole


def test_runs_that_a_slow_server_created_twice_become_one(
    tracker: MlflowTracker,
    make_upload: MakeUpload,
    client: MlflowClient,
    stored: Stored,
    uri: str,
) -> None:
    send(tracker, make_upload(epochs=2, outcome=None))
    kept = the_run(client)
    for _ in range(3):
        client.create_run(kept.info.experiment_id, tags={"visionstudy.cell": "a1"})
    send(tracker, make_upload(epochs=3))
    assert len(stored(uri, "roads")["a1"]["points"]["val/iou"]) == 3
    assert the_run(client).info.run_id == kept.info.run_id


@pytest.mark.parametrize("what", ["run", "experiment"])
def test_what_a_person_deleted_meanwhile_is_stored_again(
    tracker: MlflowTracker,
    make_upload: MakeUpload,
    client: MlflowClient,
    stored: Stored,
    uri: str,
    what: str,
) -> None:
    send(tracker, make_upload(epochs=2, outcome=None))
    info = the_run(client).info
    if what == "run":
        client.delete_run(info.run_id)
    else:
        client.delete_experiment(info.experiment_id)
    send(tracker, make_upload(epochs=3))
    assert len(stored(uri, "roads")["a1"]["points"]["val/iou"]) == 3


def test_values_that_are_no_numbers_do_not_stop_an_upload(
    tracker: MlflowTracker, make_upload: MakeUpload, stored: Stored, uri: str
) -> None:
    odd = EpochRecord(1, {"a": math.nan, "b": math.inf, "c": -math.inf}, 1.0, 1, 1_790_000_000.0)
    upload = make_upload()
    cell = replace(upload.cell, epochs=(odd,), metrics={"val/iou": math.nan})
    send(tracker, replace(upload, cell=cell))
    points = stored(uri, "roads")["a1"]["points"]
    assert points["a"] == [(1, "nan", 1_790_000_000_000)]
    assert float(points["b"][0][1]) > 1e308  # MLflow keeps infinity as the largest number
    assert float(points["c"][0][1]) < -1e308
    assert points["final/val/iou"][0][1] == "nan"


def test_names_and_values_that_mlflow_refuses_are_made_fit(
    tracker: MlflowTracker, make_upload: MakeUpload, stored: Stored, uri: str
) -> None:
    metrics = {"val/AP@[.5:.95]": 0.5, "a//b": 1.0, "/x/../y": 2.0, "größe, m²": 3.0}
    upload = make_upload(settings={"a[0]": "x" * 7000, "": "", "ä": "ö"}, metrics=metrics)
    send(tracker, upload)
    run = stored(uri, "roads")["a1"]
    assert run["params"].keys() == {"a_0_", "_", "ä"}
    assert {"final/val/AP__.5:.95_", "final/a/b", "final/x/y"} < run["points"].keys()


def test_more_points_and_settings_than_fit_into_a_batch_are_all_stored(
    tracker: MlflowTracker, make_upload: MakeUpload, stored: Stored, uri: str
) -> None:
    wide = {f"m{number}": float(number) for number in range(900)}  # two epochs: two batches
    epochs = tuple(EpochRecord(each, wide, 1.0, 1, 1e9 + each) for each in (1, 2))
    settings: dict[str, Any] = {f"s{number}": number for number in range(250)}
    upload = make_upload(settings=settings)
    send(tracker, replace(upload, cell=replace(upload.cell, epochs=epochs)))
    run = stored(uri, "roads")["a1"]
    assert len(run["params"]) == 250
    assert {len(run["points"][name]) for name in wide} == {2}
    assert len(run["points"]["epoch"]) == 2


def test_settings_that_changed_under_a_cell_are_refused(
    tracker: MlflowTracker,
    make_upload: MakeUpload,
    stored: Stored,
    uri: str,
    caplog: pytest.LogCaptureFixture,
) -> None:
    send(tracker, make_upload(settings={"lr": 0.1}))
    tracker.cell("roads", make_upload(settings={"lr": 0.2}))
    assert not tracker.drain(60)
    assert "settings of a cell must not change, got lr = 0.2 where the run" in caplog.text
    assert stored(uri, "roads")["a1"]["params"] == {"lr": "0.1"}


def test_a_missing_file_is_told_and_the_rest_is_stored(
    tracker: MlflowTracker,
    make_upload: MakeUpload,
    files_of_a_cell: dict[str, Any],
    stored: Stored,
    uri: str,
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
) -> None:
    lost = Artifact(tmp_path / "lost.png", "lost.png")
    tracker.cell("roads", make_upload(artifacts=(lost, *files_of_a_cell["artifacts"])))
    assert not tracker.drain(60)
    assert f"missing: lost.png ({tmp_path / 'lost.png'})" in caplog.text
    run = stored(uri, "roads")["a1"]
    assert run["files"] == ["config.yaml", "predictions/strip.png"]
    assert run["status"] == "FINISHED"
    lost.path.write_bytes(b"found")
    send(tracker, make_upload(artifacts=(lost, *files_of_a_cell["artifacts"])))
    assert "lost.png" in stored(uri, "roads")["a1"]["files"]


def test_files_may_be_deleted_once_they_are_stored(
    tracker: MlflowTracker, make_upload: MakeUpload, files_of_a_cell: dict[str, Any]
) -> None:
    upload = make_upload(**files_of_a_cell)
    send(tracker, upload)
    files_of_a_cell["weights"].unlink()
    upload.artifacts[0].path.unlink()
    send(tracker, upload)


def test_a_study_becomes_a_summary_run_with_its_report(
    tracker: MlflowTracker,
    make_study: MakeStudy,
    stored: Stored,
    uri: str,
    client: MlflowClient,
    tmp_path: Path,
) -> None:
    report = tmp_path / "any name.html"
    report.write_text("first")
    tracker.study(make_study(is_finished=False), report=report)
    assert tracker.drain(60)
    assert stored(uri, "roads")["summary"]["status"] == "RUNNING"
    report.write_text("second")
    tracker.study(make_study())  # the report stays known
    assert tracker.drain(60)
    run = stored(uri, "roads")["summary"]
    assert run["status"] == "FINISHED"
    assert run["files"] == ["report.html", "study.json"]
    assert "Which learning rate?" in run["tags"]["mlflow.note.content"]
    shown = client.download_artifacts(the_run(client).info.run_id, "report.html", str(tmp_path))
    assert Path(shown).read_text() == "second"
    experiment = client.get_experiment_by_name("roads")
    assert experiment is not None
    assert experiment.tags["visionstudy.study"] == "roads"
    assert "Which learning rate?" in experiment.tags["mlflow.note.content"]
