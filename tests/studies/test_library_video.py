"""The studies of actions ask what the thesis's tables print, and what their headers say."""

from itertools import product
from pathlib import Path
from typing import Any

import pytest

from models.settings import TrainingSettings
from reports.baselines import Protocol, load
from studies.spec.load import load_study
from studies.spec.schema import CellSettings, StudySpec
from studies.spec.settings import base_settings, with_changes
from studies.spec.split_policies import warnings_of_splits

LIBRARY = Path(__file__).parents[2] / "studies" / "library"
NOWHERE = {"UCF101_ROOT": "/nowhere", "HMDB51_ROOT": "/nowhere"}
VIDEO_STUDIES = sorted(
    str(file.relative_to(LIBRARY).with_suffix(""))
    for file in LIBRARY.rglob("*.yaml")
    if "task: action_recognition" in file.read_text(encoding="utf-8")
)


def study(name: str) -> StudySpec:
    return load_study(LIBRARY / f"{name}.yaml", environ=NOWHERE, check_data=False).spec


def cells_of(spec: StudySpec, stage: str) -> list[CellSettings]:
    """Return what a stage trains from the base settings."""
    (found,) = [each for each in spec.search.tree if each.stage == stage]
    values: list[Any] = list(found.vary.values())
    chosen = zip(*values, strict=True) if found.together else product(*values)
    return [
        with_changes(
            base_settings(spec), {**found.with_, **dict(zip(found.vary, each, strict=True))}
        )
        for each in chosen
    ]


def asked(cell: CellSettings) -> tuple[object, ...]:
    training: TrainingSettings = cell.training
    return (
        *(cell.data.dataset, cell.data.image_size, cell.data.split.policy),
        *(training.learning_rate, training.weight_decay, training.optimizer),
        *(training.schedule.name, training.batch_size, training.epochs),
    )


def printed(row: Protocol) -> tuple[object, ...]:
    return (
        *(row.dataset, row.image_size, row.split_policy),
        *(row.learning_rate, row.weight_decay, row.optimizer),
        *(row.schedule, row.batch_size, row.epochs),
    )


def test_there_are_studies_of_actions() -> None:
    assert {
        "thesis/input_size",
        "thesis/slowfast_ucf101",
        "papers/c3d_ucf101",
        "papers/lrcn_ucf101",
        "papers/r2plus1d_hmdb51",
        "papers/two_stream_ucf101",
        "small/slowfast_actions",
        "small/slowfast_ucf101",
        "small/split_leak_actions",
    } == set(VIDEO_STUDIES)


def test_every_row_of_table_14_is_a_cell_of_the_thesis_study() -> None:
    spec = study("thesis/slowfast_ucf101")
    stages = ("learning rate", "weight decay", "optimizer")
    cells = {asked(cell) for stage in stages for cell in cells_of(spec, stage)}
    rows = {printed(row.protocol) for row in load(["thesis/table-14"])}

    assert len(rows) == 5
    assert rows == cells


def test_the_thesis_study_starts_from_the_first_row_of_table_14() -> None:
    spec = study("thesis/slowfast_ucf101")

    assert spec.search.base
    assert asked(base_settings(spec)) == printed(load(["thesis/table-14"])[0].protocol)


def test_the_split_of_the_thesis_is_70_to_30() -> None:
    split = study("thesis/slowfast_ucf101").data.split

    assert (split.policy, split.val) == ("grouped", 0.3)


def test_the_last_stage_sets_random_and_official_splits_beside_the_grouped_one() -> None:
    cells = cells_of(study("thesis/slowfast_ucf101"), "split")

    splits = [(cell.data.split.policy, getattr(cell.data, "split_list", None)) for cell in cells]
    assert splits == [("grouped", 1), ("random", 1), ("given", 1), ("given", 2), ("given", 3)]
    assert {row.protocol.split_policy for row in load(["thesis/table-16"])} == {"random"}


@pytest.mark.parametrize("name", VIDEO_STUDIES)
def test_only_studies_of_splits_are_warned_of_a_leaky_one(name: str) -> None:
    tries_splits = name in ("thesis/slowfast_ucf101", "small/split_leak_actions")

    assert [" is leaky: " in text for text in warnings_of_splits(study(name))] == (
        [True] if tries_splits else []
    )


@pytest.mark.parametrize("name", ["small/slowfast_actions", "small/split_leak_actions"])
def test_generated_actions_differ_only_in_motion_and_no_augmentation_exchanges_them(
    name: str,
) -> None:
    data = study(name).data

    assert getattr(data, "actions", None) == "motion_only"
    assert data.split.policy == "grouped"
    assert {change.name for change in data.augment} <= {"horizontal_flip"}


def test_slowfast_stands_beside_a_network_that_sees_single_frames() -> None:
    cells = cells_of(study("small/slowfast_actions"), "network")

    assert [cell.model.name for cell in cells] == ["constant", "single_frame", "slowfast"]
