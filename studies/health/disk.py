"""What a workspace needs of its file system: space, durable writes, locks, the right time."""

import fcntl
import os
import shutil
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from studies.health.check import Check, ok

GB = 10**9
LITTLE_BYTES, TOO_LITTLE_BYTES = 20 * GB, GB
SLOW_S = 0.2  # of an fsync; every epoch waits for one
CLOCK_S = 2.0


def check_disk(folder: Path) -> Iterator[Check]:
    """Try out a workspace's file system; nothing stays there.

    Args:
        folder: The workspace, which need not exist yet.
    """
    place = next(each for each in (folder, *folder.parents) if each.exists())
    yield _space(place)
    if not os.access(place, os.W_OK):
        fix = "make it writable for you, or name another by --workspace; reading works"
        yield Check("workspace", "warn", f"{place} may only be read", fix)
        return
    with tempfile.TemporaryDirectory(dir=place, prefix=".doctor-") as name:
        yield _durability(Path(name))
        yield _locks(Path(name))
        yield _clock(Path(name))


def _space(place: Path) -> Check:
    free = shutil.disk_usage(place).free
    found = f"{free / GB:.1f} GB free for {place}"
    if free >= LITTLE_BYTES:
        return ok("disk", found)
    fix = "visionstudy gc shows what may go; a study that finds the disk full stops and can go on"
    return Check("disk", "fail" if free < TOO_LITTLE_BYTES else "warn", found, fix)


def _durability(folder: Path) -> Check:
    """Write as a checkpoint is written: synced, then renamed."""
    began = time.monotonic()
    draft, file = folder / "draft", folder / "whole"
    try:
        with draft.open("wb") as stream:
            stream.write(os.urandom(4096))
            stream.flush()
            os.fsync(stream.fileno())
        draft.replace(file)
    except OSError as error:
        fix = "put the workspace on a local disk, or on a mount that lets files be synced"
        return Check("writes", "fail", f"a file cannot be kept safely: {error.strerror}", fix)
    took_s = time.monotonic() - began
    if took_s < SLOW_S:
        return ok("writes", f"a file is safely on disk after {1000 * took_s:.0f} ms")
    fix = "put the workspace on a faster disk: every epoch waits for this"
    return Check("writes", "warn", f"a file is safely on disk after {took_s:.1f} s", fix)


def _locks(folder: Path) -> Check:
    """See that a second process would be kept out."""
    fix = "put the workspace on a local disk, or mount it with locks (NFS: version 4, no nolock)"
    file = folder / "lock"
    try:
        with file.open("w") as first, file.open("w") as second:
            fcntl.flock(first, fcntl.LOCK_EX | fcntl.LOCK_NB)
            try:
                fcntl.flock(second, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                return ok("locks", "files can be locked: a study runs once at a time")
    except OSError as error:
        return Check("locks", "fail", f"files cannot be locked: {error.strerror}", fix)
    return Check("locks", "fail", "locks on files keep nobody out", fix)


def _clock(folder: Path) -> Check:
    """Compare this machine's clock with that of the file system, which may be a server's."""
    (folder / "now").touch()
    ahead_s = time.time() - (folder / "now").stat().st_mtime
    if abs(ahead_s) < CLOCK_S:
        return ok("clock", f"as that of the file system, {time.strftime('%Y-%m-%d %H:%M %Z')}")
    fix = "have both set by NTP: times of trials and files would not fit together"
    return Check("clock", "warn", f"{ahead_s:+.1f} s from that of the file system", fix)
