"""A shard: the samples of a fixed range, in one file that is whole or not there.

    arrays, each at a multiple of 64 bytes
    index: where each entry starts and the last one ends, 8 bytes each; an entry per sample,
        JSON, empty where there is no sample
    footer: magic, offset, length and CRC-32 of the index

Every array has checksums in the index, which are compared when it is first read in a process.
Nothing is kept of an index, as a split may have hundreds of thousands of samples.
"""

import contextlib
import json
import mmap
import os
import struct
import zlib
from collections.abc import Iterable
from pathlib import Path
from types import TracebackType
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from data_pipeline.cache.packing import (
    Bytes,
    Packing,
    SamplePlace,
    from_json,
    is_intact,
    to_json,
    unpack,
)
from data_pipeline.samples import Sample

FOOTER = struct.Struct("<8sQQI")
MAGIC = b"VSSHARD2"
INDEX_DTYPE = np.dtype("<u8")
Starts: TypeAlias = NDArray[np.uint64]  # (samples + 1,) bytes from the start of the index


class DamagedShardError(Exception):
    """A shard's file is not what was written."""


class ShardWriter:
    """A shard being written; a context that leaves nothing behind unless it is finished.

    Its samples wait in memory until `write`, so that a shard may be larger than that.
    """

    def __init__(self, target: Path) -> None:
        """Begin.

        Raises:
            OSError: No file can be made beside the target.
        """
        self._target = target
        self._partial = target.with_suffix(".partial")
        self._packing = Packing()
        self._entries: list[bytes] = []  # of the index
        self._tail = b""
        self._written = 0  # bytes
        self._stream = self._partial.open("wb")

    def __enter__(self) -> "ShardWriter":
        return self

    def __exit__(
        self,
        _type: type[BaseException] | None,
        _error: BaseException | None,
        _traceback: TracebackType | None,
    ) -> None:
        with contextlib.suppress(OSError):
            self._stream.close()
        with contextlib.suppress(OSError):
            self._partial.unlink()  # not there when it is finished

    @property
    def waiting(self) -> int:
        """Bytes in memory."""
        return self._packing.size + len(self._tail) - self._written

    def add(self, sample: Sample | None) -> None:
        """Add the next sample; None: it is not kept."""
        place = None if sample is None else to_json(self._packing.add(sample))
        text = "" if place is None else json.dumps(place, separators=(",", ":"))
        self._entries.append(text.encode())

    def end(self) -> None:
        """Add index and footer, after the last sample."""
        starts = np.zeros(len(self._entries) + 1, INDEX_DTYPE)
        starts[1:] = np.cumsum([len(entry) for entry in self._entries])
        index = b"".join([(starts + starts.nbytes).tobytes(), *self._entries])
        footer = FOOTER.pack(MAGIC, self._packing.size, len(index), zlib.crc32(index))
        self._tail = index + footer

    def allocate(self) -> None:
        """Take from the disk what is waiting.

        Raises:
            OSError: The disk has it not.
        """
        if self.waiting:
            os.posix_fallocate(self._stream.fileno(), self._written, self.waiting)

    def write(self) -> None:
        """Write what is waiting.

        Raises:
            OSError: It cannot be written.
        """
        written = self._written + self.waiting
        for piece in self._packing.taken():
            self._stream.write(piece.data)
        self._stream.write(self._tail)
        self._written = written

    def finish(self) -> None:
        """Give the file its name, once it is on the disk.

        Raises:
            OSError: It cannot be written.
        """
        self._stream.flush()
        os.fsync(self._stream.fileno())
        self._partial.rename(self._target)
        folder = os.open(self._target.parent, os.O_RDONLY)
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
        self._index, self._starts = self._read_index()
        self._is_checked = np.zeros(len(self), np.bool_)
        self._checked_frames: dict[int, NDArray[np.bool_]] = {}  # of videos read in part

    def __len__(self) -> int:
        return len(self._starts) - 1

    @property
    def are_kept(self) -> NDArray[np.bool_]:
        """(samples,) whether there is one."""
        return self._starts[1:] > self._starts[:-1]

    def __contains__(self, position: int) -> bool:
        return bool(self._starts[position + 1] > self._starts[position])

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
        if not self._is_checked[position]:
            self._check(position, place, rows)
        return unpack(place, self._memory)

    def _place(self, position: int) -> SamplePlace | None:
        """Read it anew each time: kept, a hundred thousand of them would take a gigabyte."""
        if position not in self:
            return None
        start, end = self._starts[position : position + 2]
        return from_json(json.loads(self._index[start:end].tobytes()))

    def _check(self, position: int, place: SamplePlace, rows: Iterable[int] | None) -> None:
        """Compare what was not compared yet: every array, or these frames of a video."""
        for name, array in place.arrays.items():
            fresh = None
            if len(array.shape) == 4 and rows is not None:
                fresh = self._unchecked_frames(position, array.shape[0], rows)
            if not is_intact(array, self._memory, fresh):
                raise DamagedShardError(
                    f"shard {self.file}: '{name}' of sample {position} is not what was written"
                )
            if fresh is not None:
                self._checked_frames[position][fresh] = True
        seen = self._checked_frames.get(position)
        self._is_checked[position] = seen is None or rows is None or seen.all()
        if self._is_checked[position]:
            self._checked_frames.pop(position, None)

    def _unchecked_frames(self, position: int, frames: int, rows: Iterable[int]) -> list[int]:
        seen = self._checked_frames.setdefault(position, np.zeros(frames, np.bool_))
        return [row for row in rows if not seen[row]]

    def _read_index(self) -> tuple[Bytes, Starts]:
        """Return the index, and where in it each entry starts; both are views of the file."""
        magic, offset, length, checksum = FOOTER.unpack(self._memory[-FOOTER.size :].tobytes())
        index = self._memory[offset : offset + length]
        if magic != MAGIC or zlib.crc32(index.data) != checksum:
            raise DamagedShardError(f"shard {self.file} has no readable index")
        [first] = index[: INDEX_DTYPE.itemsize].view(INDEX_DTYPE)
        return index, index[:first].view(INDEX_DTYPE)
