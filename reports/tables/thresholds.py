"""The best threshold of every stage winner: chosen on validation, reported on test."""

from collections.abc import Sequence
from dataclasses import dataclass

from reports.figures.thresholds import SplitCurve, ThresholdPanel, ThresholdSeries

COLUMNS = (
    "Best threshold",
    "Validation IoU",
    "Test IoU",
    "AP, validation",
    "AP, test",
    "AUC, validation",
    "AUC, test",
)


@dataclass(frozen=True, slots=True)
class ThresholdRow:
    """One winner and class."""

    class_name: str
    winner: str
    values: tuple[float | None, ...]  # as `ThresholdTable.columns`


@dataclass(frozen=True, slots=True)
class ThresholdTable:
    """Every winner's best threshold; columns without any value are left out."""

    columns: tuple[str, ...]
    rows: tuple[ThresholdRow, ...]
    seeds: int  # most that a mean is over


def threshold_table(panels: Sequence[ThresholdPanel]) -> ThresholdTable | None:
    """Tabulate the curves; None when there are none."""
    rows = [
        ThresholdRow(panel.class_name, series.label, _values(series))
        for panel in panels
        for series in panel.series
    ]
    if not rows:
        return None
    kept = [i for i in range(len(COLUMNS)) if any(row.values[i] is not None for row in rows)]
    curves = [c for p in panels for s in p.series for c in (s.val, s.test) if c is not None]
    return ThresholdTable(
        columns=tuple(COLUMNS[i] for i in kept),
        rows=tuple(
            ThresholdRow(row.class_name, row.winner, tuple(row.values[i] for i in kept))
            for row in rows
        ),
        seeds=max(curve.seeds for curve in curves),
    )


def _values(series: ThresholdSeries) -> tuple[float | None, ...]:
    best, val, test = series.best, series.val, series.test
    return (
        None if best is None else series.thresholds[best],
        _iou_at(val, best),
        _iou_at(test, best),
        val.average_precision if val else None,
        test.average_precision if test else None,
        val.auc if val else None,
        test.auc if test else None,
    )


def _iou_at(curve: SplitCurve | None, index: int | None) -> float | None:
    return None if curve is None or index is None else curve.iou[index]
