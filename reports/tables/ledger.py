"""Every planned cell and what became of it, those that went wrong first."""

from dataclasses import dataclass

from reports.lineage import places
from reports.measurements import NOT_RUN, OUTCOME_ORDER, outcome_text, unknown_cells, value_of
from reports.notation import configuration_label, plural
from trackers.folds import fold_of
from trackers.records import CellRecord, StudyRecord

SINGLE_NETWORK = "single network"  # of all classes, beside an assembly


@dataclass(frozen=True, slots=True)
class LedgerRow:
    """One planned cell."""

    cell: str
    stages: tuple[str, ...]
    configuration: str  # what the stages varied
    group: str
    seed: int
    fold: int | None  # None: the study has no folds
    outcome: str  # one of `OUTCOME_ORDER`
    attempts: tuple[str, ...]  # how each ended: ("lost", "complete")
    reason: str
    score: float | None
    epochs: int
    seconds: float
    device: str
    url: str | None


@dataclass(frozen=True, slots=True)
class UnknownCells:
    """Planned cells of a stage that waits for the one above."""

    stage: str
    count: int


@dataclass(frozen=True, slots=True)
class Ledger:
    """The account of a study."""

    rows: tuple[LedgerRow, ...]
    unknown: tuple[UnknownCells, ...]
    retried: int  # cells that needed more than one attempt
    has_groups: bool
    has_folds: bool
    has_urls: bool

    @property
    def summary(self) -> str:
        """One sentence on attempts and devices."""
        attempts = sum(len(row.attempts) for row in self.rows)
        return (
            f"{plural(attempts, 'attempt')} at {plural(len(self.rows), 'known cell')}; "
            f"{plural(self.retried, 'cell')} needed more than one."
        )


def ledger(study: StudyRecord) -> Ledger:
    """Account for every planned cell."""
    stages: dict[str, list[tuple[str, str]]] = {}
    for placed in places(study).values():
        label = configuration_label(placed.configuration.shown)
        for cell in placed.configuration.cells:
            stages.setdefault(cell, []).append((placed.stage.name, label))
    for stage in study.afterwards:
        for configuration in stage.configurations:
            label = configuration_label(configuration.shown)
            for cell in configuration.cells:
                stages.setdefault(cell, []).append((stage.name, label))
    singles = [c.id for c in study.cells.values() if study.assemblies and not c.group]
    stages |= {single: [(SINGLE_NETWORK, "as inherited")] for single in singles}
    rows = [_row(cell, stages.get(cell.id, []), study) for cell in study.cells.values()]
    rows.sort(key=lambda row: OUTCOME_ORDER.index(row.outcome))
    waiting = ((stage.name, unknown_cells(stage)) for stage in (*study.stages, *study.afterwards))
    return Ledger(
        rows=tuple(rows),
        unknown=tuple(UnknownCells(name, count) for name, count in waiting if count),
        retried=sum(len(row.attempts) > 1 for row in rows),
        has_groups=any(row.group for row in rows),
        has_folds=any(row.fold is not None for row in rows),
        has_urls=any(row.url for row in rows),
    )


def _row(cell: CellRecord, uses: list[tuple[str, str]], study: StudyRecord) -> LedgerRow:
    last = cell.trials[-1] if cell.trials else None
    return LedgerRow(
        cell=cell.id,
        stages=tuple(dict.fromkeys(stage for stage, _ in uses)),
        configuration="; ".join(dict.fromkeys(label for _, label in uses)),
        group=cell.group,
        seed=cell.seed,
        fold=fold_of(study, cell),
        outcome=outcome_text(cell),
        attempts=tuple(str(t.outcome) if t.outcome else "running" for t in cell.trials),
        reason=cell.reason or _last_reason(cell) or _why_not_run(cell, study),
        score=value_of(cell, study.metric),
        epochs=len(cell.epochs),
        seconds=cell.seconds,
        device=last.device if last else "",
        url=cell.tracking_url,
    )


def _why_not_run(cell: CellRecord, study: StudyRecord) -> str:
    """Why the launch ended before a planned cell: its budget, say."""
    return study.note if outcome_text(cell) == NOT_RUN and not study.is_finished else ""


def _last_reason(cell: CellRecord) -> str:
    """Why an earlier attempt ended, for a cell that came through in the end."""
    reasons = [trial.reason for trial in cell.trials if trial.reason]
    return reasons[-1] if reasons else ""
