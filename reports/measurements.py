"""What cells measured: a cell's value of a metric, its scored epoch, means over replicates."""

import math
from collections.abc import Iterable, Sequence
from statistics import fmean

from trackers.records import (
    CellRecord,
    ConfigurationRecord,
    EpochRecord,
    Outcome,
    StageRecord,
    StudyRecord,
)

NOT_RUN = "not run"
RUNNING = "running"
# From what a reader must see first to what went well.
OUTCOME_ORDER = ("failed", "infeasible", "lost", "stopped", NOT_RUN, RUNNING, "pruned", "complete")


def cells_of(study: StudyRecord, configuration: ConfigurationRecord) -> tuple[CellRecord, ...]:
    """The cells of a configuration, in order of (class, seed)."""
    return tuple(study.cells[cell] for cell in configuration.cells if cell in study.cells)


def outcome_text(cell: CellRecord) -> str:
    """One of `OUTCOME_ORDER`."""
    if cell.is_running:
        return RUNNING
    return NOT_RUN if cell.outcome is None else str(cell.outcome)


def value_of(cell: CellRecord, metric: str) -> float | None:
    """The cell's final value; None unless it is complete and the value finite."""
    if cell.outcome is not Outcome.COMPLETE:
        return None
    return finite(cell.metrics.get(metric))


def finite(value: float | None) -> float | None:
    """The value, or None where it is missing, NaN or infinite."""
    return value if value is not None and math.isfinite(value) else None


def mean(values: Iterable[float | None]) -> float | None:
    """The mean of what is there; None when nothing is."""
    known = [value for value in values if value is not None]
    return fmean(known) if known else None


def scored_epoch(cell: CellRecord) -> EpochRecord | None:
    """The epoch whose weights were scored, with the metrics that it had then."""
    return next((e for e in cell.epochs if e.epoch == cell.best_epoch), None)


def trained_cell(study: StudyRecord, cell: CellRecord) -> CellRecord:
    """The cell that trained the weights: for an after-training cell, its source."""
    return study.cells.get(cell.source, cell) if cell.source else cell


def seeds_of(cells: Iterable[CellRecord]) -> tuple[int, ...]:
    """The distinct seeds, ascending."""
    return tuple(sorted({cell.seed for cell in cells}))


def classes_of(cells: Iterable[CellRecord]) -> tuple[str, ...]:
    """The distinct classes of a one-model-per-class study, in order; else ()."""
    return tuple(dict.fromkeys(cell.group for cell in cells if cell.group))


def unknown_cells(stage: StageRecord) -> int:
    """Planned cells whose configurations are not known before the stage above is decided.

    A search may propose a configuration twice: both have the same cells, which run once.
    """
    known = sum(len(configuration.cells) for configuration in stage.configurations)
    return max(0, stage.planned_cells - known)


def planned_total(study: StudyRecord) -> int:
    """Every cell that the study plans: known ones and those of undecided stages."""
    every_stage = (*study.stages, *study.afterwards)
    return len(study.cells) + sum(unknown_cells(stage) for stage in every_stage)


def rank(values: Sequence[float | None], direction: str) -> list[int]:
    """Indices of the values from best to worst; missing ones last, ties in their order."""
    sign = -1.0 if direction == "maximize" else 1.0
    return sorted(
        range(len(values)),
        key=lambda i: (math.inf if (value := values[i]) is None else sign * value, i),
    )
