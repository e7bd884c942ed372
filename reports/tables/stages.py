"""One table per stage: every configuration's replicates, interval, cost, and the decision."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from reports.folds import fold_note, folds_of
from reports.leaky_splits import is_leaky_configuration
from reports.lineage import Placed, places
from reports.many_rows import best_first
from reports.measurements import (
    OUTCOME_ORDER,
    cells_of,
    classes_of,
    finite,
    mean,
    outcome_text,
    seeds_of,
    unknown_cells,
    value_of,
)
from reports.notation import configuration_label
from reports.validation_sets import differing_settings, validation_sentence
from trackers.folds import fold_count, fold_of
from trackers.records import CellRecord, DecisionRecord, StageRecord, StudyRecord


@dataclass(frozen=True, slots=True)
class ReplicateValue:
    """One cell in a stage's table."""

    cell: str
    seed: int
    value: float | None
    outcome: str
    url: str | None  # its run in MLflow
    fold: int | None = None  # that it was validated on, in a cross-validated study


@dataclass(frozen=True, slots=True)
class StageRow:
    """One configuration of a stage."""

    configuration: str
    label: str
    group: str
    columns: tuple[tuple[ReplicateValue, ...], ...]  # as `StageTable.columns`
    column_means: tuple[float | None, ...]
    mean: float | None  # the decision's; while undecided, over the complete cells
    low: float | None
    high: float | None
    difference: float | None
    difference_low: float | None
    difference_high: float | None
    train_macs: float  # mean over cells
    seconds: float  # mean over cells
    outcomes: tuple[tuple[str, int], ...]
    rank: int | None  # 0 for the winner; None when not kept
    is_tied: bool
    is_leaky: bool  # its split cuts groups


@dataclass(frozen=True, slots=True)
class StageTable:
    """A stage as a reader compares it."""

    name: str
    after_training: bool
    metric: str
    columns: tuple[str, ...]  # "seed 0", …; or classes, or "fold 0", …, with their seeds inside
    by_class: bool
    rows: tuple[StageRow, ...]
    decisions: tuple[DecisionRecord, ...]
    axis: tuple[float, float]  # the span that the interval marks are drawn on
    planned: int  # cells of this stage
    caution: str  # that its configurations have different validation sets; "": they have not
    inside: str = ""  # what a column's mean is over: "seeds", "folds and seeds"; "": one cell
    note: str = ""  # what its intervals mean, where they are over folds

    @property
    def has_groups(self) -> bool:
        """Whether classes decide for themselves here."""
        return any(row.group for row in self.rows)


def stage_tables(study: StudyRecord) -> tuple[StageTable, ...]:
    """Tabulate every stage, in the order it ran."""
    found = places(study)
    return tuple(
        _table(study, stage, best_first(study, [p for p in found.values() if p.place[0] == index]))
        for index, stage in enumerate(study.stages)
    )


def _table(study: StudyRecord, stage: StageRecord, placed: Sequence[Placed]) -> StageTable:
    by_class = any(len(classes_of(cells_of(study, p.configuration))) > 1 for p in placed)
    columns = _columns(study, placed, by_class)
    rows = tuple(_row(study, p, columns, by_class=by_class) for p in placed)
    is_folded = fold_count(study) is not None
    several = any(len(part) > 1 for row in rows for part in row.columns)
    return StageTable(
        name=stage.name,
        after_training=stage.after_training,
        metric=study.metric,
        columns=tuple(columns),
        by_class=by_class,
        rows=rows,
        decisions=stage.decisions,
        axis=_axis(rows),
        planned=unknown_cells(stage) + len({c for p in placed for c in p.configuration.cells}),
        caution=validation_sentence(
            study, differing_settings(study, [p.configuration for p in placed])
        ),
        inside=_inside(by_class=by_class, is_folded=is_folded) if by_class or several else "",
        note=fold_note(study),
    )


def _inside(*, by_class: bool, is_folded: bool) -> str:
    return "folds and seeds" if by_class and is_folded else "seeds"


def _columns(study: StudyRecord, placed: Sequence[Placed], by_class: bool) -> list[str]:
    cells = [cell for p in placed for cell in cells_of(study, p.configuration)]
    if by_class:
        return list(classes_of(cells))
    folds = folds_of(study, cells)
    return [f"fold {fold}" for fold in folds] or [f"seed {seed}" for seed in seeds_of(cells)]


def _column(study: StudyRecord, cell: CellRecord, *, by_class: bool) -> str:
    if by_class:
        return cell.group
    fold = fold_of(study, cell)
    return f"seed {cell.seed}" if fold is None else f"fold {fold}"


def _row(
    study: StudyRecord, placed: Placed, columns: Sequence[str], *, by_class: bool
) -> StageRow:
    cells = cells_of(study, placed.configuration)
    split = tuple(
        tuple(
            _replicate(study, cell)
            for cell in cells
            if column == _column(study, cell, by_class=by_class)
        )
        for column in columns
    )
    known = placed.candidate
    values = [value_of(cell, study.metric) for cell in cells]
    return StageRow(
        configuration=placed.configuration.id,
        label=configuration_label(placed.configuration.shown),
        group=placed.configuration.group,
        columns=split,
        column_means=tuple(mean(replicate.value for replicate in part) for part in split),
        mean=finite(known.mean) if known and known.values else mean(values),
        low=known.low if known else None,
        high=known.high if known else None,
        difference=known.difference if known else None,
        difference_low=known.difference_low if known else None,
        difference_high=known.difference_high if known else None,
        train_macs=known.train_macs if known else mean(c.train_macs for c in cells) or 0.0,
        seconds=known.seconds if known else mean(c.seconds for c in cells) or 0.0,
        outcomes=_outcomes(cells),
        rank=placed.rank,
        is_tied=bool(known and known.is_tied),
        is_leaky=is_leaky_configuration(study, placed.configuration),
    )


def _replicate(study: StudyRecord, cell: CellRecord) -> ReplicateValue:
    value, fold = value_of(cell, study.metric), fold_of(study, cell)
    outcome, url = outcome_text(cell), cell.tracking_url
    return ReplicateValue(cell.id, cell.seed, value, outcome, url, fold)


def _outcomes(cells: Sequence[CellRecord]) -> tuple[tuple[str, int], ...]:
    counts = Counter(outcome_text(cell) for cell in cells)
    return tuple((name, counts[name]) for name in OUTCOME_ORDER if counts[name])


def _axis(rows: Sequence[StageRow]) -> tuple[float, float]:
    """Span every mean and interval with a little air, so that marks can be compared by eye."""
    ends = [
        end for row in rows for end in (row.low, row.high, row.mean) if finite(end) is not None
    ]
    known = [end for end in ends if end is not None]
    if not known:
        return (0.0, 1.0)
    low, high = min(known), max(known)
    air = (high - low) * 0.04 or max(abs(low), 1e-3) * 0.04
    return (low - air, high + air)
