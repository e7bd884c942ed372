"""Trials in the coordinator's own process: stopped, pruned and killed as anywhere else."""

import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from studies.running.inline_pool import InlinePool
from studies.running.pool import Asked, Exited, Signal, Wrote
from studies.running.trial_order import Slot, TrialOrder
from studies.tree.cell_history import read_history
from studies.tree.ledger_errors import LedgerError
from trackers.event_log import Event


@pytest.fixture
def order(make_order: Callable[..., TrialOrder]) -> TrialOrder:
    """Return an order of the scripted trainer, for three epochs."""
    return make_order({"training": {"epochs": 3}})


@pytest.fixture
def pool(monkeypatch: pytest.MonkeyPatch) -> InlinePool:
    """Return a pool; what it sets for a trial is taken back."""
    for name in ("CUDA_DEVICE_ORDER", "CUDA_VISIBLE_DEVICES", "OMP_NUM_THREADS"):
        monkeypatch.setenv(name, "1")
    return InlinePool(Slot(0, None, "cpu", 1))


def run(
    pool: InlinePool, order: TrialOrder, on: Callable[[Signal], None] = lambda _: None
) -> tuple[list[Signal], Event | None]:
    """Run a trial to its end; return all that was said, and its last word."""
    said: list[Signal] = []

    def turn(signals: list[Signal]) -> None:
        said.extend(signals)
        for each in signals:
            on(each)

    pool.give_turns(turn)
    slot = pool.take()
    assert slot is not None
    assert pool.take() is None, "one at a time"
    pool.start(order, slot)
    said += pool.wait(0.2)
    return said, read_history([order.folder]).end


def test_each_epoch_is_said_while_the_trial_runs(pool: InlinePool, order: TrialOrder) -> None:
    said, end = run(pool, order)
    assert sum(isinstance(each, Wrote) for each in said) == 1 + 1 + 3 + 1
    assert said[-1] == Exited("c", 0)
    assert end is not None
    assert end.name == "finished"
    assert pool.wait(0.2) == []


def test_a_trial_that_is_stopped_leaves_a_checkpoint(pool: InlinePool, order: TrialOrder) -> None:
    _, end = run(pool, order, lambda _: pool.stop("c"))
    assert end is not None
    assert end.fields["kind"] == "stopped"
    assert list(order.folder.glob("checkpoint-*.ckpt"))


def test_a_pruned_trial_asks_after_each_epoch_and_ends(
    pool: InlinePool, make_order: Callable[..., TrialOrder]
) -> None:
    order = make_order({"training": {"epochs": 4}}, awaits_verdict=True)

    def answer(each: Signal) -> None:
        if isinstance(each, Asked):
            pool.answer("c", "worse than others" if each.epoch == 2 else None)

    said, end = run(pool, order, answer)
    assert [each.epoch for each in said if isinstance(each, Asked)] == [1, 2]
    assert end is not None
    assert (end.fields["kind"], end.fields["message"]) == ("pruned", "worse than others")


def test_nobody_is_asked_after_the_last_epoch(
    pool: InlinePool, make_order: Callable[..., TrialOrder]
) -> None:
    order = make_order({"training": {"epochs": 1}}, awaits_verdict=True)
    said, end = run(pool, order)
    assert not any(isinstance(each, Asked) for each in said)
    assert end is not None
    assert end.name == "finished"


def test_a_killed_trial_says_nothing_more(pool: InlinePool, order: TrialOrder) -> None:
    said, end = run(pool, order, lambda _: pool.kill("c"))
    assert said[-1] == Exited("c", -signal.SIGKILL)
    assert end is None


def test_an_error_of_the_coordinator_is_not_the_trial_s(
    pool: InlinePool, order: TrialOrder
) -> None:
    def fail(_: Signal) -> None:
        raise LedgerError("the disk is full")

    with pytest.raises(LedgerError, match="the disk is full"):
        run(pool, order, fail)
    end = read_history([order.folder]).end
    assert end is not None
    assert end.fields["kind"] == "stopped"
    assert list(order.folder.glob("checkpoint-*.ckpt"))


def test_slot_and_folder_are_free_once_a_trial_ended(pool: InlinePool, order: TrialOrder) -> None:
    run(pool, order)
    _, end = run(pool, order)
    assert end is not None
    assert end.name == "finished"


@pytest.fixture
def make_order(tmp_path: Path) -> Callable[..., TrialOrder]:
    """Return a function that makes orders for the scripted trainer; settings are nested."""

    def make(settings: dict[str, Any], *, awaits_verdict: bool = False) -> TrialOrder:
        return TrialOrder(
            purpose="train",
            task="semantic_segmentation",
            cell="c",
            attempt=1,
            settings={
                "data": {"dataset": "none"},
                "model": {"name": "noop"},
                "evaluation": {},
                **settings,
            },
            seed=0,
            objective="val/iou",
            maximize=True,
            scores_test=False,
            folder=tmp_path / "c-1",
            earlier_folders=(),
            micro_batch_divisor=1,
            weights=None,
            awaits_verdict=awaits_verdict,
        )

    return make
