"""Pictures of which many lie in one file: an item is a place in it, and no copy.

A file that cannot be mapped into memory as it is, compressed or pickled, is unpacked once into
the workspace's cache. So all processes of a machine share one copy, and none is read whole. When
the file changes, what was unpacked of it before is removed; who has it mapped keeps it.
"""

import os
import tempfile
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any, TypeAlias, TypeVar

import numpy as np
from numpy.typing import NDArray

from data_pipeline.cache import cache_folder
from data_pipeline.faults import Fault
from data_pipeline.hashing import hash_of
from data_pipeline.samples import ClassificationSample

VERSION = 1  # raised when an unpacked file would hold something else
Value = TypeVar("Value", bound=np.generic)
Unpack: TypeAlias = Callable[[Path], NDArray[np.uint8]]  # (n, h, w) or (n, h, w, 3)


@dataclass(frozen=True, slots=True)
class PackedPicture:
    """A picture in a file of many, and its class."""

    image_id: str
    file: Path
    place: int
    class_name: str
    label: int
    unpack: Unpack  # a module's function, so that an item can be sent to another process

    @property
    def group(self) -> str:
        """Its id: the format says nothing of where a picture is from."""
        return self.image_id

    @property
    def classes(self) -> tuple[str, ...]:
        """Its one class."""
        return (self.class_name,)

    @property
    def files(self) -> tuple[Path, ...]:
        """The file that it shares with others."""
        return (self.file,)

    def faults(self) -> tuple[Fault, ...]:
        """Find nothing: a label that is no class is found when the file is listed."""
        return ()

    def read(self) -> ClassificationSample:
        """Copy the picture; a grey one becomes RGB.

        Raises:
            DataError: The file is missing or damaged.
        """
        pixels = opened(self.file, self.unpack)[self.place]
        rgb = pixels if pixels.ndim == 3 else pixels[:, :, np.newaxis]
        image = np.array(np.broadcast_to(rgb, (*rgb.shape[:2], 3)))
        return ClassificationSample(self.image_id, image, self.label)


def opened(file: Path, unpack: Callable[[Path], NDArray[Value]]) -> NDArray[Value]:
    """Return the array that a file holds, pictures or labels, mapped into memory.

    Args:
        file: Any file.
        unpack: A module's function that reads it, called when the file is new or has changed.

    Raises:
        DataError: What `unpack` raises; MissingDataError: the file is gone.
    """
    array: NDArray[Value] = _opened(file, unpack, _identity(file))
    return array


def _identity(file: Path) -> tuple[int, int]:
    try:
        stat = os.stat(file)  # noqa: PTH116  # twice as fast as a Path's, once per picture
    except OSError:
        return (0, 0)  # unpacking says what is wrong
    return (stat.st_size, stat.st_mtime_ns)


@lru_cache(maxsize=32)
def _opened(
    file: Path, unpack: Callable[[Path], NDArray[Any]], identity: tuple[int, int]
) -> NDArray[Any]:
    of_file = hash_of([unpack.__qualname__, str(file.resolve())])[:16]
    of_content = hash_of([f"version {VERSION}", *map(str, identity)])[:16]
    place = cache_folder() / "unpacked" / f"{of_file}-{of_content}.npy"
    with suppress(OSError, ValueError):  # not there yet, or damaged: made anew
        return _mapped(place)
    array = unpack(file)
    if isinstance(array, np.memmap):
        return array
    try:
        _write(place, array)
        for other in place.parent.glob(f"{of_file}-*.npy"):
            if other != place:
                other.unlink(missing_ok=True)
        return _mapped(place)
    except OSError:  # a full or read-only disk: this process has a copy of its own
        return array


def _mapped(place: Path) -> NDArray[Any]:
    array: NDArray[Any] = np.load(place, mmap_mode="r", allow_pickle=False)
    return array


def _write(place: Path, array: NDArray[Any]) -> None:
    """Write a file so that another process sees all of it or nothing."""
    place.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.NamedTemporaryFile(dir=place.parent, delete=False) as temporary:
        try:
            np.save(temporary, array, allow_pickle=False)
            temporary.flush()
            os.fsync(temporary.fileno())
        except OSError:
            Path(temporary.name).unlink()
            raise
    Path(temporary.name).replace(place)
