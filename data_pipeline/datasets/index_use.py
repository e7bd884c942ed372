"""Which annotation indices are in use, and the removal of those that no one needs any more.

A process that opened an index holds a shared lock on its records until it ends, for its items
are read from there. An index is outdated when one of the same annotations was made since.
"""

import fcntl
import os
import shutil
from pathlib import Path

from data_pipeline.datasets.index_files import RECORDS, source_of

_held: dict[tuple[Path, int], int] = {}  # descriptors by folder and inode; a new index has another


def hold(folder: Path) -> None:
    """Keep an index from being removed while this process runs.

    Raises:
        OSError: It is not there, or just being removed.
    """
    file = folder / RECORDS
    key = (folder, file.stat().st_ino)
    if key in _held:
        return
    descriptor = os.open(file, os.O_RDONLY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
        if not os.path.samestat(os.fstat(descriptor), file.stat()):
            raise FileNotFoundError("replaced while it was opened")
    except OSError:
        os.close(descriptor)
        raise
    _held[folder, os.fstat(descriptor).st_ino] = descriptor


def remove_outdated(folder: Path, source: str) -> None:
    """Remove the indices beside this one that are of the same source and not in use."""
    for other in folder.parent.iterdir():
        if other != folder and other.is_dir() and source_of(other) == source:
            _remove_unused(other)


def _remove_unused(folder: Path) -> None:
    try:
        with (folder / RECORDS).open("r+b") as stream:  # writable, as network file systems want
            fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
            shutil.rmtree(folder, ignore_errors=True)
    except OSError:
        return  # in use, or another process was first
