"""The thesis's columns: training and validation accuracy and loss, score and time.

Of actions they are its Table 14's: "Acc" is on training, "Val" on validation, top-1 and top-5.
What a study asked for beside its objective, or a detector is judged by, is among them. These
metrics are those of the epoch whose weights were scored, averaged over seeds.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from reports.leaky_splits import is_leaky_configuration
from reports.lineage import Placed, places
from reports.many_rows import best_first
from reports.measurements import cells_of, finite, mean, scored_epoch, value_of
from reports.notation import configuration_label
from trackers.records import CellRecord, Outcome, StudyRecord

EPOCH_METRICS = (
    "train/top1",
    "train/top5",
    "val/top1",
    "val/top5",
    "val/class_recall",
    "train/pixel_accuracy",
    "train/accuracy",
    "train/loss",
    "val/pixel_accuracy",
    "val/accuracy",
    "val/loss",
    "val/boundary_f1",
    "val/rand_error",
    "val/pixel_error",
    "val/mask_ap",
    "val/box_ap",
)


@dataclass(frozen=True, slots=True)
class TrainingRow:
    """One configuration, and one class where each class has its own model."""

    label: str
    group: str  # the class, else ""
    metrics: tuple[float | None, ...]  # as `TrainingTable.metrics`, mean over seeds
    score: float | None
    seconds: float | None
    epoch: float | None  # mean of the scored epochs
    cells: int  # complete ones, that the means are over
    is_winner: bool
    is_leaky: bool  # its split cuts groups


@dataclass(frozen=True, slots=True)
class TrainingTable:
    """A stage in the layout of the thesis."""

    stage: str
    metrics: tuple[str, ...]
    objective: str
    rows: tuple[TrainingRow, ...]

    @property
    def has_groups(self) -> bool:
        """Whether rows differ by class."""
        return any(row.group for row in self.rows)


def training_tables(study: StudyRecord) -> dict[str, TrainingTable]:
    """Tabulate every stage that trained something, by stage name."""
    found = places(study)
    tables = {}
    for index, stage in enumerate(study.stages):
        placed = [p for p in found.values() if p.place[0] == index]
        if not stage.after_training and placed:
            tables[stage.name] = _table(study, stage.name, best_first(study, placed))
    return tables


def _table(study: StudyRecord, stage: str, placed: Sequence[Placed]) -> TrainingTable:
    cells = [cell for p in placed for cell in cells_of(study, p.configuration)]
    metrics = tuple(
        metric
        for metric in EPOCH_METRICS
        if metric != study.metric and any(_at_score(c, metric) is not None for c in cells)
    )
    rows = [_row(study, p, group, metrics) for p in placed for group in _groups(study, p)]
    by_class = sorted(rows, key=lambda row: _first_index(rows, row.group))
    return TrainingTable(stage, metrics, study.metric, tuple(by_class))


def _first_index(rows: Sequence[TrainingRow], group: str) -> int:
    return next(i for i, row in enumerate(rows) if row.group == group)


def _groups(study: StudyRecord, placed: Placed) -> tuple[str, ...]:
    cells = cells_of(study, placed.configuration)
    return tuple(dict.fromkeys(cell.group for cell in cells))


def _row(study: StudyRecord, placed: Placed, group: str, metrics: Sequence[str]) -> TrainingRow:
    cells = [
        cell
        for cell in cells_of(study, placed.configuration)
        if cell.group == group and cell.outcome is Outcome.COMPLETE
    ]
    return TrainingRow(
        label=configuration_label(placed.configuration.shown),
        group=group,
        metrics=tuple(mean(_at_score(cell, metric) for cell in cells) for metric in metrics),
        score=mean(value_of(cell, study.metric) for cell in cells),
        seconds=mean(cell.seconds for cell in cells),
        epoch=mean(cell.best_epoch for cell in cells),
        cells=len(cells),
        is_winner=placed.rank == 0,
        is_leaky=is_leaky_configuration(study, placed.configuration),
    )


def _at_score(cell: CellRecord, metric: str) -> float | None:
    epoch = scored_epoch(cell)
    return finite(epoch.metrics.get(metric)) if epoch else None
