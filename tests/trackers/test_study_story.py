"""What a study's decisions become: marks on runs, champions, a note."""

from collections.abc import Callable
from typing import Any

import pytest

from trackers.records import (
    CandidateRecord,
    CellRecord,
    ConfigurationRecord,
    DecisionRecord,
    Outcome,
    StageRecord,
    StudyRecord,
)
from trackers.study_story import Addresses, Story, story_of, study_note

MakeCell = Callable[..., CellRecord]
MakeStudy = Callable[..., StudyRecord]


def decided(
    name: str, winner: str, *configurations: ConfigurationRecord, after_training: bool = False
) -> StageRecord:
    candidate = CandidateRecord(
        winner, {"seed 0": 0.5, "seed 1": 0.7}, (), 0.6, 0.5, 0.7, None, None, None, 1.0, 1.0, True
    )
    decision = DecisionRecord(
        name, "", "val/iou", "maximize", (winner,), (candidate,), f"{name} won", 0.95, ("a flip",)
    )
    return StageRecord(name, after_training, {}, {}, {}, configurations, (decision,), 4)


@pytest.fixture
def study(make_study: MakeStudy, make_cell: MakeCell) -> Callable[..., StudyRecord]:
    """Return a function that makes a study of two stages, the second one after training."""

    def make(**fields: Any) -> StudyRecord:
        values = {"a0": 0.5, "a1": 0.7, "b0": 0.4, "b1": 0.4, "t0": 0.55, "t1": 0.75}
        cells = {
            name: make_cell(
                name,
                seed=int(name[1]),
                metrics={"val/iou": value},
                source=f"a{name[1]}" if name[0] == "t" else None,
            )
            for name, value in values.items()
        }
        rate = decided(
            "rate",
            "1.1",
            ConfigurationRecord("1.1", None, {"training.learning_rate": 1e-3}, "", ("a0", "a1")),
            ConfigurationRecord("1.2", None, {"training.learning_rate": 1e-4}, "", ("b0", "b1")),
        )
        threshold = ConfigurationRecord(
            "2.1", "1.1", {"evaluation.threshold": 0.3}, "", ("t0", "t1")
        )
        last = decided("threshold", "2.1", threshold, after_training=True)
        return make_study(**{"stages": (rate, last), "cells": cells, **fields})

    return make


def roles(story: Story) -> dict[str, str]:
    return {cell: mark.role for cell, mark in story.marks.items()}


def test_the_winners_cells_and_those_they_were_trained_as_are_marked(
    study: Callable[..., StudyRecord],
) -> None:
    story = story_of(study())
    assert roles(story) == {"a0": "winner", "a1": "winner", "t0": "winner", "t1": "winner"}
    assert story.marks["a0"].stages == ("rate", "threshold")
    assert "- **rate**: rate won" in story.marks["a0"].note
    assert "    - a flip" in story.marks["a0"].note


def test_who_won_a_stage_alone_is_marked_so(study: Callable[..., StudyRecord]) -> None:
    whole = study()
    second = decided(
        "again",
        "3.1",
        ConfigurationRecord("3.1", "1.1", {"training.batch_size": 4}, "", ("b0", "b1")),
    )
    story = story_of(study(stages=(whole.stages[0], second)))
    assert roles(story) == {
        "a0": "stage winner",
        "a1": "stage winner",
        "b0": "winner",
        "b1": "winner",
    }


def test_the_champion_is_the_trained_cell_of_the_best_seed(
    study: Callable[..., StudyRecord],
) -> None:
    (champion,) = story_of(study()).champions
    assert champion.trained == ("a1", "a0")
    assert (champion.stage, champion.configuration) == ("threshold", "2.1")
    assert champion.label == "learning rate 0.001, threshold 0.3"
    (least,) = story_of(study(direction="minimize")).champions
    assert least.trained == ("a0", "a1")


def test_each_class_of_a_network_per_class_has_its_champion(
    make_study: MakeStudy, make_cell: MakeCell
) -> None:
    cells = {name: make_cell(name, group=name) for name in ("car", "don't/stop")}
    one = ConfigurationRecord("1.1", None, {}, "", tuple(cells))
    story = story_of(make_study(stages=(decided("rate", "1.1", one),), cells=cells))
    assert {each.model: each.trained for each in story.champions} == {
        "roads (car)": ("car",),
        "roads (don_t_stop)": ("don't/stop",),
    }


def test_a_cell_without_a_result_is_no_winner(make_study: MakeStudy, make_cell: MakeCell) -> None:
    cells = {"a0": make_cell("a0", outcome=Outcome.FAILED)}
    one = ConfigurationRecord("1.1", None, {}, "", ("a0", "unknown"))
    story = story_of(make_study(stages=(decided("rate", "1.1", one),), cells=cells))
    assert (story.marks, story.champions) == ({}, ())


def test_the_note_begins_with_the_winner_its_interval_and_links(
    study: Callable[..., StudyRecord],
) -> None:
    at = Addresses({"a0": "#zero", "a1": "#one"}, {"roads": "#curves"}, "#report")
    assert study_note(study(), at).splitlines()[0] == (
        "**★ Winner** — [curves](#curves) · [report](#report): "
        "learning rate 0.001, threshold 0.3; `val/iou` 0.65 (0.5 to 0.7, 2 seeds): "
        "[seed 1](#one) · [seed 0](#zero)"
    )
    note = study_note(study())
    assert note.startswith("**★ Winner**: learning rate 0.001, threshold 0.3; `val/iou` 0.65")
    assert "| threshold | threshold 0.3 | threshold won |" in note


def test_an_undecided_study_has_a_note_and_no_winner(make_study: MakeStudy) -> None:
    assert study_note(make_study()).startswith("Which learning rate?")
