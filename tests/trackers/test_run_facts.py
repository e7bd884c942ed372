import math
from collections import defaultdict
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from trackers.records import (
    CellRecord,
    ConfigurationRecord,
    DecisionRecord,
    EpochRecord,
    JsonValue,
    Outcome,
    StageRecord,
    StudyRecord,
)
from trackers.run_facts import (
    cell_facts,
    files_stamp,
    has_started,
    report_stamp,
    stored_name,
    study_facts,
    weights_stamp,
)
from trackers.study_story import study_note
from trackers.tracker import Artifact, CellUpload

MakeCell = Callable[..., CellRecord]
MakeUpload = Callable[..., CellUpload]
MakeStudy = Callable[..., StudyRecord]


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("val/iou", "val/iou"),
        ("val/mAP@50", "val/mAP_50"),
        ("val/AP@[.5:.95]", "val/AP__.5:.95_"),
        ("a//b", "a/b"),
        ("/a/./b/../c/", "a/b/c"),
        ("größe", "größe"),
        ("", "_"),
        ("..", "_"),
        ("x" * 300, "x" * 250),
    ],
)
def test_names_become_names_that_mlflow_takes(name: str, expected: str) -> None:
    assert stored_name(name) == expected


@pytest.mark.parametrize(
    ("outcome", "status"),
    [
        (None, "RUNNING"),
        (Outcome.COMPLETE, "FINISHED"),
        (Outcome.PRUNED, "FINISHED"),
        (Outcome.INFEASIBLE, "FAILED"),
        (Outcome.FAILED, "FAILED"),
        (Outcome.LOST, "KILLED"),
        (Outcome.STOPPED, "KILLED"),
    ],
)
def test_the_outcome_decides_the_status(
    make_upload: MakeUpload, outcome: Outcome | None, status: str
) -> None:
    facts = cell_facts("roads", make_upload(outcome=outcome))
    assert facts.status == status
    assert facts.tags["visionstudy.outcome"] == (outcome or "running")
    assert (facts.ended_ms is None) == (outcome is None)


def test_a_planned_cell_has_not_started(make_cell: MakeCell) -> None:
    planned = make_cell(epochs=0, trials=0, outcome=None, is_running=False)
    assert not has_started(planned)
    assert has_started(replace(planned, is_running=True))
    assert has_started(replace(planned, outcome=Outcome.INFEASIBLE))


def test_every_epoch_has_its_metrics_its_costs_and_its_own_time(make_upload: MakeUpload) -> None:
    facts = cell_facts("roads", make_upload(epochs=2))
    assert [[point.step for point in epoch] for epoch in facts.epochs] == [[1] * 5, [2] * 5]
    second = {point.name: point.value for point in facts.epochs[1]}
    assert second == {
        "train/loss": 0.5,
        "val/iou": 0.2,
        "cost/wall_s": 4.0,
        "cost/images_seen": 16.0,
        "epoch": 2.0,
    }
    assert {point.time_ms for point in facts.epochs[1]} == {1_790_000_020_000}
    assert facts.epochs[1][-1].name == "epoch"


def test_a_metric_of_a_task_cannot_take_the_place_of_the_epoch(make_upload: MakeUpload) -> None:
    record = EpochRecord(7, {"epoch": 99.0, "z": math.nan}, 1.0, 1, 5.0)
    upload = make_upload()
    upload = replace(upload, cell=replace(upload.cell, epochs=(record,)))
    (points,) = cell_facts("roads", upload).epochs
    assert [(each.name, each.value) for each in points if each.name == "epoch"] == [("epoch", 7.0)]


def test_final_metrics_stand_at_the_best_epoch(make_upload: MakeUpload) -> None:
    facts = cell_facts("roads", make_upload(epochs=3, best_epoch=2))
    final = [each for each in facts.final if each.name.startswith("final/")]
    assert [(each.name, each.value, each.step) for each in final] == [
        ("final/train_macs", 2e9, 2),
        ("final/val/iou", 0.5, 2),
    ]
    failed = cell_facts("roads", make_upload(outcome=Outcome.FAILED))
    assert not any(each.name.startswith("final/") for each in failed.final)


def test_costs_grow_with_every_attempt_whatever_came_of_it(make_upload: MakeUpload) -> None:
    upload = make_upload(trials=2, outcome=Outcome.FAILED)
    costs: dict[str, JsonValue] = {
        "device_s": 5.0,
        "images": 7,
        "money": 0.5,
        "currency": "USD",
        "energy_j": None,
    }
    trials = tuple(replace(each, costs=costs) for each in upload.cell.trials)
    facts = cell_facts("roads", replace(upload, cell=replace(upload.cell, trials=trials)))
    found = defaultdict(list)
    for each in facts.final:
        found[each.name].append((each.step, each.value))
    assert found["cost/device_s"] == [(1, 5.0), (2, 10.0)]
    assert found["cost/images"] == [(1, 7.0), (2, 14.0)]
    assert found["cost/money"] == [(1, 0.5), (2, 1.0)]
    assert "cost/energy_j" not in found
    assert facts.tags["visionstudy.currency"] == "USD"


def test_an_attempt_keeps_the_start_of_the_first_one(make_upload: MakeUpload) -> None:
    facts = cell_facts("roads", make_upload(trials=3))
    assert facts.started_ms == 1_790_000_000_000
    assert facts.ended_ms == 1_790_003_000_000
    assert facts.tags["visionstudy.attempts"] == "3"


def test_long_values_are_cut_where_mlflow_would_refuse_them(make_upload: MakeUpload) -> None:
    facts = cell_facts("roads", make_upload(settings={"a": "x" * 9000}, reason="y" * 9000))
    assert len(facts.params["a"]) == 6000
    assert facts.params["a"].endswith("x…")
    assert len(facts.tags["visionstudy.reason"]) == 8000


def test_settings_are_written_as_in_the_study_file(make_upload: MakeUpload) -> None:
    settings = {"a": "adam", "b": [1, "x"], "c": None, "d": True, "e": 1e-5}
    assert cell_facts("roads", make_upload(settings=settings)).params == {
        "a": "adam",
        "b": '[1, "x"]',
        "c": "null",
        "d": "true",
        "e": "1e-05",
    }


def test_stamps_tell_states_of_a_cell_apart_and_nothing_else(
    make_upload: MakeUpload, tmp_path: Path
) -> None:
    upload = make_upload(trials=2)
    assert files_stamp(upload) == files_stamp(make_upload(trials=2))
    assert weights_stamp(upload) == weights_stamp(replace(upload, weights=tmp_path / "w.pt"))
    others = [
        make_upload(trials=3),
        make_upload(trials=2, epochs=4),
        make_upload(trials=2, outcome=Outcome.STOPPED),
        replace(upload, artifacts=(Artifact(tmp_path / "x", "x"),)),
    ]
    stamps = {files_stamp(each) for each in [upload, *others]}
    assert len(stamps) == 5
    assert len({weights_stamp(each) for each in [upload, *others]}) == 4


def test_the_stamp_of_a_report_follows_its_content(make_study: MakeStudy, tmp_path: Path) -> None:
    report = tmp_path / "report.html"
    report.write_text("one")
    first = report_stamp(make_study(), report=report)
    assert report_stamp(make_study(), report=report) == first
    report.write_text("two")
    assert report_stamp(make_study(), report=report) != first


def test_the_note_shows_each_stage_with_its_winner(make_study: MakeStudy) -> None:
    configuration = ConfigurationRecord("c1", None, {"data.image_size": 256}, "", ("a1",))
    decision = DecisionRecord(
        "size", "car", "val/iou", "maximize", ("c1",), (), "best mean", 0.95, ()
    )
    decided = StageRecord("size", False, {}, {}, {}, (configuration,), (decision,), 4)
    open_ = StageRecord("rate", False, {}, {}, {}, (), (), 4)
    note = study_note(make_study(stages=(decided, open_), note="out of budget"))
    assert "| size (car) | image size 256 | best mean |" in note
    assert "| rate |  | undecided |" in note
    assert "**Not finished**: out of budget" in note
    assert "maximize `val/iou` (validation split)" in note


def test_an_unfinished_study_is_running(make_study: MakeStudy, make_cell: MakeCell) -> None:
    facts = study_facts(make_study(is_finished=False))
    assert (facts.status, facts.ended_ms) == ("RUNNING", None)
    facts = study_facts(make_study(cells={"a1": make_cell()}))
    assert (facts.status, facts.ended_ms) == ("FINISHED", 1_790_001_000_000)
    assert facts.tags["visionstudy.environment.torch"] == "2.15.0"
