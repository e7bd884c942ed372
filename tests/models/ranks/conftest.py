"""Several ranks on this machine: processes forked from the test's own, joined by gloo."""

import multiprocessing
import os
import pickle
from collections.abc import Callable
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import pytest
import torch

from models.process_group import ProcessGroup

PATIENCE_S = 240.0
Work = Callable[[ProcessGroup], Any]


@pytest.fixture
def on_ranks(tmp_path: Path) -> Callable[..., list[Any]]:
    """Return what runs work on so many ranks; returns, by rank, what it returned or raised."""
    runs = 0

    def run(work: Work, count: int = 2) -> list[Any]:
        nonlocal runs
        runs += 1
        context = multiprocessing.get_context("fork")  # the work is a closure
        pipes = [context.Pipe(duplex=False) for _ in range(count)]
        rendezvous = tmp_path / f"rendezvous-{runs}"
        processes = [
            context.Process(target=_work, args=(work, rank, count, rendezvous, pipe[1]))
            for rank, pipe in enumerate(pipes)
        ]
        for process in processes:
            process.start()
        try:
            return [_answer(pipe[0]) for pipe in pipes]
        finally:
            for process in processes:
                process.kill()
                process.join()

    return run


def _answer(pipe: "Connection[Any, Any]") -> Any:
    assert pipe.poll(PATIENCE_S), "a rank waits for another"
    return pickle.loads(pipe.recv_bytes())


def _work(
    work: Work, rank: int, count: int, rendezvous: Path, pipe: "Connection[Any, Any]"
) -> None:
    torch.set_num_threads(1)  # a forked process has none of the threads that OpenMP counts on
    try:
        answer = work(ProcessGroup(rank, count, rendezvous))
    except BaseException as error:  # noqa: BLE001  # it is what is tested
        answer = error
    pipe.send_bytes(pickle.dumps(answer))
    os._exit(0)
