"""Which cells fit on which GPU, and with which micro-batch?"""

from dataclasses import dataclass

from reports.notation import configuration_label
from trackers.memory_fit import FITS, TOO_LARGE, fit_text, telling_settings
from trackers.memory_records import GPU_SIZES_GB, MIB_PER_GB
from trackers.records import StudyRecord


@dataclass(frozen=True, slots=True)
class Fit:
    """Whether a batch fits on a GPU."""

    text: str  # "fits", "micro-batch 2" or "too large"

    @property
    def kind(self) -> str:
        """Return how it is shown: "fits", "cut" or "too-large"."""
        return {FITS: "fits", TOO_LARGE: "too-large"}.get(self.text, "cut")


@dataclass(frozen=True, slots=True)
class MemoryRow:
    """A batch of some settings."""

    label: str
    batch_size: int
    need_gb: float  # of the whole batch at once
    least_gb: float  # with one image at a time
    fits: tuple[Fit, ...]  # as `MemoryTable.gpus_gb`


@dataclass(frozen=True, slots=True)
class MemoryTable:
    """The out-of-memory frontier of a study."""

    rows: tuple[MemoryRow, ...]
    gpus_gb: tuple[int, ...]
    is_measured: bool  # on a GPU, all of it
    device: str


def memory_table(study: StudyRecord) -> MemoryTable | None:
    """Tabulate what was found of a study's steps; None: nobody looked."""
    if not study.memory:
        return None
    rows = []
    for record, told in zip(study.memory, telling_settings(study.memory), strict=True):
        for batch in record.batch_sizes:
            fits = [fit_text(record, batch, size * MIB_PER_GB) for size in GPU_SIZES_GB]
            row = MemoryRow(
                label=configuration_label(told) if told else "all cells",
                batch_size=batch,
                need_gb=record.need_mb(batch) / MIB_PER_GB,
                least_gb=record.need_mb(1) / MIB_PER_GB,
                fits=tuple(Fit(text) for text in fits),
            )
            rows.append(row)
    return MemoryTable(
        rows=tuple(rows),
        gpus_gb=GPU_SIZES_GB,
        is_measured=all(record.is_measured for record in study.memory),
        device=", ".join(sorted({record.device for record in study.memory})),
    )
