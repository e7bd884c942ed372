"""A trial process begins only when its coordinator still wants it."""

import multiprocessing
from pathlib import Path
from typing import Any

import pytest

from studies.running.trial_order import Slot, TrialOrder
from studies.running.trial_process import run_trial
from studies.tree.learnt_data import learnt_data
from trackers.event_log import read_events


@pytest.fixture
def order(tmp_path: Path) -> TrialOrder:
    """Return an order for the scripted trainer."""
    settings: dict[str, Any] = {
        "data": {"dataset": "none"},
        "model": {"name": "noop"},
        "training": {"epochs": 1},
        "evaluation": {},
    }
    return TrialOrder(
        purpose="train",
        task="semantic_segmentation",
        cell="c",
        attempt=1,
        settings=settings,
        seed=0,
        objective="val/iou",
        maximize=True,
        scores_test=False,
        folder=tmp_path / "c-1",
        earlier_folders=(),
        micro_batch_divisor=1,
        weights=None,
    )


def test_process_that_comes_up_after_its_coordinator_died_does_nothing(order: TrialOrder) -> None:
    context = multiprocessing.get_context("spawn")
    ours, theirs = context.Pipe()
    process = context.Process(target=run_trial, args=(order, Slot(0, None, "cpu", 1), theirs))
    process.start()
    theirs.close()
    ours.close()
    process.join(60)

    assert process.exitcode == 0
    assert not (order.folder / "events.jsonl").exists()


def test_process_that_is_told_to_go_trains(order: TrialOrder) -> None:
    context = multiprocessing.get_context("spawn")
    ours, theirs = context.Pipe()
    process = context.Process(target=run_trial, args=(order, Slot(0, None, "cpu", 1), theirs))
    process.start()
    theirs.close()
    assert ours.recv() == ("ready",)
    assert not (order.folder / "events.jsonl").exists()
    ours.send_bytes(b"go")
    process.join(60)

    assert process.exitcode == 0
    events, _ = read_events(order.folder / "events.jsonl")
    assert events[-1].name == "finished"
    assert events[0].fields["learnt"] == learnt_data(order.settings["data"])
