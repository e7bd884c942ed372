"""What training steps take in memory, as it was found for a study: `memory.json` in its folder."""

import contextlib
import json
import os
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from studies.spec.schema import CellSettings
from studies.spec.settings import flatten
from trackers.memory_records import MemoryRecord
from trackers.records import CellRecord, JsonValue

MEMORY_FILE = "memory.json"
# Settings that change what a step takes; the number of classes stands for their names.
TOUCHING = (
    "model.",
    "data.image_size",
    "data.resize",
    "data.clip.",
    "training.precision",
    "training.optimizer",
    "training.momentum",
    "training.loss",
    "training.gradient_checkpointing",
    "training.transfer.",
)
CLASSES, BATCH_SIZE = "data.classes", "training.batch_size"


def memory_settings(settings: CellSettings) -> dict[str, JsonValue]:
    """Return what of a cell's settings changes the memory of its steps."""
    return touching(flatten(settings))


def touching(settings: Mapping[str, JsonValue]) -> dict[str, JsonValue]:
    """Return what of flat settings changes the memory of a step."""
    found = {path: value for path, value in settings.items() if path.startswith(TOUCHING)}
    classes = settings.get(CLASSES)
    found["classes"] = len(classes) if isinstance(classes, list | tuple) else 0
    return found


def memory_key(settings: Mapping[str, JsonValue]) -> str:
    """Name what `touching` returned."""
    return json.dumps(settings, sort_keys=True)


def read_memory(folder: Path) -> dict[str, dict[str, Any]]:
    """Return what was found for a study: `memory_key` -> fields of a `MemoryRecord`.

    A file that is torn or of something else counts as none: it is found anew.
    """
    try:
        content = json.loads((folder / MEMORY_FILE).read_text(encoding="utf-8"))
        return {memory_key(each["settings"]): each for each in content["steps"]}
    except (OSError, ValueError, KeyError, TypeError):
        return {}


def write_memory(folder: Path, found: Iterable[Mapping[str, Any]]) -> None:
    """Keep what was found; a reader sees the old file or the new one."""
    folder.mkdir(parents=True, exist_ok=True)
    temporary = folder / f".{MEMORY_FILE}.{os.getpid()}"
    try:
        temporary.write_text(json.dumps({"steps": list(found)}, indent=1), encoding="utf-8")
        temporary.replace(folder / MEMORY_FILE)
    finally:
        with contextlib.suppress(OSError):
            temporary.unlink(missing_ok=True)


def memory_records(folder: Path, cells: Iterable[CellRecord]) -> tuple[MemoryRecord, ...]:
    """Return what was found for the settings of a study's trained cells."""
    found = read_memory(folder)
    batches: dict[str, set[int]] = {}
    for cell in cells if found else ():
        if cell.source is None:
            key = memory_key(touching(cell.settings))
            batches.setdefault(key, set()).add(int(str(cell.settings[BATCH_SIZE])))
    return tuple(
        memory_record(found[key], sizes) for key, sizes in batches.items() if key in found
    )


def memory_record(found: Mapping[str, Any], batch_sizes: Iterable[int]) -> MemoryRecord:
    """Return a record of what was found and of the batches it is asked for."""
    return MemoryRecord(
        settings=found["settings"],
        batch_sizes=tuple(sorted(batch_sizes)),
        fixed_mb=float(found["fixed_mb"]),
        image_mb=float(found["image_mb"]),
        device=str(found["device"]),
        is_measured=bool(found["is_measured"]),
    )
