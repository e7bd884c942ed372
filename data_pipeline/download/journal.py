"""Which files have arrived while a download is not finished, a line each.

A line is written after its file has its name. A file without one is fetched again: whoever puts
a file there by hand has not had it checked.
"""

import json
from dataclasses import asdict, dataclass
from pathlib import Path

from data_pipeline.download.remote_file import RemoteFile
from data_pipeline.download.transfer import Arrived


@dataclass(frozen=True, slots=True)
class HeldFile:
    """A file that has arrived, or that a server does not have."""

    name: str
    url: str
    size_bytes: int | None  # None: the server does not have it
    checksum: str | None

    @classmethod
    def arrived(cls, remote: RemoteFile, arrived: Arrived) -> "HeldFile":
        """Return the entry of a file that arrived."""
        return cls(remote.name, remote.url, arrived.size_bytes, str(arrived.checksum))

    @classmethod
    def missing(cls, remote: RemoteFile) -> "HeldFile":
        """Return the entry of a file that its server does not have."""
        return cls(remote.name, remote.url, size_bytes=None, checksum=None)

    def is_there(self, folder: Path) -> bool:
        """Tell whether the file is on disk with its size."""
        try:
            return (folder / self.name).stat().st_size == self.size_bytes
        except OSError:
            return False


class Journal:
    """The file of those lines."""

    def __init__(self, file: Path) -> None:
        self._file = file

    def read(self) -> list[HeldFile]:
        """Return the entries; a line that a kill cut short is no entry."""
        held = []
        if self._file.exists():
            for line in self._file.read_text(encoding="utf-8", errors="replace").splitlines():
                try:
                    held.append(HeldFile(**json.loads(line)))
                except (ValueError, TypeError):
                    continue
        return held

    def write(self, held: HeldFile) -> None:
        """Add an entry."""
        # The line break comes first: it parts the entry from one that was cut short.
        with self._file.open("a", encoding="utf-8") as stream:
            stream.write("\n" + json.dumps(asdict(held)))

    def remove(self) -> None:
        """Forget all entries: the manifest has them."""
        self._file.unlink(missing_ok=True)
