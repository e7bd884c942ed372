"""How it is said whether a batch fits on a GPU, and which settings tell the batches apart."""

from collections.abc import Mapping, Sequence

from trackers.memory_records import MemoryRecord
from trackers.records import JsonValue

FITS, TOO_LARGE = "fits", "too large"


def fit_text(record: MemoryRecord, batch_size: int, gpu_mb: float) -> str:
    """Say "fits", "micro-batch 2" (with the same effective batch), or "too large"."""
    divisor = record.divisor(batch_size, gpu_mb)
    if divisor is None:
        return TOO_LARGE
    return FITS if divisor == 1 else f"micro-batch {-(-batch_size // divisor)}"


def telling_settings(records: Sequence[MemoryRecord]) -> tuple[Mapping[str, JsonValue], ...]:
    """Return of each record the settings that not all have; what it lacks is left out."""
    first = records[0].settings if records else {}
    paths = dict.fromkeys(path for record in records for path in record.settings)
    differing = [
        path
        for path in paths
        if any(record.settings.get(path) != first.get(path) for record in records)
    ]
    return tuple(
        {path: record.settings[path] for path in differing if path in record.settings}
        for record in records
    )
