"""Locks on files that the kernel lets go when their holder dies."""

import fcntl
import os
from pathlib import Path
from types import TracebackType


class Lock:
    """A held lock; also a context manager that lets it go. It goes when no one refers to it."""

    def __init__(self, descriptor: int, file: Path) -> None:
        self._descriptor: int | None = descriptor
        self.file = file

    def release(self) -> None:
        """Let go; a second time does nothing."""
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None

    def __enter__(self) -> "Lock":
        return self

    def __exit__(
        self,
        _type: type[BaseException] | None,
        _error: BaseException | None,
        _traceback: TracebackType | None,
    ) -> None:
        self.release()

    def __del__(self) -> None:
        self.release()


def lock(file: Path, *, is_shared: bool = False) -> Lock:
    """Lock a file, making it if need be; wait while another holds it.

    Raises:
        OSError: The file cannot be made or locked.
    """
    while True:
        held = _locked(file, fcntl.LOCK_SH if is_shared else fcntl.LOCK_EX)
        if held is not None:
            return held


def try_lock(file: Path) -> Lock | None:
    """Lock a file for us alone, making it if need be; None: another holds it.

    Raises:
        OSError: The file cannot be made or locked.
    """
    try:
        return _locked(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return None


def _locked(file: Path, how: int) -> Lock | None:
    """Lock the file; None: its last holder removed it, so what we locked is no one's any more."""
    file.parent.mkdir(parents=True, exist_ok=True)
    descriptor = os.open(file, os.O_RDWR | os.O_CREAT, 0o644)
    try:
        fcntl.flock(descriptor, how)
        if os.fstat(descriptor).st_ino == _inode(file):
            return Lock(descriptor, file)
    except OSError:
        os.close(descriptor)
        raise
    os.close(descriptor)
    return None


def _inode(file: Path) -> int | None:
    try:
        return file.stat().st_ino
    except FileNotFoundError:
        return None
