"""Make sure that nobody writes to a trial's folder any more.

A trial outlives its coordinator by a moment: it writes a checkpoint and ends. It holds a lock on
its folder while it runs, so the next coordinator waits for that, and kills it if it hangs. On
another machine it cannot be killed from here; there its cluster ends it with its coordinator, and
a file server frees the lock of a machine that is gone after a while.
"""

import os
import signal
import time
from pathlib import Path
from typing import Any

from studies.running.file_lock import FileLock, LockHeldError, describe_holder, read_holder

LOCK_FILE = "lock"
GRACE_S = 15.0
ELSEWHERE_GRACE_S = 120.0  # NFS 4 frees the locks of a dead machine after 90 s
POLL_S = 0.05


class FolderHeldError(RuntimeError):
    """A process that cannot be ended from here writes to a trial's folder."""

    def __init__(self, folder: Path, holder: str) -> None:
        super().__init__(
            f"the trial in {folder} must have ended, but {holder} still holds it; end that "
            f"process, or delete {folder / LOCK_FILE} if its machine is gone, and launch again"
        )


def evict(
    folder: Path, grace_s: float = GRACE_S, elsewhere_grace_s: float = ELSEWHERE_GRACE_S
) -> None:
    """Return when no process holds `folder`, killing the holder after `grace_s`.

    Raises:
        FolderHeldError: the holder survives, is another user's, or runs on another machine.
    """
    lock = FileLock(folder / LOCK_FILE)
    if not folder.exists() or _is_free(lock, grace_s):
        return
    holder = read_holder(folder / LOCK_FILE)
    is_here = holder.get("host") == os.uname().nodename
    if is_here and "pid" in holder:
        _kill(folder, holder)
    if not _is_free(lock, grace_s if is_here else elsewhere_grace_s - grace_s):
        raise FolderHeldError(folder, describe_holder(holder))


def _kill(folder: Path, holder: dict[str, Any]) -> None:
    try:
        os.kill(int(holder["pid"]), signal.SIGKILL)
    except ProcessLookupError:
        pass  # it has just ended
    except PermissionError as error:
        raise FolderHeldError(folder, describe_holder(holder)) from error


def _is_free(lock: FileLock, timeout_s: float) -> bool:
    deadline = time.monotonic() + timeout_s
    while True:
        try:
            lock.acquire(patience_s=0.0)
        except LockHeldError:
            if time.monotonic() >= deadline:
                return False
            time.sleep(POLL_S)
        else:
            lock.release()
            return True
