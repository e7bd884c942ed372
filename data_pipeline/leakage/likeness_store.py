"""Likenesses of files that were looked at before, kept in the workspace.

    cache/leakage/likenesses.db      identity of a file -> its likeness

An identity is a hash of path, size and time of change: a changed file is looked at again. It is
a SQLite file, for several processes may write and there may be 100,000 rows.
"""

import os
import sqlite3
import warnings
from collections.abc import Mapping, Sequence
from contextlib import closing
from hashlib import blake2b

import numpy as np

from data_pipeline.cache import cache_folder
from data_pipeline.datasets.dataset import Listed
from data_pipeline.leakage.likeness import CONTENT_BYTES, VERSION, Likeness

AT_ONCE = 500  # identities per query; SQLite takes 999 parameters in old versions
TABLE = "CREATE TABLE IF NOT EXISTS likenesses (identity BLOB PRIMARY KEY, likeness BLOB)"


def identity_of(item: Listed) -> bytes | None:
    """Return what tells an item's file from a changed one; None: there is no such file."""
    file = item.files[0]
    try:
        stat = os.stat(file)  # noqa: PTH116  # twice as fast as a Path's
    except OSError:
        return None
    text = f"{VERSION}|{file}|{stat.st_size}|{stat.st_mtime_ns}|{item.image_id}"
    return blake2b(text.encode(errors="surrogateescape"), digest_size=16).digest()


def kept(identities: Sequence[bytes]) -> dict[bytes, Likeness]:
    """Return the likenesses that are known."""
    found: dict[bytes, Likeness] = {}
    try:
        with closing(_connected()) as store:
            for start in range(0, len(identities), AT_ONCE):
                some = identities[start : start + AT_ONCE]
                marks = ",".join("?" * len(some))
                query = f"SELECT * FROM likenesses WHERE identity IN ({marks})"
                found |= {row[0]: _unpacked(row[1]) for row in store.execute(query, some)}
    except (sqlite3.Error, OSError, ValueError) as error:
        _warn(error)
    return found


def keep(likenesses: Mapping[bytes, Likeness]) -> None:
    """Add likenesses; where that cannot be, warn: they are computed again the next time."""
    rows = [(identity, _packed(likeness)) for identity, likeness in likenesses.items()]
    try:
        with closing(_connected()) as store, store:
            store.executemany("INSERT OR REPLACE INTO likenesses VALUES (?, ?)", rows)
    except (sqlite3.Error, OSError) as error:
        _warn(error)


def _connected() -> sqlite3.Connection:
    file = cache_folder() / "leakage" / "likenesses.db"
    file.parent.mkdir(parents=True, exist_ok=True)
    store = sqlite3.connect(file, timeout=30)  # seconds to wait for another writer
    try:
        store.execute(TABLE)
    except sqlite3.Error:
        store.close()
        raise
    return store


def _packed(likeness: Likeness) -> bytes:
    hashes = np.concatenate([likeness.hashes, likeness.mirrored])
    return bytes([likeness.is_telling]) + likeness.content + hashes.tobytes()


def _unpacked(row: bytes) -> Likeness:
    hashes = np.frombuffer(row, dtype=np.uint64, offset=1 + CONTENT_BYTES)
    own, mirrored = hashes.reshape(2, -1)
    return Likeness(row[1 : 1 + CONTENT_BYTES], own, mirrored, is_telling=bool(row[0]))


def _warn(error: Exception) -> None:
    warnings.warn(
        f"what pictures look like cannot be kept in {cache_folder() / 'leakage'} ({error}), and "
        "is computed again the next time; free disk space or delete that folder",
        stacklevel=3,
    )
