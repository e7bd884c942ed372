"""From the ledger and the event logs to the record that reports read."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from models.catalog import TASKS
from models.metrics.segmentation import PROBABILITY_BINS, SigmoidPredictions
from studies.spec.schema import StudySpec
from studies.tree.cells import CellResult, PlannedCell
from studies.tree.grown import Tree
from studies.tree.ledger import CellEnd, Ledger, TrialEnd, TrialStart
from studies.tree.study_record import UnknownStudyError, read_study, with_slugs
from trackers.event_log import EventLog
from trackers.records import Outcome, StudyRecord
from trackers.run_register import RunRegister

PlanIn = Callable[..., Tree]
Measure = Callable[..., list[PlannedCell]]


def run_trial(
    ledger: Ledger,
    workspace: Path,
    cell: str,
    *,
    attempt: int,
    epochs: range,
    ends: Outcome | None,
) -> Path:
    """Write what a trial leaves: its row and its event log."""
    folder = f"studies/demo/trials/{cell}-{attempt}"
    ledger.start_trial("demo", TrialStart(cell, attempt, "cpu", "here", folder, 1))
    log = EventLog(workspace / folder / "events.jsonl")
    log.append("started", pid=1)
    log.append("effective", learning_rate=0.1, resumed_from_epoch=epochs.start - 1)
    for epoch in epochs:
        log.append(
            "epoch",
            epoch=epoch,
            metrics={"val/iou": 0.1 * epoch},
            wall_s=2.0 * epoch,
            images_seen=8 * epoch,
            finished_at=1000.0 + epoch,
        )
    log.close()
    if ends is not None:
        resumed = epochs.start - 1
        end = TrialEnd(cell, attempt, ends, "why", False, resumed, 1, {"learning_rate": 0.1})
        ledger.end_trial("demo", end)
    return workspace / folder


def settle(ledger: Ledger, cell: str, value: float) -> None:
    ledger.settle("demo", CellEnd(cell, Outcome.COMPLETE, "", {"val/iou": value}, 2, 50.0, 4.0))


def finished(
    ledger: Ledger, spec: StudySpec, plan_in: PlanIn, measure: Measure
) -> tuple[Tree, dict[str, CellResult]]:
    """Settle the whole study, the lower threshold winning."""
    results: dict[str, CellResult] = {}
    tree = plan_in(ledger, spec)
    while fresh := measure(spec, results, lambda cell: 1 - cell.settings.evaluation.threshold):
        for cell in fresh:
            settle(ledger, cell.id, results[cell.id].metrics["val/iou"])
        tree = plan_in(ledger, spec, results)
    return tree, results


def save_predictions(folder: Path) -> None:
    """Write predictions with IoU 0.6 at threshold 0.5, and 0.75 at 0.3."""
    low, high = round(0.4 * PROBABILITY_BINS), PROBABILITY_BINS - 1
    positives = np.zeros((1, 1, PROBABILITY_BINS), dtype=np.int64)
    positives[..., low], positives[..., high] = 150, 600
    positives[..., 0] = 250
    negatives = np.zeros_like(positives)
    predictions = SigmoidPredictions(("a",), ("car",), np.array([0.1]), positives, negatives)
    folder.mkdir(parents=True, exist_ok=True)
    predictions.save(folder / "predictions_test.npz")


def test_unknown_study_names_those_there_are(
    tmp_path: Path, ledger: Ledger, spec: StudySpec, plan_in: PlanIn
) -> None:
    with pytest.raises(UnknownStudyError) as caught:
        read_study(ledger, tmp_path, "demp")
    assert str(caught.value) == (
        f"unknown study 'demp' in workspace {tmp_path}; studies there: none yet"
    )
    plan_in(ledger, spec)
    with pytest.raises(UnknownStudyError, match=r"; did you mean 'demo'\?; studies there: demo$"):
        read_study(ledger, tmp_path, "demp")


def test_a_planned_study_says_what_it_asks(
    tmp_path: Path, ledger: Ledger, spec: StudySpec, plan_in: PlanIn
) -> None:
    tree = plan_in(ledger, spec)
    record = read_study(ledger, tmp_path, "demo")
    assert isinstance(record, StudyRecord)
    assert (record.name, record.metric, record.direction) == ("demo", "val/iou", "maximize")
    assert record.base["training.learning_rate"] == 0.01
    assert record.settings == spec.model_dump(mode="json", by_alias=True)
    assert list(record.cells) == list(tree.cells())
    assert [stage.name for stage in record.stages] == ["rate", "threshold"]
    assert {cell.outcome for cell in record.cells.values()} == {None}
    assert (record.test_scores, record.test_looks, record.note) == ((), 0, "running")


def test_a_cell_of_two_attempts_has_each_epoch_once(
    tmp_path: Path, ledger: Ledger, spec: StudySpec, plan_in: PlanIn
) -> None:
    cell = next(iter(plan_in(ledger, spec).cells()))
    run_trial(ledger, tmp_path, cell, attempt=1, epochs=range(1, 4), ends=Outcome.LOST)
    run_trial(ledger, tmp_path, cell, attempt=2, epochs=range(3, 5), ends=Outcome.COMPLETE)
    settle(ledger, cell, 0.4)
    found = read_study(ledger, tmp_path, "demo").cells[cell]
    assert [epoch.epoch for epoch in found.epochs] == [1, 2, 3, 4]
    assert [(t.attempt, t.outcome, t.resumed_from_epoch) for t in found.trials] == [
        (1, Outcome.LOST, 0), (2, Outcome.COMPLETE, 2),
    ]  # fmt: skip
    assert (found.outcome, found.metrics, found.best_epoch) == (
        Outcome.COMPLETE, {"val/iou": 0.4}, 2,
    )  # fmt: skip
    assert found.settings["training.learning_rate"] == 0.1
    assert found.trials[0].effective == {"learning_rate": 0.1}
    assert found.seconds == 8.0
    assert not found.is_running


def test_a_running_cell_shows_the_epochs_so_far(
    tmp_path: Path, ledger: Ledger, spec: StudySpec, plan_in: PlanIn
) -> None:
    cell = next(iter(plan_in(ledger, spec).cells()))
    run_trial(ledger, tmp_path, cell, attempt=1, epochs=range(1, 3), ends=None)
    found = read_study(ledger, tmp_path, "demo").cells[cell]
    assert found.is_running
    assert (found.outcome, len(found.epochs)) == (None, 2)


def test_cells_say_what_their_classes_are_called_in_metrics(
    tmp_path: Path, ledger: Ledger, spec: StudySpec, plan_in: PlanIn
) -> None:
    cell = next(iter(plan_in(ledger, spec).cells()))
    ledger.start_trial("demo", TrialStart(cell, 1, "cpu", "here", "trial", 1))
    effective = {"classes": ["background", "a b", "a_b"]}
    end = TrialEnd(cell, 1, Outcome.COMPLETE, "why", False, 0, 1, effective)
    ledger.end_trial("demo", end)
    trained = read_study(ledger, tmp_path, "demo").cells[cell]
    assert trained.class_slugs == {"a b": "a_b", "a_b": "a_b_1"}
    later = replace(trained, id="later", trials=(), source=cell)
    chosen = {**trained.settings, "data.classes": ["small"]}
    cells = {cell: trained, "later": later, "other": replace(trained, settings=chosen)}
    found = with_slugs(cells, "object_detection")
    assert found["later"].class_slugs == found[cell].class_slugs == trained.class_slugs
    assert found["other"].class_slugs == {"small": "small_0"}  # there is an `ap_small`


def test_what_a_complete_cell_kept_and_its_tracking_url_are_named(
    tmp_path: Path, ledger: Ledger, spec: StudySpec, plan_in: PlanIn
) -> None:
    cell, other, *_ = plan_in(ledger, spec).cells()
    files = {"weights": "best-1.pt", "predictions_strip": "strip.png", "curves_val": "gone.json"}
    for attempt, ends in ((1, Outcome.LOST), (2, Outcome.COMPLETE)):
        folder = run_trial(ledger, tmp_path, cell, attempt=attempt, epochs=range(1, 2), ends=ends)
        (folder / "strip.png").write_bytes(b"a picture")
        (folder / "best-1.pt").write_bytes(b"weights")
        EventLog(folder / "events.jsonl").append("finished", files=files)
    RunRegister(tmp_path / "studies", "http://localhost").note("demo", cell, "/run")
    record = read_study(ledger, tmp_path, "demo")
    assert record.cells[cell].files == {"predictions_strip": str(folder / "strip.png")}
    assert record.cells[cell].tracking_url == "http://localhost/run"
    assert (record.cells[other].files, record.cells[other].tracking_url) == ({}, None)


def test_what_the_look_at_the_test_split_kept_is_among_a_winners_files(
    tmp_path: Path, ledger: Ledger, spec: StudySpec, plan_in: PlanIn
) -> None:
    cell = next(iter(plan_in(ledger, spec).cells()))
    folder = tmp_path / "looked"
    folder.mkdir()
    (folder / "curves_test.json").write_text("{}", encoding="utf-8")
    log = EventLog(folder / "events.jsonl")
    log.append("finished", files={"curves_test": "curves_test.json"})
    log.close()
    ledger.save_test_score("demo", cell, outcome=Outcome.COMPLETE, reason="", folder="looked")
    found = read_study(ledger, tmp_path, "demo").cells[cell]
    assert found.files == {"curves_test": str(folder / "curves_test.json")}


def test_test_scores_are_those_of_stage_winners_at_their_threshold(
    tmp_path: Path, ledger: Ledger, spec: StudySpec, plan_in: PlanIn, measure: Measure
) -> None:
    tree, _ = finished(ledger, spec, plan_in, measure)
    trained = [cell for cell in tree.stages[0].configurations[0].cells]
    for cell in trained:
        folder = f"studies/demo/trials/{cell.id}-test"
        save_predictions(tmp_path / folder)
        ledger.save_test_score("demo", cell.id, outcome=Outcome.COMPLETE, reason="", folder=folder)
    record = read_study(ledger, tmp_path, "demo")
    found: list[tuple[str, str, Any]] = [
        (score.stage, score.configuration, score.metrics["test/iou"])
        for score in record.test_scores
    ]
    assert found == [("rate", "1.1", 0.6)] * 2 + [("threshold", "2.1", 0.75)] * 2
    assert record.test_looks == 2, "two sets of weights were scored"


def test_test_scores_that_cannot_be_scored_again_are_those_of_the_scoring(
    tmp_path: Path,
    ledger: Ledger,
    spec: StudySpec,
    plan_in: PlanIn,
    measure: Measure,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    tree, _ = finished(ledger, spec, plan_in, measure)
    task = replace(TASKS[spec.task], rescore=None)
    monkeypatch.setattr("studies.tree.study_record.TASKS", {spec.task: task})
    first, gone = tree.stages[0].configurations[0].cells
    for cell, folder in ((first, "looked"), (gone, "deleted")):
        ledger.save_test_score("demo", cell.id, outcome=Outcome.COMPLETE, reason="", folder=folder)
    (tmp_path / "looked").mkdir()
    log = EventLog(tmp_path / "looked" / "events.jsonl")
    log.append("finished", metrics={"test/mask_ap": 0.4}, files={})
    log.close()
    found = [
        (score.stage, score.cell, score.metrics)
        for score in read_study(ledger, tmp_path, "demo").test_scores
    ]
    assert ("rate", first.id, {"test/mask_ap": 0.4}) in found
    assert all(cell != gone.id for _, cell, _ in found)


def test_a_look_at_the_test_split_counts_though_its_cell_wins_no_longer(
    tmp_path: Path, ledger: Ledger, spec: StudySpec, plan_in: PlanIn, measure: Measure
) -> None:
    tree, _ = finished(ledger, spec, plan_in, measure)
    (loser, *_) = tree.stages[0].configurations[1].cells
    ledger.save_test_score("demo", loser.id, outcome=Outcome.COMPLETE, reason="", folder="x")
    record = read_study(ledger, tmp_path, "demo")
    assert (record.test_scores, record.test_looks) == ((), 1)


def test_a_scoring_that_failed_is_no_look(
    tmp_path: Path, ledger: Ledger, spec: StudySpec, plan_in: PlanIn, measure: Measure
) -> None:
    tree, _ = finished(ledger, spec, plan_in, measure)
    (winner, *_) = tree.stages[0].configurations[0].cells
    ledger.save_test_score("demo", winner.id, outcome=Outcome.FAILED, reason="", folder="x")
    record = read_study(ledger, tmp_path, "demo")
    assert (record.test_scores, record.test_looks) == ((), 0)


def test_selecting_on_the_test_split_looks_at_it_with_every_training(
    tmp_path: Path,
    ledger: Ledger,
    plan_in: PlanIn,
    make_spec: Callable[..., StudySpec],
) -> None:
    spec = make_spec(
        {"stage": "rate", "vary": {"training.learning_rate": [0.1, 0.01]}},
        objective={"metric": "test/iou", "select_on": "test"},
    )
    for cell in plan_in(ledger, spec).cells():
        settle(ledger, cell, 0.5)
    assert read_study(ledger, tmp_path, "demo").test_looks == 2
