"""Building many shards: in this process, or by helpers where that is worth starting them."""

import time
from collections.abc import Generator, Sequence
from concurrent.futures import FIRST_COMPLETED, ProcessPoolExecutor, wait
from multiprocessing import active_children, get_context
from multiprocessing.connection import Connection

import cv2

from data_pipeline.cache.building import Built, ShardJob, Tick, build_shard, clear
from data_pipeline.loading.lifeline import Lifeline, end_with

ALONE_S = 2.0  # seconds of building after which it is known how long the rest takes
WORTH_PROCESSES_S = 10.0  # starting them takes seconds
TICK_S = 0.2  # between ticks while helpers build


def build_all(
    jobs: Sequence[ShardJob], processes: int, tick: Tick
) -> Generator[tuple[ShardJob, Built], None, None]:
    """Build missing shards, about in order; those that another process builds are "held".

    Args:
        jobs: What to build.
        processes: At most so many helpers; 0 or 1: this process alone.
        tick: Told often how many samples of the next shard are done; what it raises ends the
            work, and so does closing the iterator: at once, also that of the helpers.

    Raises:
        OSError: One cannot be written.
        BrokenExecutor: A helper was killed.
    """
    started = time.monotonic()
    for done, job in enumerate(jobs):
        elapsed = time.monotonic() - started
        left_s = elapsed / max(1, done) * (len(jobs) - done)
        if processes > 1 and elapsed > ALONE_S and left_s > WORTH_PROCESSES_S:
            yield from build_by_processes(jobs[done:], processes, tick)
            return
        yield job, build_shard(job, tick=tick)


def build_by_processes(
    jobs: Sequence[ShardJob], processes: int, tick: Tick
) -> Generator[tuple[ShardJob, Built], None, None]:
    """Build missing shards by helpers, as `build_all` does."""
    lifeline = Lifeline()
    pool = ProcessPoolExecutor(
        min(processes, len(jobs)),
        mp_context=get_context("forkserver"),  # fork after threads or CUDA can hang
        initializer=_start,
        initargs=(lifeline.other_end,),
    )
    others = frozenset(active_children())
    left = {pool.submit(build_shard, job): job for job in jobs}
    helpers = frozenset(active_children()) - others
    try:
        while left:
            done, _ = wait(left, timeout=TICK_S, return_when=FIRST_COMPLETED)
            tick(0)
            for future in done:
                built = future.result()
                yield left.pop(future), built
    finally:
        if left:  # a helper would finish its start and its shard first
            for helper in helpers:
                helper.kill()
        pool.shutdown(cancel_futures=True)
        for job in left.values():
            clear(job)


def _start(other_end: "Connection[None, None]") -> None:
    end_with(other_end)
    cv2.setNumThreads(0)  # one thread per process; the processes are the parallelism
