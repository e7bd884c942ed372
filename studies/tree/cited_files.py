"""A study's own files of cited numbers, kept in its folder: `baselines.json`.

A report made later, when the files beside the study file are gone or others, still has them.
"""

import json
from collections.abc import Mapping
from pathlib import Path

CITED_FILE = "baselines.json"


def keep_cited(folder: Path, files: Mapping[str, str]) -> None:
    """Write the texts of a study's files, or remove those of an earlier launch.

    Args:
        folder: Of the study.
        files: Name, as in the study file -> text.
    """
    place = folder / CITED_FILE
    if not files:
        place.unlink(missing_ok=True)
        return
    folder.mkdir(parents=True, exist_ok=True)
    partial = place.with_suffix(".partial")
    partial.write_text(json.dumps(dict(files), indent=1), encoding="utf-8")
    partial.replace(place)


def read_cited(folder: Path) -> dict[str, str]:
    """Return the texts of a study's files; {} where it has none."""
    place = folder / CITED_FILE
    if not place.exists():
        return {}
    found: dict[str, str] = json.loads(place.read_text(encoding="utf-8"))
    return found
