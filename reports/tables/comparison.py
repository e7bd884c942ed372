"""Cited tables beside our numbers, each row with a computed verdict.

A cited row is answered by the configuration of ours whose protocol differs in the fewest stated
fields; our number is the mean over its seeds.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from reports.baselines import Baseline, Comparability, Verdict, load
from reports.baselines.comparability import (
    compare_protocols,
    count_differences,
    missing_counterpart,
    varied_fields,
)
from reports.lineage import places
from reports.measurements import cells_of, finite
from reports.notation import configuration_label, score
from reports.tables.protocols import (
    ALL_CLASSES,
    COSTS,
    Measured,
    classes_known,
    measure,
    named_classes,
)
from trackers.records import ConfigurationRecord, StageRecord, StudyRecord

# A row's verdict is that of its first metric here that it has.
COUNTS = ("epochs",)  # metrics that are whole numbers
HEADLINE = (
    "iou",
    "iou_with_background",
    "rand_error",
    "pixel_error",
    "mask_ap",
    "box_ap",
    "thesis_map",
    "thesis_ap",
    "ap",
    "ap50",
    "voc07_map",
    "voc10_map",
    "overlapping_boxes",
    "region_accuracy",
    "top1",
    "clip_top1",
    "top5",
    "loss",
    "pixel_accuracy",
)
QUIET = ("loss", "pixel_accuracy", *COSTS)  # their differences are not worth a line


@dataclass(frozen=True, slots=True)
class ComparedNumber:
    """A cited number and ours."""

    column: str  # "test/iou"
    printed: str
    cited: float
    ours: float | None  # mean over seeds
    low: float | None  # least over seeds
    high: float | None  # greatest over seeds
    seeds: int
    split: str | None  # where ours was scored

    @property
    def ours_text(self) -> str:
        """Ours as it is written: a count without decimals."""
        is_count = self.column in COUNTS and self.ours is not None and self.ours.is_integer()
        return score(self.ours) if not is_count else f"{self.ours:.0f}"

    @property
    def difference(self) -> float | None:
        """Ours minus theirs."""
        return None if self.ours is None else self.ours - self.cited

    @property
    def shows_difference(self) -> bool:
        """Whether the difference stands below our number."""
        return self.difference is not None and self.column.rpartition("/")[2] not in QUIET

    @property
    def is_of_another_split(self) -> bool:
        """Whether ours was scored on another split than theirs."""
        cited, slash, _ = self.column.rpartition("/")
        return self.ours is not None and bool(self.split and slash) and cited != self.split


@dataclass(frozen=True, slots=True)
class ComparedRow:
    """One row of a cited table."""

    row: str
    class_name: str
    numbers: tuple[ComparedNumber | None, ...]  # as `ComparedTable.columns`
    ours: str  # our configuration that comes closest; empty when there is none
    comparability: Comparability
    notes: tuple[int, ...]  # 1-based, into `ComparedTable.notes`


@dataclass(frozen=True, slots=True)
class ComparedTable:
    """One cited table beside ours."""

    name: str
    system: str
    source: str
    columns: tuple[str, ...]
    rows: tuple[ComparedRow, ...]
    notes: tuple[str, ...]  # of single rows
    shared_notes: tuple[str, ...]  # of every row

    @property
    def shared_reasons(self) -> tuple[str, ...]:
        """Reasons that hold for every row, said once above the table."""
        return _in_all([row.comparability.reasons for row in self.rows])

    @property
    def why_not(self) -> str:
        """Every reason of a table in which no row is comparable."""
        reasons = dict.fromkeys(r for row in self.rows for r in row.comparability.reasons)
        return "; ".join(self.shared_reasons or reasons)

    @property
    def shared_unstated(self) -> tuple[str, ...]:
        """Fields that no row states on both sides."""
        return _in_all([row.comparability.unstated for row in self.rows])

    @property
    def is_comparable(self) -> bool:
        """Whether any row may be compared, with care or without."""
        return any(row.comparability.verdict is not Verdict.NOT for row in self.rows)


def _in_all(parts: Sequence[tuple[str, ...]]) -> tuple[str, ...]:
    first, *others = parts or [()]
    return tuple(text for text in first if all(text in other for other in others))


def comparison(study: StudyRecord) -> tuple[ComparedTable, ...]:
    """Set every baseline that the study names beside the study's own numbers."""
    cited = load(study.baselines)
    return tuple(
        _table(study, name, [b for b in cited if b.name == name])
        for name in dict.fromkeys(study.baselines)
    )


def _table(study: StudyRecord, name: str, cited: Sequence[Baseline]) -> ComparedTable:
    columns = tuple(dict.fromkeys(_column(b) for b in cited))
    by_row = [[b for b in cited if b.row == row] for row in dict.fromkeys(b.row for b in cited)]
    varied = varied_fields([b.protocol for b in cited])
    shared = _in_all([tuple(note for b in row for note in b.notes) for row in by_row])
    every = dict.fromkeys(note for b in cited for note in b.notes)
    notes = tuple(note for note in every if note not in shared)
    sources = dict.fromkeys(b.source for b in cited)
    return ComparedTable(
        name=name,
        system=cited[0].system,
        source="; ".join(sources),
        columns=columns,
        rows=tuple(_row(study, row, columns, notes, varied=varied) for row in by_row),
        notes=notes,
        shared_notes=tuple(dict.fromkeys(shared)),
    )


def _column(baseline: Baseline) -> str:
    return f"{baseline.protocol.split}/{baseline.protocol.metric}".removeprefix("/")


def _row(
    study: StudyRecord,
    cited: Sequence[Baseline],
    columns: Sequence[str],
    notes: Sequence[str],
    *,
    varied: frozenset[str],
) -> ComparedRow:
    head = _headline(cited)
    closest = _closest(study, head, varied)
    numbers = {_column(b): _number(study, b, closest) for b in cited}
    measured = _measurements(study, closest[1], head) if closest else []
    verdict = (
        compare_protocols(head.protocol, measured[0].protocol)
        if measured
        else missing_counterpart(
            head.protocol, _datasets(study), is_class_known=_knows_class(study, head)
        )
    )
    return ComparedRow(
        row=cited[0].row,
        class_name=cited[0].printed_class,
        numbers=tuple(numbers.get(column) for column in columns),
        ours=_label(closest),
        comparability=verdict,
        notes=tuple(sorted({notes.index(n) + 1 for b in cited for n in b.notes if n in notes})),
    )


def _headline(cited: Sequence[Baseline]) -> Baseline:
    order = {metric: i for i, metric in enumerate(HEADLINE)}
    return min(cited, key=lambda b: order.get(b.protocol.metric, len(order)))


def _datasets(study: StudyRecord) -> tuple[str, ...]:
    named = (cell.settings.get("data.dataset") for cell in study.cells.values())
    found = dict.fromkeys(str(name) for name in named if name)
    return tuple(found) or (str(study.base.get("data.dataset", "of this study")),)


def _knows_class(study: StudyRecord, cited: Baseline) -> bool:
    """Whether a cell has numbers for a cited class, if not the cited number itself."""
    name = cited.protocol.class_name
    if named_classes(name):
        name = ALL_CLASSES
    return any(name in (ALL_CLASSES, *classes_known(cell)) for cell in study.cells.values())


def _closest(
    study: StudyRecord, cited: Baseline, varied: frozenset[str]
) -> tuple[StageRecord, ConfigurationRecord] | None:
    """The configuration that answers a row best.

    First by how many of the fields differ that the table varies, then one of a stage that varied
    the same, then by all fields that differ. On a draw the winner of the last stage that trained
    another network, which is the study's answer; without one, the earliest.
    """
    best: tuple[StageRecord, ConfigurationRecord] | None = None
    fewest = (0, True, 0)
    for placed in places(study).values():
        measured = _measurements(study, placed.configuration, cited)
        if not measured:
            continue
        asked = {path.rpartition(".")[2] for path in placed.stage.vary}
        own, every = count_differences(cited.protocol, measured[0].protocol, varied)
        count = (own, asked.isdisjoint(varied), every)
        is_answer = placed.rank == 0 and not placed.stage.after_training
        is_other = best is None or not set(best[1].cells) & set(placed.configuration.cells)
        if best is None or count < fewest or (count == fewest and is_answer and is_other):
            best, fewest = (placed.stage, placed.configuration), count
    return best


def _measurements(
    study: StudyRecord, configuration: ConfigurationRecord, cited: Baseline
) -> list[Measured]:
    """Our values of a cited metric, one per seed."""
    protocol = cited.protocol
    found = (
        measure(study, cell, protocol.class_name, metric=protocol.metric, split=protocol.split)
        for cell in cells_of(study, configuration)
    )
    return [measured for measured in found if measured is not None]


def _number(
    study: StudyRecord,
    cited: Baseline,
    closest: tuple[StageRecord, ConfigurationRecord] | None,
) -> ComparedNumber:
    measured = _measurements(study, closest[1], cited) if closest else []
    values = [m.value for m in measured if finite(m.value) is not None]
    return ComparedNumber(
        column=_column(cited),
        printed=cited.printed,
        cited=cited.value,
        ours=sum(values) / len(values) if values else None,
        low=min(values, default=None),
        high=max(values, default=None),
        seeds=len(values),
        split=measured[0].protocol.split if measured else None,
    )


def _label(closest: tuple[StageRecord, ConfigurationRecord] | None) -> str:
    if closest is None:
        return ""
    stage, configuration = closest
    label = configuration_label(configuration.shown)
    return label if label.startswith(stage.name) else f"{label} ({stage.name})"
