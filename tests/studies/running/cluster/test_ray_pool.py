"""Trials on a Ray cluster behave as those on this machine, also when their node dies."""

import json
import os
import signal
import socket
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from studies.running.pool import Asked, Exited, Signal
from studies.running.ray_pool import RayPool
from studies.running.ray_share import ClusterError, Share
from studies.running.trial_order import Slot, TrialOrder
from studies.tree.cell_history import EVENTS_FILE
from trackers.event_log import Event, read_events
from trackers.records import Outcome, StudyRecord

pytestmark = [pytest.mark.ray, pytest.mark.slow, pytest.mark.timeout(600)]

OpenPool = Callable[..., RayPool]
TakeAll = Callable[[RayPool, int], list[Slot]]
Follow = Callable[[RayPool, str], list[Signal]]
MakeOrder = Callable[..., TrialOrder]
EPOCHS = 10
TIMEOUT_S = 240  # a guard, no expectation


@pytest.fixture
def slow_study(noop_study: dict[str, Any]) -> dict[str, Any]:
    """Return a study of four cells that live long enough to be killed."""
    noop_study["model"]["epoch_seconds"] = 0.3
    noop_study["training"]["epochs"] = EPOCHS
    noop_study["search"]["tree"] = noop_study["search"]["tree"][:1]
    return noop_study


@pytest.fixture
def on_ray(cluster: Any) -> Callable[[int], tuple[str, ...]]:
    """Return a function that returns the options of a launch on the cluster."""

    def options(workers: int) -> tuple[str, ...]:
        where = ("--executor", "ray", "--ray-address", cluster.address)
        return (*where, "--workers", str(workers))

    return options


def events_of(record: StudyRecord, runs: Path, cell: str) -> list[Event]:
    """Return what all attempts at a cell wrote, in order."""
    folders = [runs / trial.folder for trial in record.cells[cell].trials]
    return [event for folder in folders for event in read_events(folder / EVENTS_FILE)[0]]


def assert_each_epoch_was_trained_once(record: StudyRecord, runs: Path) -> None:
    """Every attempt goes on after the last epoch that one before it had reported."""
    for cell in record.cells:
        epochs = [0]
        for event in events_of(record, runs, cell):
            if event.name == "effective":
                assert event.fields["resumed_from_epoch"] >= epochs[-1]
            if event.name == "epoch":
                epochs.append(event.fields["epoch"])
        assert epochs == list(range(EPOCHS + 1))


def wait_for_epochs(coordinator: subprocess.Popen[str], runs: Path, trials: int) -> list[Path]:
    """Wait until so many trials that run now finished an epoch; return their folders."""
    while True:
        assert coordinator.poll() is None, coordinator.stdout and coordinator.stdout.read()
        logs = runs.glob("studies/*/trials/*/events.jsonl")
        names = {log.parent: [event.name for event in read_events(log)[0]] for log in logs}
        running = [
            folder
            for folder, events in names.items()
            if "epoch" in events and not {"finished", "ended"} & set(events)
        ]
        if len(running) >= trials:
            return running
        time.sleep(0.05)


def free_cpus() -> float:
    """Return the cores of the cluster that no task has."""
    import ray  # where there is a cluster there is Ray

    free = ray.available_resources()  # type: ignore[no-untyped-call]
    return float(free.get("CPU", 0.0))


def pid_of(folder: Path) -> int:
    """Return the process that runs a trial."""
    return int(json.loads((folder / "lock").read_text())["pid"])


def parent_of(pid: int) -> int:
    """Return a process's parent."""
    return int(Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[1])


@pytest.mark.parametrize(
    ("gpus", "expected"),
    [(1.0, ["0", "1"]), (2.0, ["0,1"]), (0.5, ["0", "0", "1"])],
)
def test_each_trial_sees_the_gpus_that_are_its_own(
    open_pool: OpenPool, take_all: TakeAll, gpus: float, expected: list[str]
) -> None:
    pool = open_pool(Share(cpus=0.5, gpus=gpus), limit=len(expected))

    assert sorted(str(slot.gpu) for slot in take_all(pool, len(expected))) == expected


def test_pruning_verdict_reaches_a_trial_on_the_cluster(
    open_pool: OpenPool, take_all: TakeAll, follow: Follow, make_order: MakeOrder
) -> None:
    pool = open_pool(Share(cpus=1.0, gpus=0.0), limit=1)
    order = make_order("pruned", epochs=5, awaits_verdict=True)
    (slot,) = take_all(pool, 1)
    pool.start(order, slot)
    for verdict in (None, "others do better"):
        while not any(isinstance(each, Asked) for each in pool.wait(0.1)):
            pass
        pool.answer(order.cell, verdict)
    signals = follow(pool, order.cell)
    events, _ = read_events(order.folder / EVENTS_FILE)

    assert signals[-1] == Exited(order.cell, 0)
    assert [event.fields["epoch"] for event in events if event.name == "epoch"] == [1, 2]
    assert events[-1].fields["kind"] == "pruned"
    assert events[-1].fields["message"] == "others do better"


def test_node_with_other_code_is_named_and_not_used(
    open_pool: OpenPool, follow: Follow, monkeypatch: pytest.MonkeyPatch
) -> None:
    said: list[str] = []
    monkeypatch.setattr("studies.running.ray_cluster.source_hash", lambda _: "other-code")
    pool = open_pool(Share(cpus=1.0, gpus=0.0), limit=1, say=said.append)
    pool.take()
    with pytest.raises(ClusterError, match="install the same version on"):
        follow(pool, "that no node runs")

    assert f"{socket.gethostname()} is not used: its visionstudy has source" in said[-1]
    assert "this one other-code" in said[-1]


def test_slot_that_finds_no_trial_is_given_back(
    open_pool: OpenPool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("studies.running.ray_pool.IDLE_S", 0.2)
    pool = open_pool(Share(cpus=2.0, gpus=0.0), limit=1)
    assert pool.take() is None
    for is_leased in (True, False):
        while (free_cpus() < 2.0) != is_leased:
            pool.wait(0.1)

    assert pool.take() is None


def test_four_workers_on_a_cluster_run_each_cell_exactly_once(
    workshop: Any, noop_study: Any, on_ray: Any
) -> None:
    space = {"training.learning_rate": {"low": 1e-5, "high": 1e-1, "log": True}}
    noop_study["search"] = {"joint": {"space": space, "sampler": "random", "trials": 8}}
    shop = workshop(noop_study)
    shop.launch(*on_ray(4))
    record = shop.record()

    assert record.is_finished
    assert [len(cell.trials) for cell in record.cells.values()] == [1] * 8
    assert {cell.outcome for cell in record.cells.values()} == {Outcome.COMPLETE}
    assert {cell.trials[0].host for cell in record.cells.values()} == {socket.gethostname()}
    assert len(shop.trial_folders()) == 8


def test_killed_worker_and_killed_node_lose_no_finished_epoch(
    workshop: Any, slow_study: Any, on_ray: Any, cluster: Any
) -> None:
    shop = workshop(slow_study)
    node = cluster.add_node(num_cpus=2, num_gpus=2, object_store_memory=80_000_000)
    raylet = node.all_processes["raylet"][0].process.pid
    coordinator = shop.start(*on_ray(4))
    running = wait_for_epochs(coordinator, shop.runs, 4)
    pids = [pid_of(folder) for folder in running]
    there = [pid for pid in pids if parent_of(pid) == raylet]
    os.kill(next(pid for pid in pids if pid not in there), signal.SIGKILL)
    cluster.remove_node(node, allow_graceful=False)
    output, _ = coordinator.communicate(timeout=TIMEOUT_S)
    record = shop.record()

    assert coordinator.returncode == 0, output
    assert len(there) == 2
    lost = [trial for cell in record.cells.values() for trial in cell.trials[:-1]]
    assert [trial.outcome for trial in lost] == [Outcome.LOST] * 3
    assert record.is_finished
    assert_each_epoch_was_trained_once(record, shop.runs)
    for name, cell in record.cells.items():
        events = events_of(record, shop.runs, name)
        used = {event.fields["learning_rate"] for event in events if event.name == "effective"}
        assert used == {cell.settings["training.learning_rate"]}


@pytest.mark.exhaustive
def test_study_goes_on_where_another_executor_left_it(
    workshop: Any, slow_study: Any, on_ray: Any
) -> None:
    shop = workshop(slow_study)
    for number, where in ((signal.SIGINT, on_ray(2)), (signal.SIGTERM, ())):
        coordinator = shop.start(*where)
        wait_for_epochs(coordinator, shop.runs, 2)
        coordinator.send_signal(number)
        output, _ = coordinator.communicate(timeout=TIMEOUT_S)
        assert coordinator.returncode == 1, output
        assert "go on: visionstudy launch" in output
    stopped = shop.record()
    shop.launch(*on_ray(2))
    finished = shop.record()

    reasons = [trial.reason for cell in stopped.cells.values() for trial in cell.trials]
    assert reasons == ["stopped with a checkpoint"] * len(reasons)
    assert finished.is_finished
    assert_each_epoch_was_trained_once(finished, shop.runs)
