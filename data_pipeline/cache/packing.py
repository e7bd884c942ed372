"""Samples to flat bytes and back: in a shard on disk, and between processes.

Any dataclass of arrays, texts and numbers is packed; nothing in here knows its fields. Unpacked
arrays are views of the memory they were found in, so that reading costs nothing by itself.
"""

import math
import zlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, fields
from types import MappingProxyType
from typing import Any, TypeAlias, get_args

import numpy as np
from numpy.typing import NDArray

from data_pipeline.samples import Sample

ALIGNMENT = 64  # bytes: a cache line, and enough for any number format
KINDS: Mapping[str, Callable[..., Sample]] = MappingProxyType(
    {kind.__name__: kind for kind in get_args(Sample)}
)
Bytes: TypeAlias = NDArray[np.uint8]  # (n,)


@dataclass(frozen=True, slots=True)
class ArrayPlace:
    """Where an array lies, and what its bytes must add up to."""

    offset: int  # bytes from the start
    shape: tuple[int, ...]
    dtype: str  # NumPy's name; "bool" is stored as bits
    checksums: tuple[int, ...]  # CRC-32 of the array, or of each frame of a video; or none

    @property
    def size(self) -> int:
        """Bytes."""
        count = math.prod(self.shape)
        return -(-count // 8) if self.dtype == "bool" else count * np.dtype(self.dtype).itemsize


@dataclass(frozen=True, slots=True)
class SamplePlace:
    """Where a sample's arrays lie, and the rest of it."""

    kind: str  # name of its class
    values: Mapping[str, Any]  # fields that are no array
    arrays: Mapping[str, ArrayPlace]


@dataclass(frozen=True, slots=True)
class Packed:
    """Samples as bytes that are still in pieces."""

    places: tuple[SamplePlace | None, ...]  # None: there was no sample
    pieces: tuple[Bytes, ...]  # in order, padding included
    size: int  # bytes of all pieces

    def joined(self, memory: Bytes) -> None:
        """Copy the pieces into (size,) bytes."""
        start = 0
        for piece in self.pieces:
            memory[start : start + piece.size] = piece
            start += piece.size


class Packing:
    """Lays samples one after another, without copying their pixels yet."""

    def __init__(self, *, has_checksums: bool = True) -> None:
        self.size = 0  # bytes laid so far
        self._has_checksums = has_checksums
        self._pieces: list[Bytes] = []

    def add(self, sample: Sample) -> SamplePlace:
        """Lay a sample after those before it."""
        arrays: dict[str, ArrayPlace] = {}
        values: dict[str, Any] = {}
        for name in (field.name for field in fields(sample)):
            value = getattr(sample, name)
            if not isinstance(value, np.ndarray):
                values[name] = value
                continue
            content = _content(value)
            padding = np.zeros(-content.size % ALIGNMENT, np.uint8)
            checksums = _checksums(content, value.shape) if self._has_checksums else ()
            arrays[name] = ArrayPlace(self.size, value.shape, value.dtype.name, checksums)
            self._pieces += [content, padding]
            self.size += content.size + padding.size
        return SamplePlace(type(sample).__name__, values, arrays)

    def taken(self) -> list[Bytes]:
        """Hand over the pieces since the last time, in order, padding included."""
        pieces, self._pieces = self._pieces, []
        return pieces


def pack(samples: Iterable[Sample | None], *, has_checksums: bool = True) -> Packed:
    """Lay samples one after another, without copying their pixels yet."""
    packing = Packing(has_checksums=has_checksums)
    places = tuple(None if sample is None else packing.add(sample) for sample in samples)
    return Packed(places, tuple(packing.taken()), packing.size)


def unpack(place: SamplePlace, memory: Bytes) -> Sample:
    """Return the sample; its arrays are views of `memory`, but masks of bits, which are made."""
    arrays = {name: _array(array, memory) for name, array in place.arrays.items()}
    return KINDS[place.kind](**place.values, **arrays)


def is_intact(array: ArrayPlace, memory: Bytes, rows: Iterable[int] | None = None) -> bool:
    """Whether an array's bytes are what was written.

    Args:
        array: Where it lies.
        memory: Where everything lies.
        rows: Frames to look at, of an array with a checksum for each; None: everything.
    """
    content = memory[array.offset : array.offset + array.size]
    if content.size != array.size:
        return False
    if len(array.shape) != 4 or rows is None:
        return _checksums(content, array.shape) == array.checksums
    frames = content.reshape(array.shape[0], -1)
    return all(zlib.crc32(frames[row].data) == array.checksums[row] for row in rows)


def to_json(place: SamplePlace | None) -> list[Any] | None:
    """Return what JSON can hold of a place."""
    if place is None:
        return None
    arrays = {
        name: [array.offset, array.shape, array.dtype, array.checksums]
        for name, array in place.arrays.items()
    }
    return [place.kind, dict(place.values), arrays]


def from_json(content: Sequence[Any] | None) -> SamplePlace | None:
    """Return the place that `to_json` wrote; JSON has made lists of its tuples."""
    if content is None:
        return None
    kind, values, arrays = content
    return SamplePlace(
        kind,
        {name: tuple(v) if isinstance(v, list) else v for name, v in values.items()},
        {
            name: ArrayPlace(offset, tuple(shape), dtype, tuple(checksums))
            for name, (offset, shape, dtype, checksums) in arrays.items()
        },
    )


def _content(values: NDArray[Any]) -> Bytes:
    if values.dtype == np.bool_:
        return np.packbits(values.reshape(-1))
    return np.ascontiguousarray(values).reshape(-1).view(np.uint8)


def _checksums(content: Bytes, shape: tuple[int, ...]) -> tuple[int, ...]:
    """One of the whole, or one per frame of a video, of which mostly a part is read."""
    if len(shape) != 4:
        return (zlib.crc32(content.data),)
    return tuple(zlib.crc32(frame.data) for frame in content.reshape(shape[0], -1))


def _array(array: ArrayPlace, memory: Bytes) -> NDArray[Any]:
    content = memory[array.offset : array.offset + array.size]
    if array.dtype == "bool":
        bits = np.unpackbits(content, count=math.prod(array.shape))
        return bits.view(np.bool_).reshape(array.shape)
    return content.view(array.dtype).reshape(array.shape)
