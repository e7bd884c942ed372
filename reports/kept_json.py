"""JSON that a cell's trial kept beside its predictions, read without trust."""

import json
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
