"""Decoding a range of samples into a shard, once, whoever else wants it too."""

import logging
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, Protocol

from data_pipeline.cache.bounds import make_room
from data_pipeline.cache.locks import lock, try_lock
from data_pipeline.cache.packing import Packed, pack
from data_pipeline.cache.shards import allocate, fill, shard_tail
from data_pipeline.errors import DataError
from data_pipeline.samples import Sample

logger = logging.getLogger(__name__)
ROOM_LOCK = "room.lock"  # held by who looks whether there is room, until it is taken
Built = Literal["whole", "held", "no room"]


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
    is_bounded: bool

    @property
    def folder(self) -> Path:
        """Of all samples of all splits."""
        return self.file.parent.parent


def build_shard(job: ShardJob, *, waits: bool) -> Built:
    """Write a missing shard.

    Args:
        job: What to write.
        waits: Whether to wait for a process that is writing it now.

    Returns:
        whole: it is there, by us or by another; held: another is writing it; no room: the bound
        does not allow it.

    Raises:
        OSError: It cannot be written; nothing is left behind.
        DataError: The bound is no number.
    """
    mine = job.file.with_suffix(".lock")
    held = lock(mine) if waits else try_lock(mine)
    if held is None:
        return "held"
    with held:
        if job.file.is_file():
            return "whole"
        if not _fits(job, job.expected_bytes):
            return "no room"
        packed = pack(_samples(job.decoder))
        return "whole" if _written(job, packed) else "no room"


def _samples(decoder: Decoder) -> Iterator[Sample | None]:
    for index in range(len(decoder)):
        try:
            yield decoder.decode(index)
        except DataError as error:
            logger.debug("not kept: %s", error)  # it is said when the sample is used
            yield None


def _written(job: ShardJob, packed: Packed) -> bool:
    partial = job.file.with_suffix(".partial")
    tail = shard_tail(packed)
    size = packed.size + len(tail)
    with lock(job.folder / ROOM_LOCK):
        if job.is_bounded and not make_room(job.folder, size, keep=job.file.parent):
            return False
        allocate(partial, size)
    fill(partial, packed, tail, target=job.file)
    return True


def _fits(job: ShardJob, size: int) -> bool:
    if not job.is_bounded:
        return True
    with lock(job.folder / ROOM_LOCK):
        return make_room(job.folder, size, keep=job.file.parent)
