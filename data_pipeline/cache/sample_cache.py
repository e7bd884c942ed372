"""The decoded samples of a split in shards on disk, shared by all trials and processes.

    samples/<key>/plan.json     how many samples a shard has
    samples/<key>/00000.shard   whole, or not there
    samples/<key>/00000.lock    held by who writes it

What cannot be kept is decoded from its source each time: the cache makes things faster or, with
a warning, leaves them as they are. It never fails a trial, and what it gives was compared with
its checksums.
"""

import logging
import os
import shutil
import time
from collections.abc import Callable, Iterable
from concurrent.futures import BrokenExecutor
from contextlib import closing, suppress
from pathlib import Path
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from data_pipeline.cache.bounds import VARIABLE, entry_lock
from data_pipeline.cache.build_all import build_all
from data_pipeline.cache.building import Built, Decoder, ShardJob, Tick, build_shard
from data_pipeline.cache.locks import Lock, lock
from data_pipeline.cache.plan import Plan, agreed_plan
from data_pipeline.cache.shards import DamagedShardError, Shard
from data_pipeline.samples import Sample

logger = logging.getLogger(__name__)

TELL_INTERVAL_S = 0.2  # what is told may stop the work, so no one waits longer
LOOK_INTERVAL_S = 0.1  # whether another process has built a shard
LOG_INTERVAL_S = 5.0
MB = 10**6
# What a warning is about, without what differs from trial to trial; a study says it once.
NOT_KEPT = "decoded samples cannot be kept"
BEYOND_BOUND = "not all decoded samples fit the bound of the cache"
SLOWER = "; they are decoded every time, which is slower and gives the same pixels"
Progress: TypeAlias = Callable[[int, int], None]  # samples kept so far, samples in all


class SampleCache:
    """Samples of one split in one form."""

    def __init__(self, folder: Path, decoder: Decoder, *, is_bounded: bool) -> None:
        """Prepare; nothing is read or written before `build`.

        Args:
            folder: Its own, named by what decides the samples, in the folder of all samples.
            decoder: Makes what is missing.
            is_bounded: Whether to keep only what fits the bound of all samples.
        """
        self._folder = folder
        self._decoder = decoder
        self._is_bounded = is_bounded
        self._plan: Plan | None = None
        self._lock: Lock | None = None  # shared: says that the folder is in use
        self._shards: dict[int, Shard | None] = {}
        self._is_final = False  # nothing more can be kept

    def build(self, *, processes: int = 0, progress: Progress | None = None) -> None:
        """Build what is missing, as far as it can be kept.

        Args:
            processes: At most so many helpers; 0 or 1: this process alone.
            progress: Told how far it is, several times a second; what it raises ends the work,
                and the shards that are whole stay.
        """
        if self._is_final:
            return
        try:
            if self._lock is None:
                self._lock = lock(entry_lock(self._folder), is_shared=True)
                os.utime(self._lock.file)  # the oldest is evicted first
            self._plan = agreed_plan(self._folder, self._decoder)
            self._build(processes, progress)
        except OSError as error:
            self._give_up(f"{error.strerror}")
        except BrokenExecutor:
            self._give_up("a process that decodes them was killed, maybe for lack of memory")
        self._shards = {n: shard for n, shard in self._shards.items() if shard is not None}

    def close(self) -> None:
        """Say that the samples are not in use any more; those handed out stay valid."""
        self._shards.clear()
        self._plan = None
        if self._lock is not None:
            self._lock.release()
            self._lock = None

    def are_kept(self) -> NDArray[np.bool_]:
        """Return for each sample, (samples,), whether it is kept."""
        found = np.zeros(len(self._decoder), np.bool_)
        if self._plan is not None:
            for number in range(self._plan.shards):
                shard = self._shard(number)
                if shard is not None:
                    indices = self._plan.indices(number)
                    found[indices.start : indices.stop] = shard.are_kept
        return found

    def __contains__(self, index: int) -> bool:
        located = self._located(index)
        return located is not None and located[1] in located[0]

    def frame_count(self, index: int) -> int:
        """Return how many frames a kept video has."""
        located = self._located(index)
        if located is None:
            raise KeyError(index)
        return located[0].frame_count(located[1])

    def sample(self, index: int, rows: Iterable[int] | None = None) -> Sample | None:
        """Return a kept sample; None: it is not kept, or not as it was written.

        Args:
            index: In the split.
            rows: Frames of a video that will be looked at; None: all of the sample.

        Returns:
            Its arrays may be views of the file, which cannot be written to.
        """
        located = self._located(index)
        if located is None:
            return None
        shard, position = located
        try:
            return shard.sample(position, rows)
        except DamagedShardError as error:
            self._drop(shard, error)
            return None

    def _located(self, index: int) -> tuple[Shard, int] | None:
        if self._plan is None:
            return None
        number, position = divmod(index, self._plan.per_shard)
        shard = self._shard(number)
        return None if shard is None else (shard, position)

    def _shard(self, number: int) -> Shard | None:
        if number not in self._shards:
            self._shards[number] = self._opened(number)
        return self._shards[number]

    def _opened(self, number: int) -> Shard | None:
        file = self._file(number)
        samples = 0 if self._plan is None else len(self._plan.indices(number))
        try:
            shard = Shard(file)
            if len(shard) != samples:
                raise DamagedShardError(f"shard {file} has {len(shard)} samples, not {samples}")
        except FileNotFoundError:
            return None
        except DamagedShardError as error:
            logger.warning("%s; its samples are decoded again", error)
            file.unlink(missing_ok=True)
            return None
        except OSError as error:
            logger.warning("cannot open %s: %s; decoding its samples", file, error.strerror)
            return None
        return shard

    def _drop(self, shard: Shard, error: DamagedShardError) -> None:
        """Forget a shard; it is built again at the next epoch."""
        logger.warning("%s; its samples are decoded again", error)
        with suppress(OSError):
            if shard.file.stat().st_ino == shard.inode:  # else another process has renewed it
                shard.file.unlink()
        for number, known in self._shards.items():
            if known is shard:
                self._shards[number] = None

    def _build(self, processes: int, progress: Progress | None) -> None:
        plan = self._plan
        if plan is None:
            self._is_final = True
            return
        missing = [self._job(plan, n) for n in range(plan.shards) if not self._file(n).is_file()]
        if not missing:
            return
        kept = plan.samples - sum(len(job.decoder) for job in missing)
        report = _Report(self._folder, progress, kept=kept, samples=plan.samples)
        held = []
        with closing(build_all(missing, processes, report.within)) as building:
            for job, built in building:
                if built == "held":
                    held.append(job)
                elif self._goes_on(built):
                    report.add(len(job.decoder))
                else:
                    return
        for job in held:
            if not self._goes_on(_built_or_awaited(job, report.within)):
                return
            report.add(len(job.decoder))

    def _goes_on(self, built: Built) -> bool:
        if built == "no room":
            self._is_final = True
            logger.warning(
                "not all samples can be kept in %s: the bound of %s (%s, and half of the disk's "
                "free space) is reached; the others are decoded every time, which is slower. "
                "Raise it, free space, or set data.cache to 'on'",
                self._folder,
                self._folder.parent,
                VARIABLE,
                extra={"topic": f"{BEYOND_BOUND} ({VARIABLE}){SLOWER}"},
            )
        return built == "whole"

    def _give_up(self, reason: str) -> None:
        self._is_final = True
        plan, parent = self._plan, self._folder
        while not parent.is_dir():
            parent = parent.parent
        need = ""
        if plan is not None:
            missing = sum(
                len(plan.indices(n)) for n in range(plan.shards) if not self._file(n).is_file()
            )
            need = f" {missing * plan.sample_bytes / MB:.1f} MB more are needed and"
        logger.warning(
            "decoded samples cannot be kept in %s: %s;%s %.1f MB are free. They are decoded every "
            "time, which is slower: free space, move the workspace, or set data.cache to 'off'",
            self._folder,
            reason,
            need,
            shutil.disk_usage(parent).free / MB,
            extra={"topic": f"{NOT_KEPT} ({reason}){SLOWER}"},
        )

    def _job(self, plan: Plan, number: int) -> ShardJob:
        indices = plan.indices(number)
        return ShardJob(
            self._file(number),
            self._decoder.part(indices),
            expected_bytes=len(indices) * plan.sample_bytes,
            is_bounded=self._is_bounded,
        )

    def _file(self, number: int) -> Path:
        return self._folder / f"{number:05d}.shard"


def _built_or_awaited(job: ShardJob, tick: Tick) -> Built:
    """Build a shard unless its builder does; where that is killed, build it after all."""
    while (built := build_shard(job, tick=tick)) == "held":
        tick(0)
        time.sleep(LOOK_INTERVAL_S)
    return built


class _Report:
    """Tells how far building is, to who asked and every few seconds to the log."""

    def __init__(
        self, folder: Path, progress: Progress | None, *, kept: int, samples: int
    ) -> None:
        self._folder = folder
        self._progress = progress
        self._kept = kept
        self._samples = samples
        self._told_at = self._logged_at = time.monotonic()

    def within(self, done: int) -> None:
        """Tell, when it is time, that so many samples of the next shard are done."""
        if time.monotonic() - self._told_at >= TELL_INTERVAL_S:
            self._tell(self._kept + done)

    def add(self, samples: int) -> None:
        """Tell that so many samples more are kept."""
        self._kept += samples
        self._tell(self._kept)

    def _tell(self, kept: int) -> None:
        self._told_at = now = time.monotonic()
        if self._progress is not None:
            self._progress(kept, self._samples)
        if now - self._logged_at >= LOG_INTERVAL_S:
            self._logged_at = now
            logger.info("kept %d of %d samples in %s", kept, self._samples, self._folder)
