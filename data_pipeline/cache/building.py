"""Decoding a range of samples into a shard, once, whoever else wants it too."""

import errno
import logging
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, Protocol, TypeAlias

from data_pipeline.cache.bounds import make_room
from data_pipeline.cache.locks import lock, try_lock
from data_pipeline.cache.shards import ShardWriter
from data_pipeline.errors import DataError
from data_pipeline.samples import Sample

logger = logging.getLogger(__name__)
ROOM_LOCK = "room.lock"  # held by who looks whether there is room, until it is taken
FLUSH_BYTES = 64 * 10**6  # most that waits in memory, and the sample that exceeds it
Built = Literal["whole", "held", "no room"]
Tick: TypeAlias = Callable[[int], None]  # told samples done of what is built; may raise to stop


class Decoder(Protocol):
    """Makes samples from their source; may be sent to another process."""

    def __len__(self) -> int:
        """Samples."""

    def decode(self, index: int) -> Sample | None:
        """Decode and resize a sample; None: it is too long to be kept.

        Raises:
            DataError: A file is missing or damaged; the message names it.
        """

    def part(self, indices: range) -> "Decoder":
        """Return a decoder of these samples alone, numbered from 0."""


@dataclass(frozen=True, slots=True)
class ShardJob:
    """A shard that is missing."""

    file: Path
    decoder: Decoder  # of its samples alone
    expected_bytes: int
    is_bounded: bool  # by how much all samples may take, and not by the disk's reserve alone

    @property
    def folder(self) -> Path:
        """Of all samples of all splits."""
        return self.file.parent.parent


def _silent(_done: int) -> None:
    pass


def build_shard(job: ShardJob, *, tick: Tick = _silent) -> Built:
    """Write a missing shard.

    Args:
        job: What to write.
        tick: Told after each sample how many are done; what it raises ends the work, and nothing
            is left behind.

    Returns:
        whole: it is there, by us or by another; held: another is writing it; no room: the bound
        does not allow it.

    Raises:
        OSError: It cannot be written, or the disk's reserve would be used for it; nothing is
            left behind.
        DataError: The bound is no number.
    """
    held = try_lock(_lock_file(job))
    if held is None:
        return "held"
    with held:
        if job.file.is_file():
            return "whole"
        if not _fits(job, job.expected_bytes):
            return "no room"
        return "whole" if _written(job, tick) else "no room"


def clear(job: ShardJob) -> None:
    """Remove what a builder that was killed has left of a shard, unless another writes it now."""
    held = try_lock(_lock_file(job))
    if held is not None:
        with held:
            job.file.with_suffix(".partial").unlink(missing_ok=True)


def _lock_file(job: ShardJob) -> Path:
    return job.file.with_suffix(".lock")


def _samples(decoder: Decoder) -> Iterator[Sample | None]:
    for index in range(len(decoder)):
        try:
            yield decoder.decode(index)
        except DataError as error:
            logger.debug("not kept: %s", error)  # it is said when the sample is used
            yield None


def _written(job: ShardJob, tick: Tick) -> bool:
    with ShardWriter(job.file) as shard:
        for done, sample in enumerate(_samples(job.decoder), start=1):
            shard.add(sample)
            if shard.waiting >= FLUSH_BYTES and not _flushed(job, shard):
                return False
            tick(done)
        shard.end()
        if not _flushed(job, shard):
            return False
        shard.finish()
    return True


def _flushed(job: ShardJob, shard: ShardWriter) -> bool:
    with lock(job.folder / ROOM_LOCK):
        if not _has_room(job, shard.waiting):
            return False
        shard.allocate()
    shard.write()
    return True


def _fits(job: ShardJob, size: int) -> bool:
    with lock(job.folder / ROOM_LOCK):
        return _has_room(job, size)


def _has_room(job: ShardJob, size: int) -> bool:
    """Whether a shard may be written; the caller holds the room lock.

    Raises:
        OSError: It may not, and no bound that was asked for is why.
    """
    keep, is_bounded = job.file.parent, job.is_bounded
    if make_room(job.folder, size, keep=keep, is_bounded=is_bounded):
        return True
    if is_bounded:
        return False
    raise OSError(errno.ENOSPC, "the rest of the disk is left for the study's own files")
