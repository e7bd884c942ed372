"""A trial of several processes is one trial: one result, one end, nothing left behind."""

import os
import signal
import time
from pathlib import Path
from typing import Any

import pytest
import torch

TOLERANCE = 1e-5
RANKING = ("val/auc", "val/average_precision")  # a pixel may fall into the next bin
VANISH_S = 20.0


def weights_of(trial: Any) -> dict[str, torch.Tensor]:
    """Return the best epoch's weights of a trial that finished."""
    file = trial.order.folder / trial.end["files"]["weights"]
    found: dict[str, torch.Tensor] = torch.load(file, weights_only=True)
    return found


def difference(one: Any, other: Any) -> float:
    """Return by how much the metrics of two trials' epochs differ at most."""
    pairs = zip(one.named("epoch"), other.named("epoch"), strict=True)
    found: list[float] = [
        abs(value - after["metrics"][name])
        for before, after in pairs
        for name, value in before["metrics"].items()
        if name.startswith(("train/", "val/")) and name not in RANKING
    ]
    return max(found)


def children(pid: int) -> list[int]:
    """Return the processes that a process has started, and those that they have."""
    try:
        own = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    except OSError:
        return []
    return [each for child in own for each in (int(child), *children(int(child)))]


def ranks_of(trial_pid: int) -> list[int]:
    """Return the processes that train beside a trial's own."""
    return [
        pid
        for pid in children(trial_pid)
        if b"forkserver" in Path(f"/proc/{pid}/cmdline").read_bytes() and not children(pid)
    ]


def started_pid(order: Any) -> int:
    """Return the process of a trial that runs."""
    first = (order.folder / "events.jsonl").read_text().splitlines()[0]
    return int(first.partition('"pid":')[2].partition(",")[0].strip("}"))


def vanish(pids: list[int]) -> bool:
    """Wait until processes are gone."""
    deadline = time.monotonic() + VANISH_S
    while any(Path(f"/proc/{pid}").exists() for pid in pids) and time.monotonic() < deadline:
        time.sleep(0.05)
    return not any(Path(f"/proc/{pid}").exists() for pid in pids)


@pytest.fixture(scope="module")
def alone(yard: Any) -> Any:
    """Return a trial of one process."""
    return yard.run(yard.order("alone"), 1)


@pytest.mark.slow
def test_two_processes_score_as_one_does_and_are_pruned_together(yard: Any, alone: Any) -> None:
    seen: list[int] = []
    verdicts = iter([None, "others do better"])
    order = yard.order("together", awaits_verdict=True, epochs=3)

    def judge() -> str | None:
        seen[:] = ranks_of(started_pid(order))
        return next(verdicts)

    together = yard.run(order, 2, when_asked=judge)

    assert (together.end["kind"], together.end["message"]) == ("pruned", "others do better")
    assert len(seen) == 1
    assert vanish(seen)
    assert difference(alone, together) < TOLERANCE
    (effective,) = together.named("effective")
    assert effective["processes"] == 2
    assert effective["batch_shapes"] == [[4, 3, 32, 32]]
    assert effective["images_per_process"] == 2


@pytest.mark.slow
def test_trial_that_lost_a_process_goes_on_with_another_number(yard: Any, alone: Any) -> None:
    order = yard.order("bereft", awaits_verdict=True)

    lost = yard.run(
        order, 2, when_asked=lambda: os.kill(ranks_of(started_pid(order))[0], signal.SIGKILL)
    )
    resumed = yard.run(yard.order("resumed", earlier=(order.folder,)), 1)

    assert lost.end["kind"] == "lost"
    assert "process 2 of 2 was lost: exit code -9" in lost.end["message"]
    assert resumed.named("effective")[0]["resumed_from_epoch"] == 1
    ours, theirs = weights_of(resumed), weights_of(alone)
    assert max(float((ours[name] - theirs[name]).abs().max()) for name in ours) < TOLERANCE


@pytest.mark.slow
def test_trial_that_lost_one_of_many_is_lost_whatever_the_others_say(yard: Any) -> None:
    order = yard.order("one-of-four", awaits_verdict=True)

    lost = yard.run(
        order, 4, when_asked=lambda: os.kill(max(ranks_of(started_pid(order))), signal.SIGKILL)
    )

    assert lost.end["kind"] == "lost", lost.end
    assert "of 4 was lost: exit code -9" in lost.end["message"]


@pytest.mark.slow
def test_killed_trial_leaves_no_process_behind(yard: Any) -> None:
    seen: list[int] = []
    order = yard.order("killed", awaits_verdict=True)

    def kill() -> None:
        seen.extend(ranks_of(started_pid(order)))
        os.kill(started_pid(order), signal.SIGKILL)

    assert yard.run(order, 2, when_asked=kill).exit_code == -signal.SIGKILL
    assert len(seen) == 1
    assert vanish(seen)
