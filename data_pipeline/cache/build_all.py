"""Building many shards: in this process, or by helpers where that is worth starting them."""

import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from multiprocessing import get_context
from multiprocessing.connection import Connection

import cv2

from data_pipeline.cache.building import Built, ShardJob, build_shard
from data_pipeline.loading.lifeline import Lifeline, end_with

ALONE_S = 2.0  # seconds of building after which it is known how long the rest takes
WORTH_PROCESSES_S = 10.0  # starting them takes seconds


def build_all(jobs: Sequence[ShardJob], processes: int) -> Iterator[tuple[ShardJob, Built]]:
    """Build missing shards, about in order; those that another process builds are "held".

    Raises:
        OSError: One cannot be written.
        BrokenExecutor: A helper was killed.
    """
    started = time.monotonic()
    for done, job in enumerate(jobs):
        elapsed = time.monotonic() - started
        left_s = elapsed / max(1, done) * (len(jobs) - done)
        if processes > 1 and elapsed > ALONE_S and left_s > WORTH_PROCESSES_S:
            yield from build_by_processes(jobs[done:], processes)
            return
        yield job, build_shard(job, waits=False)


def build_by_processes(
    jobs: Sequence[ShardJob], processes: int
) -> Iterator[tuple[ShardJob, Built]]:
    """Build missing shards by helpers, as `build_all` does."""
    lifeline = Lifeline()
    pool = ProcessPoolExecutor(
        min(processes, len(jobs)),
        mp_context=get_context("forkserver"),  # fork after threads or CUDA can hang
        initializer=_start,
        initargs=(lifeline.other_end,),
    )
    try:
        futures = {pool.submit(build_shard, job, waits=False): job for job in jobs}
        for future in as_completed(futures):
            yield futures[future], future.result()
    finally:
        pool.shutdown(cancel_futures=True)


def _start(other_end: "Connection[None, None]") -> None:
    end_with(other_end)
    cv2.setNumThreads(0)  # one thread per process; the processes are the parallelism
