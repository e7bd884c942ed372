"""`download.json`: what a folder holds, where it is from and under which terms; written last.

A folder with a manifest is complete for the options that stand in it.
"""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from data_pipeline.download.journal import HeldFile
from data_pipeline.download.licences import Licence
from data_pipeline.errors import InvalidDataError
from data_pipeline.hashing import write_whole

MANIFEST_NAME = "download.json"


@dataclass(frozen=True, slots=True)
class Manifest:
    """What a folder holds."""

    dataset: str
    finished: str  # ISO 8601, UTC
    options: Mapping[str, Any]  # what was asked for
    licence: Licence
    counts: Mapping[str, int]
    sources: tuple[HeldFile, ...]  # what the rest was made from; may have been removed
    files: tuple[HeldFile, ...]  # as they came; size None: their server does not have them
    made: tuple[HeldFile, ...]  # written or unpacked from the sources
    earlier: tuple[HeldFile, ...]  # of other options; still there, and no part of the dataset now

    @property
    def missing(self) -> tuple[HeldFile, ...]:
        """Files that were asked for and are not on their server."""
        return tuple(held for held in self.files if held.size_bytes is None)

    def is_whole(self, folder: Path) -> bool:
        """Tell whether everything it lists is on disk with its size."""
        present = (held for held in (*self.files, *self.made) if held.size_bytes is not None)
        return all(held.is_there(folder) for held in present)


def write_manifest(folder: Path, manifest: Manifest) -> None:
    """Write a folder's manifest, all of it or nothing."""
    write_whole(folder / MANIFEST_NAME, json.dumps(asdict(manifest), indent=1) + "\n")


def read_manifest(folder: Path) -> Manifest | None:
    """Read a folder's manifest; None where there is none.

    Raises:
        InvalidDataError: It is not one.
    """
    file = folder / MANIFEST_NAME
    if not file.exists():
        return None
    try:
        content = json.loads(file.read_bytes())
        lists = {
            name: tuple(HeldFile(**held) for held in content.pop(name))
            for name in ("sources", "files", "made", "earlier")
        }
        return Manifest(**(content | lists | {"licence": Licence(**content["licence"])}))
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        raise InvalidDataError(
            f"{file} must be the manifest of a download, got something else ({error}); "
            "remove it to fetch the dataset again"
        ) from error
