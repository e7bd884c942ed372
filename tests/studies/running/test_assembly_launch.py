"""A study of class networks from its first cell to its assembly, killed and not."""

import json
import os
import random
import signal
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML

from data_pipeline.catalog import data_fingerprint
from studies.cli.status_output import status_json
from studies.running.assembly_desk import AssemblyDesk
from studies.running.executors import Placement
from studies.running.launch import launch
from studies.running.progress import Snapshot
from studies.running.workspace import WorkspaceFolder
from studies.search.living_tree import data_fingerprints
from studies.spec.load import load_study
from studies.spec.schema import StudySpec
from studies.tree.grown import Tree
from studies.tree.growth import grow
from studies.tree.ledger import Ledger
from studies.tree.study_record import read_study
from trackers.memory_tracker import MemoryTracker
from trackers.records import AssemblyRecord, Outcome, StudyRecord

KILLS = 3
STUDY: dict[str, Any] = {
    "study": "classes",
    "task": "semantic_segmentation",
    "data": {
        "dataset": "street_scenes",
        "images": 40,
        "picture_width": 96,
        "picture_height": 72,
        "classes": ["bus", "stop sign"],
        "one_model_per_class": True,
        "image_size": 16,
        "split": {"policy": "random"},
        "cache": "off",
        "workers": 0,
    },
    "model": {"name": "unet", "base_channels": 2, "depth": 1},
    "training": {"learning_rate": 1e-2, "batch_size": 4, "epochs": 3},
    "objective": {"metric": "val/iou", "direction": "maximize"},
    "assembly": {"single_network": True},
    "search": {
        "tree": [
            {
                "stage": "learning rate",
                "vary": {"training.learning_rate": [1e-2, 3e-3]},
                "only": {"data.classes": ["bus"]},
            }
        ]
    },
}


class Said:
    """A view that remembers what it was told."""

    def __init__(self) -> None:
        self.lines: list[str] = []

    def say(self, message: str) -> None:
        self.lines.append(message)

    def update(self, snapshot: Snapshot) -> None:
        """Nothing is drawn."""

    def close(self) -> None:
        """Nothing to undo."""


@dataclass
class Finished:
    """A study that ran undisturbed."""

    place: WorkspaceFolder
    spec: StudySpec
    record: StudyRecord
    tracker: MemoryTracker
    lines: list[str]

    def desk(self, ledger: Ledger) -> tuple[AssemblyDesk, Tree]:
        """Return a new desk, as the next launch would have it, and the tree."""
        tree = grow(
            self.spec,
            ledger.results(self.spec.study),
            data_fingerprint=data_fingerprints(data_fingerprint),
        )
        return AssemblyDesk(self.spec, ledger, self.place.folder), tree


def study_in(folder: Path) -> dict[str, Any]:
    return {**STUDY, "data": {**STUDY["data"], "drawn_in": str(folder / "scenes")}}


@pytest.fixture(scope="module")
def scenes(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("scenes")


@pytest.fixture(scope="module")
def finished(scenes: Path, tmp_path_factory: pytest.TempPathFactory) -> Finished:
    folder = tmp_path_factory.mktemp("undisturbed")
    file = folder / "study.yaml"
    YAML().dump(study_in(scenes), file)
    place = WorkspaceFolder(folder / "runs")
    place.folder.mkdir()
    loaded, tracker, view = load_study(file), MemoryTracker(), Said()
    launch(loaded, place, placement=Placement(workers=2), tracker=tracker, view=view)
    ledger = Ledger(place.ledger_file)
    try:
        record = read_study(ledger, place.folder, "classes")
    finally:
        ledger.close()
    return Finished(place, loaded.spec, record, tracker, view.lines)


@pytest.fixture
def ledger(finished: Finished) -> Iterator[Ledger]:
    opened = Ledger(finished.place.ledger_file)
    yield opened
    opened.close()


def numbers(record: StudyRecord) -> dict[str, Any]:
    """Return everything that was measured, without times."""
    return {
        "cells": {cell.id: dict(cell.metrics) for cell in record.cells.values()},
        "macs": {cell.id: cell.train_macs for cell in record.cells.values()},
        "assemblies": [
            (each.id, dict(each.members), each.single, each.images, each.left_out, each.ways)
            for each in record.assemblies
        ],
    }


def only_assembly(record: StudyRecord) -> AssemblyRecord:
    (assembly,) = record.assemblies
    return assembly


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_study_of_classes_puts_them_together(finished: Finished) -> None:
    assembly = only_assembly(finished.record)
    assert finished.record.is_finished
    assert "assembly / seed 0: complete" in finished.lines
    assert any(line.startswith("single network / seed 0: complete") for line in finished.lines)
    assert set(assembly.ways) == {"own", "assembly", "single"}
    assert assembly.outcome is Outcome.COMPLETE


@pytest.mark.slow
def test_a_class_that_the_stage_left_out_is_trained_for_the_assembly(finished: Finished) -> None:
    cell = finished.record.cells[only_assembly(finished.record).members["stop sign"]]
    assert cell.outcome is Outcome.COMPLETE
    assert all(cell.id not in c.cells for s in finished.record.stages for c in s.configurations)


@pytest.mark.slow
def test_the_single_network_spends_what_the_class_networks_did(finished: Finished) -> None:
    assembly, cells = only_assembly(finished.record), finished.record.cells
    assert assembly.single is not None
    single = cells[assembly.single]
    spent = sum(cells[cell].train_macs for cell in assembly.members.values())
    assert single.settings["training.macs_limit"] == spent
    epoch = single.train_macs / len(single.epochs)
    assert spent <= single.train_macs < spent + epoch


@pytest.mark.slow
def test_an_assembly_has_a_run_of_its_own(finished: Finished) -> None:
    assembly = only_assembly(finished.record)
    run = finished.tracker.runs["classes"][assembly.id]
    assert run.tags["visionstudy.kind"] == "assembly"
    assert run.tags["visionstudy.outcome"] == "complete"
    assert run.params["assembly.bus"] == assembly.members["bus"]
    value = assembly.ways["assembly"].metrics["test/iou"]
    assert run.points["final/test/iou"][0].value == value
    assert {"predictions/strip.png", "predictions/test.npz", "output.log"} <= run.files


@pytest.mark.slow
def test_the_weights_of_all_its_networks_are_kept(finished: Finished) -> None:
    assembly = only_assembly(finished.record)
    assert assembly.single is not None
    for cell in (*assembly.members.values(), assembly.single):
        assert finished.tracker.runs["classes"][cell].has_weights


@pytest.mark.slow
def test_the_status_tells_of_the_assembly(finished: Finished) -> None:
    (told,) = json.loads(status_json(finished.record))["assemblies"]
    assembly = only_assembly(finished.record)
    assert told["outcome"] == "complete"
    assert told["members"] == assembly.members
    assert told["ways"]["assembly"]["threshold"] == assembly.ways["assembly"].threshold


@pytest.mark.slow
def test_an_assembly_that_was_scored_is_not_scored_again(
    finished: Finished, ledger: Ledger
) -> None:
    desk, tree = finished.desk(ledger)
    desk.follow(tree)
    assert not desk.may_start()


@pytest.mark.slow
def test_scores_that_a_killed_coordinator_missed_are_taken_in(
    finished: Finished, ledger: Ledger
) -> None:
    assembly = only_assembly(finished.record)
    ledger.save_assembly("classes", assembly.id, outcome=None, scores={}, ended_at=None)
    desk, tree = finished.desk(ledger)
    desk.follow(tree)
    assert not desk.may_start()
    again = only_assembly(read_study(ledger, finished.place.folder, "classes"))
    assert again.ways == assembly.ways


@pytest.mark.slow
def test_networks_whose_weights_were_dropped_are_named(
    finished: Finished, ledger: Ledger, tmp_path: Path
) -> None:
    spec = finished.spec.model_copy(
        update={"assembly": finished.spec.assembly.model_copy(update={"thresholds": [0.2]})}  # type: ignore[union-attr]
    )
    # The same ledger beside another folder, in which no weights are.
    desk = AssemblyDesk(spec, ledger, tmp_path)
    before = finished.desk(ledger)[1]
    other = grow(
        spec,
        ledger.results("classes"),
        data_fingerprint=data_fingerprints(data_fingerprint),
    )
    desk.follow(other)
    (row,) = ledger.assemblies("classes")
    AssemblyDesk(finished.spec, ledger, finished.place.folder).follow(before)
    assert not desk.may_start()
    assert row["outcome"] == Outcome.INFEASIBLE
    assert "were dropped" in row["reason"]

    again = AssemblyDesk(spec, ledger, finished.place.folder)  # where the weights are
    again.follow(other)
    AssemblyDesk(finished.spec, ledger, finished.place.folder).follow(before)
    assert again.may_start()


@pytest.mark.slow
def test_a_study_that_no_longer_asks_for_assemblies_plans_none(
    finished: Finished, ledger: Ledger
) -> None:
    desk, tree = finished.desk(ledger)
    looks = read_study(ledger, finished.place.folder, "classes").test_looks
    spec = finished.spec.model_copy(update={"assembly": None})
    without = grow(spec, ledger.results("classes"), data_fingerprint=lambda _: "")
    AssemblyDesk(spec, ledger, finished.place.folder).follow(without)
    planned = ledger.assemblies("classes")
    assert read_study(ledger, finished.place.folder, "classes").test_looks == looks
    desk.follow(tree)
    assert planned == ()
    assert not desk.may_start()


@pytest.mark.exhaustive
@pytest.mark.timeout(1200)
def test_killed_study_of_classes_ends_with_the_same_assembly(
    workshop: Any, finished: Finished, scenes: Path
) -> None:
    shop = workshop(study_in(scenes))
    trials = shop.runs / "studies" / "classes" / "trials"
    moments = random.Random(4)
    for kill in range(KILLS):
        coordinator = shop.start()
        # The last kill is for the time when networks are put together.
        pattern = "*-assembly/events.jsonl" if kill == KILLS - 1 else "*/events.jsonl"
        seen = len(list(trials.glob(pattern)))
        while len(list(trials.glob(pattern))) == seen and coordinator.poll() is None:
            time.sleep(0.02)
        time.sleep(moments.uniform(0.0, 0.7))
        os.kill(coordinator.pid, signal.SIGKILL)
        coordinator.wait()
    shop.launch()

    after = shop.record()
    assert after.is_finished
    assert numbers(after) == numbers(finished.record)
