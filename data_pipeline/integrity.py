"""Hashes of what is on disk, so that changed data is not mistaken for the old."""

import hashlib
import json
import os
import tempfile
from collections.abc import Iterable
from pathlib import Path

from data_pipeline.cache import cache_folder

REMEMBERED_FROM_BYTES = 16 * 1024**2  # below, hashing is faster than looking it up


def hash_of(parts: Iterable[str]) -> str:
    """Return the SHA-256 of several texts, in their order; 64 hexadecimal digits."""
    digest = hashlib.sha256()
    for part in parts:
        encoded = part.encode()
        digest.update(f"{len(encoded)}:".encode() + encoded)  # "ab", "c" is not "a", "bc"
    return digest.hexdigest()


def file_sha256(file: Path) -> str:
    """Return the SHA-256 of a file's content; 64 hexadecimal digits.

    Large files are hashed once: the result is kept in the workspace's cache by path, size and
    time of change.
    """
    stat = file.stat()
    if stat.st_size < REMEMBERED_FROM_BYTES:
        return _sha256(file)
    identity = hash_of([str(file.resolve()), str(stat.st_size), str(stat.st_mtime_ns)])
    note = cache_folder() / "hashes" / f"{identity}.json"
    if note.is_file():
        return str(json.loads(note.read_text())["sha256"])
    content = _sha256(file)
    write_whole(note, json.dumps({"file": str(file.resolve()), "sha256": content}))
    return content


def write_whole(file: Path, text: str) -> None:
    """Write a file so that another process sees all of it or nothing."""
    file.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.NamedTemporaryFile("w", dir=file.parent, delete=False) as temporary:
        temporary.write(text)
        temporary.flush()
        os.fsync(temporary.fileno())
    Path(temporary.name).replace(file)


def _sha256(file: Path) -> str:
    with file.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()
