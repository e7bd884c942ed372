"""A node that cannot be reached holds up its own trial, and no other."""

import os
import signal
from collections.abc import Callable, Iterator
from multiprocessing.connection import Client, Connection
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from studies.cli.app import app
from studies.running import ray_pool
from studies.running.eviction import LOCK_FILE
from studies.running.executors import EXECUTORS
from studies.running.file_lock import FileLock
from studies.running.inline_pool import InlinePool
from studies.running.pool import CutOff, Exited, Signal
from studies.running.ray_node import Arrival, Knock
from studies.running.ray_pool import Ended, RayPool
from studies.running.ray_share import Share
from studies.running.trial_order import Slot, TrialOrder
from trackers.records import Outcome


class FarPool(InlinePool):
    """Runs trials here, and says of the first one that it is cut off when it is over."""

    def __init__(self, *, comes_back: bool) -> None:
        super().__init__(Slot(0, None, "cpu", 1))
        self._comes_back = comes_back
        self._kept: list[Signal] | None = None

    def wait(self, timeout_s: float) -> list[Signal]:
        """Let the first trial exit after the second one, or interrupt the launch then."""
        signals = super().wait(timeout_s)
        if signals and self._kept is None:
            self._kept = signals
            return [CutOff(each.cell, "process 7 of ann on node-3") for each in signals]
        if signals and self._comes_back:
            return [*signals, *(self._kept or [])]
        if signals:
            os.kill(os.getpid(), signal.SIGINT)
        return signals


class FarTasks:
    """Tasks of a cluster on another machine, which is this one under another name."""

    def __init__(self) -> None:
        self.tell: dict[int, Callable[[Ended], None]] = {}
        self._lines: list[Connection] = []

    def room(self) -> int:
        return 2

    def submit(self, knock: Knock, tell: Callable[[Ended], None]) -> None:
        self.tell[knock.ticket] = tell
        line = Client(knock.address, authkey=knock.key)
        line.send(Arrival(knock.ticket, "node-3", None, "cpu"))
        self._lines.append(line)

    def kill(self, ticket: int) -> None:
        self.tell[ticket](Ended(ticket, None))

    def take_in(self, ended: Ended, *, had_trial: bool) -> None: ...

    def say_waiting(self, count: int) -> None: ...

    def close(self) -> None:
        for line in self._lines:
            line.close()


@pytest.fixture
def tasks() -> FarTasks:
    return FarTasks()


@pytest.fixture
def pool(tasks: FarTasks, monkeypatch: pytest.MonkeyPatch) -> Iterator[RayPool]:
    monkeypatch.setattr(ray_pool, "UNLOCK_S", 0.0)
    opened = RayPool(tasks, Share(cpus=1.0, gpus=0.0), "127.0.0.1")
    yield opened
    opened.close()


def order(folder: Path) -> TrialOrder:
    settings: dict[str, Any] = {"data": {}, "model": {}, "training": {}, "evaluation": {}}
    return TrialOrder(
        purpose="train",
        task="semantic_segmentation",
        cell=folder.name,
        attempt=1,
        settings=settings,
        seed=0,
        objective="val/iou",
        maximize=True,
        scores_test=False,
        folder=folder,
        earlier_folders=(),
        micro_batch_divisor=1,
        weights=None,
    )


def start(pool: RayPool, folder: Path) -> int:
    """Start a trial; return its task's ticket."""
    while (slot := pool.take(1)) is None:
        pool.wait(0.1)
    pool.start(order(folder), slot)
    return slot.number


def heard(pool: RayPool) -> list[Signal]:
    """Return what a pool says in a few turns."""
    return [signal for _ in range(5) for signal in pool.wait(0.01)]


def test_trial_that_is_cut_off_is_said_once_and_exits_when_its_folder_is_free(
    pool: RayPool, tasks: FarTasks, tmp_path: Path
) -> None:
    cut_off, other = tmp_path / "cut-off", tmp_path / "other"
    tickets = [start(pool, folder) for folder in (cut_off, other)]
    lock = FileLock(cut_off / LOCK_FILE)
    with lock:
        for ticket in tickets:
            tasks.tell[ticket](Ended(ticket, RuntimeError("the node died")))
        said = heard(pool)
        again = heard(pool)
    freed = heard(pool)

    assert {type(signal): signal.cell for signal in said} == {Exited: "other", CutOff: "cut-off"}
    assert len(said) == 2
    assert again == []
    assert freed == [Exited("cut-off", None)]


@pytest.mark.parametrize(("comes_back", "exit_code"), [(True, 0), (False, 1)])
def test_launch_goes_on_without_a_trial_that_is_cut_off(
    workshop: Any,
    noop_study: dict[str, Any],
    monkeypatch: pytest.MonkeyPatch,
    comes_back: bool,
    exit_code: int,
) -> None:
    for name in ("CUDA_DEVICE_ORDER", "CUDA_VISIBLE_DEVICES", "OMP_NUM_THREADS"):
        monkeypatch.setenv(name, "1")  # taken back, whatever a trial sets
    builders = {**EXECUTORS, "local": lambda *_: FarPool(comes_back=comes_back)}
    monkeypatch.setattr("studies.running.launch.EXECUTORS", builders)
    rates = {"stage": "rate", "vary": {"training.learning_rate": [1e-2, 1e-3]}}
    noop_study["search"] = {"tree": [rates]}
    shop = workshop(noop_study)

    done = CliRunner().invoke(app, shop.command("launch", str(shop.file))[3:])
    cells = shop.record().cells.values()

    assert done.exit_code == exit_code, done.output
    assert "process 7 of ann on node-3 holds its folder" in done.output
    assert ("left to its machine" in done.output) is not comes_back
    ended = [cell.outcome for cell in cells].count(Outcome.COMPLETE)
    assert ended == (2 if comes_back else 1)
