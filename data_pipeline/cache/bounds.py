"""How much the kept samples may take, and which of them go first.

    samples/<key>.lock   shared lock: in use; its time of change: when it was last opened
    samples/<key>/       one split's samples in one form

`VISIONSTUDY_CACHE_GB` bounds all of `samples/`, in GB of 10^9 bytes; 20 when it is not set, and
never more than half of what the disk would have free without it. Where it shall not bound them, a
reserve still stays free, for the checkpoints and logs of the study: 1 GB, or 2 % of a disk of
more than 50 GB, but no more than that half.
"""

import contextlib
import os
import shutil
from collections.abc import Iterator
from pathlib import Path

from data_pipeline.cache.locks import try_lock
from data_pipeline.errors import DataError

DEFAULT_GB = 20.0
RESERVE_BYTES = 10**9
RESERVE_SHARE = 0.02  # of the disk, where that is more
VARIABLE = "VISIONSTUDY_CACHE_GB"


def check_bound() -> None:
    """See that the variable can be read, before any work is done.

    Raises:
        DataError: It is no number.
    """
    _chosen_bytes()


def limit_bytes(folder: Path, *, is_bounded: bool = True) -> int:
    """Return the most that the folder of all samples may hold.

    Args:
        folder: Of all samples.
        is_bounded: Whether by the variable, or by the disk's reserve alone.

    Raises:
        DataError: The variable is no number.
    """
    disk = shutil.disk_usage(folder)
    free_without = disk.free + used_bytes(folder)
    if is_bounded:
        return min(_chosen_bytes(), free_without // 2)
    reserve = max(RESERVE_BYTES, int(RESERVE_SHARE * disk.total))
    return free_without - min(reserve, free_without // 2)


def _chosen_bytes() -> int:
    text = os.environ.get(VARIABLE) or str(DEFAULT_GB)
    try:
        return int(float(text) * 10**9)
    except (ValueError, OverflowError):
        raise DataError(
            f"{VARIABLE} must be a number of gigabytes such as 20 or 0.5, got {text!r}; "
            "correct it in the environment"
        ) from None


def used_bytes(folder: Path) -> int:
    """Return the size of everything below a folder."""
    return sum(_sizes(folder))


def make_room(folder: Path, need: int, *, keep: Path, is_bounded: bool) -> bool:
    """Remove what was not opened for longest until so many bytes more are within the limit.

    Args:
        folder: Of all samples; the caller holds its lock.
        need: Bytes.
        keep: The caller's own subfolder.
        is_bounded: As for `limit_bytes`.

    Returns:
        Whether there is room. What another process has open stays, and nothing is removed when
        that cannot be enough.

    Raises:
        DataError: The limit is no number.
    """
    limit = limit_bytes(folder, is_bounded=is_bounded)
    excess = used_bytes(folder) + need - limit
    if excess <= 0:
        return True
    if used_bytes(keep) + need > limit:
        return False
    for entry in entries(folder):
        if entry != keep:
            excess -= remove_entry(entry)
        if excess <= 0:
            return True
    return False


def entry_lock(entry: Path) -> Path:
    """Return the file whose lock says that an entry is in use."""
    return entry.with_name(entry.name + ".lock")


def entries(folder: Path) -> list[Path]:
    """Return the entries in the folder of all samples, the one opened longest ago first."""
    if not folder.is_dir():
        return []
    return sorted((entry for entry in folder.iterdir() if entry.is_dir()), key=last_opened)


def last_opened(entry: Path) -> float:
    """Return when an entry was last opened, in unix seconds; 0.0 where that is not known."""
    try:
        return entry_lock(entry).stat().st_mtime
    except FileNotFoundError:
        return 0.0


def remove_entry(entry: Path) -> int:
    """Remove an entry that no one has open; return how many bytes that gave back."""
    held = try_lock(entry_lock(entry))
    if held is None:
        return 0
    with held:
        freed = used_bytes(entry)
        shutil.rmtree(entry, ignore_errors=True)
        held.file.unlink(missing_ok=True)
    return freed - used_bytes(entry)


def _sizes(folder: Path) -> Iterator[int]:
    with contextlib.suppress(FileNotFoundError):  # another process may be removing it
        for entry in os.scandir(folder):
            with contextlib.suppress(FileNotFoundError):
                if entry.is_dir(follow_symlinks=False):
                    yield from _sizes(Path(entry.path))
                else:
                    yield entry.stat(follow_symlinks=False).st_size
