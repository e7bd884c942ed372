"""Boxes of searched pictures, kept in the workspace: a search takes longer than all the rest.

    cache/regions/<2 digits>/<digest>   boxes of a picture, searched in one way

Files appear whole or not at all, and carry a checksum: a damaged one is searched again. Any number
of processes may keep and find boxes; two that search one picture write the same. A workspace is
named by `VISIONSTUDY_WORKSPACE`, as every command sets it; without one nothing is written.

`VISIONSTUDY_CACHE_GB` bounds `cache/regions` too, in GB of 10^9 bytes, and 8 do in any case. Where
it is full, files drawn at random go: an epoch asks for all pictures in turn, so the oldest would
be the ones that it asks for next.
"""

import contextlib
import math
import os
import random
import shutil
import zlib
from collections.abc import Iterator
from contextvars import ContextVar
from pathlib import Path
from uuid import uuid4

import numpy as np
from numpy.typing import NDArray

WORKSPACE, BOUND = "VISIONSTUDY_WORKSPACE", "VISIONSTUDY_CACHE_GB"
MOST_GB = 8.0  # 2000 boxes of 250,000 pictures
RESERVE_BYTES = 10**9  # of the disk, which stay free for checkpoints and logs
SUBFOLDERS = 256  # each holds its share, so that none but one is looked through for room
MAGIC = b"visionstudy boxes 1\n"
CHECKSUM_BYTES = 4
BOX_BYTES = 4 * 4
_DRAWN = random.Random(0)  # not the program's: what goes from a cache must not touch training
_IS_ANEW: ContextVar[bool] = ContextVar("_IS_ANEW", default=False)

Boxes = NDArray[np.float32]


@contextlib.contextmanager
def searching_anew() -> Iterator[None]:
    """Have every picture searched as if it had never been seen, to tell how long that takes."""
    before = _IS_ANEW.set(True)
    try:
        yield
    finally:
        _IS_ANEW.reset(before)


def is_searched_anew() -> bool:
    """Return whether what is kept must not be looked at."""
    return _IS_ANEW.get()


def regions_folder() -> Path | None:
    """Return where boxes are kept, which need not exist yet; None: nowhere."""
    workspace = os.environ.get(WORKSPACE)
    return Path(workspace).absolute() / "cache" / "regions" if workspace else None


def kept_boxes(digest: bytes) -> Boxes | None:
    """Return the boxes (n, 4) kept under a digest; None where there are none, or damaged ones."""
    folder = regions_folder()
    if folder is None:
        return None
    try:
        content = _file(folder, digest).read_bytes()
    except OSError:
        return None
    start = len(MAGIC) + CHECKSUM_BYTES
    body = content[start:]
    checksum = zlib.crc32(body).to_bytes(CHECKSUM_BYTES, "big")
    if content[:start] != MAGIC + checksum or len(body) % BOX_BYTES:
        return None
    return np.frombuffer(body, "<f4").astype(np.float32).reshape(-1, 4)


def keep_boxes(digest: bytes, boxes: Boxes) -> None:
    """Keep boxes (n, 4) under a digest; a disk without room only costs a later search."""
    folder = regions_folder()
    if folder is None:
        return
    body = boxes.astype("<f4").tobytes()
    file = _file(folder, digest)
    # Of this process alone: another one may be keeping the same boxes.
    partial = file.with_name(f"{file.name}.{uuid4().hex}.partial")
    with contextlib.suppress(OSError):
        file.parent.mkdir(parents=True, exist_ok=True)
        if not _has_room(file.parent, len(body)):
            return
        try:
            checksum = zlib.crc32(body).to_bytes(CHECKSUM_BYTES, "big")
            partial.write_bytes(MAGIC + checksum + body)
            partial.replace(file)
        finally:
            partial.unlink(missing_ok=True)


def _has_room(subfolder: Path, need: int) -> bool:
    """Remove files until there is room for so many bytes more; return whether there is."""
    share = _limit_bytes() / SUBFOLDERS
    if need > share or shutil.disk_usage(subfolder).free < RESERVE_BYTES + need:
        return False
    sizes = _sizes(subfolder)
    excess = sum(sizes.values()) + need - share
    for path in _DRAWN.sample(sorted(sizes), len(sizes)):
        if excess <= 0:
            break
        Path(path).unlink(missing_ok=True)
        excess -= sizes[path]
    return True


def _sizes(subfolder: Path) -> dict[str, int]:
    found: dict[str, int] = {}
    with os.scandir(subfolder) as entries:
        for entry in entries:
            with contextlib.suppress(FileNotFoundError):  # another process removed or renamed it
                found[entry.path] = entry.stat().st_size
    return found


def _limit_bytes() -> float:
    try:
        chosen = float(os.environ.get(BOUND) or MOST_GB)
    except ValueError:  # refused where it bounds decoded samples
        chosen = MOST_GB
    return (min(chosen, MOST_GB) if math.isfinite(chosen) else MOST_GB) * 10**9


def _file(folder: Path, digest: bytes) -> Path:
    name = digest.hex()
    return folder / name[:2] / name
