"""How a dataset is fetched, whichever it is; what would be fetched; and what came of it."""

from dataclasses import dataclass, field
from pathlib import Path

from data_pipeline.download.manifest import Manifest
from data_pipeline.download.patience import Patience


@dataclass(frozen=True, slots=True)
class Terms:
    """How a dataset is fetched, whichever it is."""

    folder: Path  # is made if it is not there
    mirror: str | None = None  # takes the place of scheme and host in every address
    connections: int = 8  # files at a time
    most_missing: float = 0.05  # share of the files that their server may not have
    keep_archives: bool = False  # after they were unpacked
    patience: Patience = field(default_factory=Patience)


@dataclass(frozen=True, slots=True)
class Plan:
    """What would be fetched."""

    files: int
    size_bytes: int
    note: str  # how these numbers are known


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of a download that is complete."""

    manifest: Manifest
    files: int  # fetched now
    size_bytes: int  # of those
    was_complete: bool  # nothing had to be done
