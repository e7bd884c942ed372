"""Room on the disk: asked for before anything is fetched."""

import errno
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from data_pipeline.download.errors import NoSpaceError

FULL = frozenset({errno.ENOSPC, errno.EDQUOT})


def require_space(place: Path, need_bytes: int) -> None:
    """Check that the disk of a file or folder, which need not exist yet, has room.

    Raises:
        NoSpaceError: It has not; the message says how much is needed and free.
    """
    free = _free_bytes(place)
    if need_bytes > free:
        raise _no_space(place, need_bytes=need_bytes, free_bytes=free)


@contextmanager
def named_if_full(place: Path, need_bytes: int) -> Iterator[None]:
    """Turn the system's "no space left" into the error that says what is needed and free.

    Raises:
        NoSpaceError: The disk is full.
    """
    try:
        yield
    except OSError as error:
        if error.errno not in FULL:
            raise
        free = _free_bytes(place)
        raise _no_space(place, need_bytes=need_bytes, free_bytes=free) from error


def _free_bytes(place: Path) -> int:
    existing = next(each for each in (place, *place.absolute().parents) if each.exists())
    return shutil.disk_usage(existing).free


def _no_space(place: Path, *, need_bytes: int, free_bytes: int) -> NoSpaceError:
    return NoSpaceError(
        f"{place} needs {readable_bytes(need_bytes)} more and its disk has "
        f"{readable_bytes(free_bytes)} free; make room, choose another folder or ask for less. "
        "What has arrived is kept"
    )


def readable_bytes(size: float) -> str:
    """Write a size with a decimal unit: 1.5 GB."""
    for unit in ("bytes", "kB", "MB", "GB"):
        if abs(size) < 1000:
            return f"{size:.0f} {unit}" if unit == "bytes" else f"{size:.1f} {unit}"
        size /= 1000
    return f"{size:.1f} TB"
