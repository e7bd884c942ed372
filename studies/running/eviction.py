"""Make sure that nobody writes to a trial's folder any more.

A trial outlives its coordinator by a moment: it writes a checkpoint and ends. It holds a lock on
its folder while it runs, so the next coordinator waits for that, and kills it if it hangs.
"""

import os
import signal
import time
from pathlib import Path

from studies.running.file_lock import FileLock, LockHeldError, read_holder

LOCK_FILE = "lock"
GRACE_S = 15.0
POLL_S = 0.05


def evict(folder: Path, grace_s: float = GRACE_S) -> None:
    """Return when no process holds `folder`, killing the holder after `grace_s`.

    Raises:
        LockHeldError: the holder survives, or runs on another machine.
    """
    lock = FileLock(folder / LOCK_FILE)
    if not folder.exists() or _is_free(lock, grace_s):
        return
    holder = read_holder(folder / LOCK_FILE)
    if holder.get("host") == os.uname().nodename and "pid" in holder:
        os.kill(int(holder["pid"]), signal.SIGKILL)
    if not _is_free(lock, grace_s):
        raise LockHeldError(holder)


def _is_free(lock: FileLock, timeout_s: float) -> bool:
    deadline = time.monotonic() + timeout_s
    while True:
        try:
            lock.acquire()
        except LockHeldError:
            if time.monotonic() >= deadline:
                return False
            time.sleep(POLL_S)
        else:
            lock.release()
            return True
