"""A shard: the samples of a fixed range, in one file that is whole or not there.

    arrays, each at a multiple of 64 bytes
    index: JSON, one entry per sample
    footer: magic, offset, length and CRC-32 of the index

Every array has checksums in the index, which are compared when it is first read in a process.
"""

import contextlib
import json
import mmap
import os
import struct
import zlib
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from data_pipeline.cache.packing import (
    ArrayPlace,
    Bytes,
    Packed,
    SamplePlace,
    from_json,
    is_intact,
    to_json,
    unpack,
)
from data_pipeline.samples import Sample

FOOTER = struct.Struct("<8sQQI")
MAGIC = b"VSSHARD1"


class DamagedShardError(Exception):
    """A shard's file is not what was written."""


def shard_tail(packed: Packed) -> bytes:
    """Return index and footer of a shard."""
    index = json.dumps([to_json(place) for place in packed.places], separators=(",", ":")).encode()
    return index + FOOTER.pack(MAGIC, packed.size, len(index), zlib.crc32(index))


def allocate(file: Path, size: int) -> None:
    """Make a file of a size that the disk is sure to have.

    Raises:
        OSError: It has not; nothing is left behind.
    """
    descriptor = os.open(file, os.O_RDWR | os.O_CREAT | os.O_TRUNC, 0o644)
    try:
        os.posix_fallocate(descriptor, 0, size)
    except OSError:
        with contextlib.suppress(OSError):
            file.unlink()
        raise
    finally:
        os.close(descriptor)


def fill(partial: Path, packed: Packed, tail: bytes, *, target: Path) -> None:
    """Write a shard into its allocated file and give it its name, once it is on the disk.

    Raises:
        OSError: It cannot be written; nothing is left behind.
    """
    try:
        with partial.open("r+b") as stream:
            for piece in packed.pieces:
                stream.write(piece.data)
            stream.write(tail)
            stream.flush()
            os.fsync(stream.fileno())
        partial.rename(target)
    except OSError:
        with contextlib.suppress(OSError):
            partial.unlink()
        raise
    folder = os.open(target.parent, os.O_RDONLY)
    try:
        os.fsync(folder)  # else a power cut may undo the renaming
    finally:
        os.close(folder)


class Shard:
    """A shard's file, mapped into memory."""

    def __init__(self, file: Path) -> None:
        """Map the file and read its index.

        Raises:
            FileNotFoundError: There is none.
            DamagedShardError: It is not what was written.
        """
        self.file = file
        with file.open("rb") as stream:
            self.inode = os.fstat(stream.fileno()).st_ino
            if os.fstat(stream.fileno()).st_size < FOOTER.size:
                raise DamagedShardError(f"shard {file} is shorter than its footer")
            mapped = mmap.mmap(stream.fileno(), 0, access=mmap.ACCESS_READ)
        self._memory: Bytes = np.frombuffer(mapped, np.uint8)
        self._index = self._read_index()
        self._places: dict[int, SamplePlace | None] = {}
        self._checked: dict[tuple[int, str], NDArray[np.bool_]] = {}

    def __len__(self) -> int:
        return len(self._index)

    def __contains__(self, position: int) -> bool:
        return self._place(position) is not None

    def frame_count(self, position: int) -> int:
        """Return how many frames a video has; 0 for what is no video."""
        place = self._place(position)
        arrays = place.arrays.values() if place is not None else ()
        return next((array.shape[0] for array in arrays if len(array.shape) == 4), 0)

    def sample(self, position: int, rows: Iterable[int] | None = None) -> Sample | None:
        """Return a sample, whose arrays are views of the file; None where there is none.

        Args:
            position: From 0, in this shard.
            rows: Frames of a video that will be looked at; None: all of the sample.

        Raises:
            DamagedShardError: Its bytes are not what was written.
        """
        place = self._place(position)
        if place is None:
            return None
        for name in place.arrays:
            self._check(position, name, place, rows)
        return unpack(place, self._memory)

    def _place(self, position: int) -> SamplePlace | None:
        if position not in self._places:
            self._places[position] = from_json(self._index[position])
        return self._places[position]

    def _check(
        self, position: int, name: str, place: SamplePlace, rows: Iterable[int] | None
    ) -> None:
        array = place.arrays[name]
        seen = self._checked.get((position, name))
        if seen is None:
            seen = self._checked[position, name] = np.zeros(len(array.checksums), np.bool_)
        if seen.all():
            return
        fresh = None if len(array.shape) != 4 else [r for r in _rows(rows, array) if not seen[r]]
        if not is_intact(array, self._memory, fresh):
            raise DamagedShardError(
                f"shard {self.file}: '{name}' of sample {position} is not what was written"
            )
        seen[slice(None) if fresh is None else fresh] = True

    def _read_index(self) -> list[Any]:
        magic, offset, length, checksum = FOOTER.unpack(self._memory[-FOOTER.size :].tobytes())
        text = self._memory[offset : offset + length].tobytes()
        if magic != MAGIC or zlib.crc32(text) != checksum:
            raise DamagedShardError(f"shard {self.file} has no readable index")
        index: list[Any] = json.loads(text)
        return index


def _rows(rows: Iterable[int] | None, array: ArrayPlace) -> Iterable[int]:
    return range(array.shape[0]) if rows is None else rows
