"""Hashes of what is on disk, so that changed data is not mistaken for the old."""

import hashlib
import json
import os
import tempfile
from collections.abc import Callable, Iterable
from contextlib import suppress
from pathlib import Path

from data_pipeline.cache import cache_folder

REMEMBERED_FROM_BYTES = 16 * 1024**2  # below, hashing is faster than looking it up
REMEMBERED_FROM_FILES = 1000


def hash_of(parts: Iterable[str]) -> str:
    """Return the SHA-256 of several texts, in their order; 64 hexadecimal digits."""
    digest = hashlib.sha256()
    for part in parts:
        encoded = part.encode(errors="surrogateescape")  # names of files may not be UTF-8
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
    return _remembered(identity, file.resolve(), lambda: _sha256(file))


def files_sha256(files: Iterable[Path]) -> str:
    """Return the SHA-256 of the names and contents of several files, in their order.

    Large ones are hashed once, and so are more than a thousand, like one large file.
    """
    paths = list(files)

    def content() -> str:
        return hash_of(f"{path.name} {file_sha256(path)}" for path in paths)

    if len(paths) < REMEMBERED_FROM_FILES:
        return content()
    stats = ((path, path.stat()) for path in paths)
    identity = hash_of(
        f"{path.absolute()} {stat.st_size} {stat.st_mtime_ns}" for path, stat in stats
    )
    return _remembered(identity, paths[0].parent.resolve(), content)


def _remembered(identity: str, place: Path, hashed: Callable[[], str]) -> str:
    note = cache_folder() / "hashes" / f"{identity}.json"
    try:
        return str(json.loads(note.read_text())["sha256"])
    except (OSError, ValueError, LookupError, TypeError):
        content = hashed()  # no note yet, or a torn one
    with suppress(OSError):  # a full or read-only disk only costs hashing again
        write_whole(note, json.dumps({"file": str(place), "sha256": content}))
    return content


def write_whole(file: Path, text: str) -> None:
    """Write a file so that another process sees all of it or nothing."""
    file.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.NamedTemporaryFile("w", dir=file.parent, delete=False) as temporary:
        try:
            temporary.write(text)
            temporary.flush()
            os.fsync(temporary.fileno())
        except OSError:
            Path(temporary.name).unlink()
            raise
    Path(temporary.name).replace(file)


def _sha256(file: Path) -> str:
    with file.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()
