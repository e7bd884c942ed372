"""JSON that a cell's trial kept beside its predictions, read without trust."""

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from trackers.records import CellRecord


def kept_json(cell: CellRecord, role: str) -> dict[str, Any] | None:
    """Return the object in a cell's file; None where it is missing, torn or no object."""
    if role not in cell.files:
        return None
    try:
        content = json.loads(Path(cell.files[role]).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    return content if isinstance(content, dict) else None


def kept_of_seeds(cells: Iterable[CellRecord], kind: str) -> tuple[str, list[dict[str, Any]]]:
    """Return what the seeds of a winner kept of a split, and which it is.

    Args:
        cells: By seed.
        kind: Of the files, whose roles are <kind>_test and <kind>_val.

    Returns:
        "test" where any was scored on it, else "val"; and the contents, [] where there are none.
    """
    members = list(cells)
    for split in ("test", "val"):
        kept = [content for cell in members if (content := kept_json(cell, f"{kind}_{split}"))]
        if kept:
            return split, kept
    return "val", []
