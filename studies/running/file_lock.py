"""Locks that the kernel releases when their holder dies, with the holder's name in them."""

import fcntl
import getpass
import json
import os
import socket
import time
from abc import ABC, abstractmethod
from pathlib import Path
from types import TracebackType
from typing import Any, Self

PATIENCE_S = 1.0  # whoever looks whether a lock is held has it for a moment
PAUSE_S = 0.02  # between tries


class Lease(ABC):
    """What only one process at a time can have; a context manager."""

    @abstractmethod
    def acquire(self) -> None:
        """Take it, or raise LockHeldError."""

    @abstractmethod
    def release(self) -> None:
        """Let go of it."""

    @abstractmethod
    def confirm(self) -> None:
        """See that it is still held; raise LockHeldError where another process took it."""

    @abstractmethod
    def is_held(self) -> bool:
        """Whether another process has it now."""

    def __enter__(self) -> Self:
        self.acquire()
        return self

    def __exit__(
        self,
        _type: type[BaseException] | None,
        _error: BaseException | None,
        _traceback: TracebackType | None,
    ) -> None:
        self.release()


class LockHeldError(RuntimeError):
    """Another process holds the lock."""

    def __init__(self, holder: dict[str, Any]) -> None:
        self.holder = holder
        super().__init__(describe_holder(holder))


class FileLock(Lease):
    """An exclusive lock on a file; also a context manager."""

    def __init__(self, file: Path) -> None:
        self._file = file
        self._descriptor: int | None = None

    def acquire(self, patience_s: float = PATIENCE_S) -> None:
        """Take the lock and write who holds it.

        Args:
            patience_s: How long to try.

        Raises:
            LockHeldError: another living process holds it.
        """
        self._file.parent.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(self._file, os.O_RDWR | os.O_CREAT, 0o644)
        deadline = time.monotonic() + patience_s
        while not _try_lock(descriptor, fcntl.LOCK_EX):
            if time.monotonic() >= deadline:
                os.close(descriptor)
                raise LockHeldError(read_holder(self._file))
            time.sleep(PAUSE_S)
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, json.dumps(_self()).encode(), 0)
        self._descriptor = descriptor

    def confirm(self) -> None:
        """Nothing takes the lock away while this process lives."""

    def is_held(self) -> bool:
        """Whether another process holds the lock now."""
        if not self._file.exists():
            return False
        # Shared, so that those who look do not see each other, and a file may be read only.
        with self._file.open() as stream:
            return not _try_lock(stream.fileno(), fcntl.LOCK_SH)

    def release(self) -> None:
        """Let go of the lock."""
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None


def _try_lock(descriptor: int, kind: int) -> bool:
    try:
        fcntl.flock(descriptor, kind | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def write_holder(file: Path) -> None:
    """Write into a file that this process holds a lock."""
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(json.dumps(_self()))


def read_holder(file: Path) -> dict[str, Any]:
    """Return who wrote a lock file last; {} when that cannot be read."""
    try:
        holder = json.loads(file.read_text())
    except (OSError, ValueError):
        return {}
    return holder if isinstance(holder, dict) else {}


def describe_holder(holder: dict[str, Any]) -> str:
    """Name a lock's holder for people."""
    if not holder:
        return "another process"
    since = time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(holder.get("since", 0)))
    return (
        f"process {holder.get('pid')} of {holder.get('user')} on {holder.get('host')}, "
        f"since {since}"
    )


def _self() -> dict[str, Any]:
    return {
        "pid": os.getpid(),
        "user": _user(),
        "host": socket.gethostname(),
        "since": time.time(),
    }


def _user() -> str:
    """Return the user's name, or the number where a container has no names."""
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return f"uid {os.getuid()}"
