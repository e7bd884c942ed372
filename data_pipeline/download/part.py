"""The beginning of a file that has not wholly arrived, kept so that it can be continued.

`NAME.part` holds the bytes, `NAME.part.json` says of which version of which file: it is written
before the first byte, so bytes without it, or of another version, are never continued.
"""

import json
import os
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import BinaryIO

from data_pipeline.hashing import write_whole


@dataclass(frozen=True, slots=True)
class Version:
    """What a server said of the file whose beginning is kept."""

    url: str
    validator: str | None  # strong ETag or Last-Modified, for If-Range
    size_bytes: int | None
    checksum: str | None  # as the server stated it


class Part:
    """The beginning of a file."""

    def __init__(self, target: Path) -> None:
        self.target = target
        self.file = target.with_name(target.name + ".part")
        self._note = target.with_name(target.name + ".part.json")

    @property
    def size_bytes(self) -> int:
        """Bytes that have arrived."""
        return self.file.stat().st_size if self.file.exists() else 0

    def version(self, url: str) -> Version | None:
        """Return of which version it is the beginning; None: it is none of this address."""
        try:
            version = Version(**json.loads(self._note.read_bytes()))
        except (OSError, ValueError, TypeError):
            return None
        return version if version.url == url and self.size_bytes else None

    def begin(self, version: Version) -> None:
        """Forget what there is, and say what will be written."""
        self.discard()
        write_whole(self._note, json.dumps(asdict(version)))
        self.file.touch()

    def appending(self) -> BinaryIO:
        """Open it to write on; nothing is held back, so a kill loses nothing written."""
        return self.file.open("ab", buffering=0)

    def discard(self) -> None:
        """Forget what has arrived."""
        self.file.unlink(missing_ok=True)
        self._note.unlink(missing_ok=True)

    def complete(self) -> None:
        """Give the file its name; whoever sees the name sees all of it, also after a crash."""
        with self.file.open("rb") as stream:
            os.fsync(stream.fileno())
        self.file.replace(self.target)
        self._note.unlink(missing_ok=True)
