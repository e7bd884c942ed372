"""Cited tables beside our numbers: may they be compared, and is ours the same?

A cited row is answered by the configuration of ours whose protocol differs in the fewest stated
fields; our number is the mean over its seeds. Whether the two may be compared comes from their
protocols, the verdict from our seeds; what training took has none.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from reports.baselines import Baseline, Comparability, Standing, load
from reports.baselines.comparability import (
    compare_protocols,
    count_differences,
    missing_counterpart,
    varied_fields,
)
from reports.baselines.verdict import Judgement, Verdict, judge, rounding_of
from reports.folds import CROSS_VALIDATED
from reports.lineage import places
from reports.measurements import cells_of, finite
from reports.notation import configuration_label, score
from reports.tables.protocols import (
    ALL_CLASSES,
    COSTS,
    Measured,
    classes_known,
    dataset_of,
    measure,
    named_classes,
)
from reports.tables.verdict_words import MARKS, judgement_sentence
from trackers.folds import fold_count
from trackers.records import ConfigurationRecord, StageRecord, StudyRecord

# A row stands as its first metric here that it has.
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
MACHINE = ("ms_per_image", "images_per_s", "memory_gb", "parameters_m")
UNJUDGED = frozenset({*COSTS, *MACHINE})  # of a machine or a size: no score to reproduce

NOT_THE_SAME = "equal within the margin, by another protocol, so that nothing is reproduced"


@dataclass(frozen=True, slots=True)
class ComparedNumber:
    """A cited number and ours."""

    column: str  # "test/iou"
    printed: str
    cited: float
    ours: float | None  # mean over seeds
    seeds: int
    split: str | None  # where ours was scored
    comparability: Comparability
    judgement: Judgement | None  # None of what training took

    @property
    def half(self) -> float | None:
        """What ours and theirs may be apart by chance; None where nothing says."""
        return self.judgement.half if self.judgement else None

    @property
    def mark(self) -> str:
        """The sign of its verdict; empty where it has none."""
        if self.judgement is None or self.ours is None or not self.may_be_compared:
            return ""
        return MARKS[self.judgement.verdict]

    @property
    def explanation(self) -> str:
        """Whether it may be compared, and what the verdict rests on."""
        stands = self.comparability.sentence
        if self.judgement is None or not self.mark:
            return stands
        return f"{stands}; {judgement_sentence(self.judgement)}"

    @property
    def may_be_compared(self) -> bool:
        """Whether ours may stand beside theirs, with care or without."""
        return self.comparability.standing is not Standing.NOT

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
    comparability: Comparability  # of its leading metric
    notes: tuple[int, ...]  # 1-based, into `ComparedTable.notes`

    @property
    def exceptions(self) -> tuple[ComparedNumber, ...]:
        """Numbers of ours that stand otherwise than the row's leading one."""
        return tuple(
            number
            for number in self.numbers
            if number
            and number.ours is not None
            and number.comparability.sentence != self.comparability.sentence
        )


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
        """Whether any row or number may be compared, with care or without."""
        rows = any(row.comparability.standing is not Standing.NOT for row in self.rows)
        return rows or any(number.may_be_compared for number in self.numbers)

    @property
    def numbers(self) -> tuple[ComparedNumber, ...]:
        """Every cited number that a verdict could be given on."""
        every = (number for row in self.rows for number in row.numbers)
        return tuple(number for number in every if number and number.judgement)


def _in_all(parts: Sequence[tuple[str, ...]]) -> tuple[str, ...]:
    first, *others = parts or [()]
    return tuple(text for text in first if all(text in other for other in others))


def comparison(study: StudyRecord) -> tuple[ComparedTable, ...]:
    """Set every baseline that the study names beside the study's own numbers."""
    cited = load(study.baselines, study.cited_files)
    return tuple(
        _table(study, name, [b for b in cited if b.name == name])
        for name in dict.fromkeys(b.name for b in cited)
    )


def _table(study: StudyRecord, name: str, cited: Sequence[Baseline]) -> ComparedTable:
    columns = tuple(dict.fromkeys(column_of(b) for b in cited))
    by_row = rows_of(cited)
    varied = varied_fields([b.protocol for b in cited])
    shared = _in_all([tuple(note for b in row for note in b.notes) for row in by_row.values()])
    every = dict.fromkeys(note for b in cited for note in b.notes)
    notes = tuple(note for note in every if note not in shared)
    sources = dict.fromkeys(b.source for b in cited)
    return ComparedTable(
        name=name,
        system=cited[0].system,
        source="; ".join(sources),
        columns=columns,
        rows=tuple(
            replace(_row(study, row, columns, notes, varied=varied), row=label)
            for label, row in by_row.items()
        ),
        notes=notes,
        shared_notes=tuple(dict.fromkeys(shared)),
    )


def rows_of(cited: Sequence[Baseline]) -> dict[str, list[Baseline]]:
    """Gather a source's numbers by row; one of several datasets is a row for each of them."""
    datasets: dict[str, set[str]] = {}
    for baseline in cited:
        datasets.setdefault(baseline.row, set()).add(baseline.protocol.dataset)
    rows: dict[str, list[Baseline]] = {}
    for baseline in cited:
        several = len(datasets[baseline.row]) > 1
        label = f"{baseline.row}, {baseline.protocol.dataset}" if several else baseline.row
        rows.setdefault(label, []).append(baseline)
    return rows


def column_of(baseline: Baseline) -> str:
    """Return the column of a cited number: its split and metric, "test/iou"."""
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
    numbers = {column_of(b): _number(study, b, closest) for b in cited}
    return ComparedRow(
        row=cited[0].row,
        class_name=cited[0].printed_class,
        numbers=tuple(numbers.get(column) for column in columns),
        ours=_label(closest),
        comparability=numbers[column_of(head)].comparability,
        notes=tuple(sorted({notes.index(n) + 1 for b in cited for n in b.notes if n in notes})),
    )


def _headline(cited: Sequence[Baseline]) -> Baseline:
    order = {metric: i for i, metric in enumerate(HEADLINE)}
    return min(cited, key=lambda b: order.get(b.protocol.metric, len(order)))


def _datasets(study: StudyRecord) -> tuple[str, ...]:
    named = (dataset_of(cell.settings) for cell in study.cells.values())
    found = dict.fromkeys(name for name in named if name)
    return tuple(found) or (dataset_of(study.base) or "of this study",)


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
    """Our values of a cited metric, one per seed and all of one split."""
    protocol = cited.protocol
    found = [
        measured
        for cell in cells_of(study, configuration)
        if (
            measured := measure(
                study, cell, protocol.class_name, metric=protocol.metric, split=protocol.split
            )
        )
    ]
    is_asked = [each for each in found if each.protocol.split == protocol.split]
    return is_asked or found


def _number(
    study: StudyRecord,
    cited: Baseline,
    closest: tuple[StageRecord, ConfigurationRecord] | None,
) -> ComparedNumber:
    measured = _measurements(study, closest[1], cited) if closest else []
    values = [m.value for m in measured if finite(m.value) is not None]
    stands = _comparability(study, cited, measured)
    return ComparedNumber(
        column=column_of(cited),
        printed=cited.printed,
        cited=cited.value,
        ours=sum(values) / len(values) if values else None,
        seeds=len(values),
        split=measured[0].protocol.split if measured else None,
        comparability=stands,
        judgement=_judgement(study, cited, values, stands),
    )


def _comparability(
    study: StudyRecord, cited: Baseline, measured: Sequence[Measured]
) -> Comparability:
    if measured:
        return compare_protocols(cited.protocol, measured[0].protocol)
    known = _knows_class(study, cited)
    return missing_counterpart(cited.protocol, _datasets(study), is_class_known=known)


def _judgement(
    study: StudyRecord, cited: Baseline, values: Sequence[float], stands: Comparability
) -> Judgement | None:
    """Judge our values beside a cited one; what may not be compared has no verdict."""
    if cited.protocol.metric in UNJUDGED:
        return None
    found = judge(values, cited.value, rounding=rounding_of(cited.printed), runs=cited.runs or 1)
    if stands.standing is Standing.NOT:
        return replace(found, verdict=Verdict.CANNOT_SAY, reason=str(Standing.NOT))
    if fold_count(study) is not None:
        return replace(
            found, verdict=Verdict.CANNOT_SAY, half=None, margin=None, reason=CROSS_VALIDATED
        )
    if stands.standing is Standing.CARE and found.verdict is Verdict.REPRODUCED:
        return replace(found, verdict=Verdict.WITHIN_NOISE, reason=NOT_THE_SAME)
    return found


def _label(closest: tuple[StageRecord, ConfigurationRecord] | None) -> str:
    if closest is None:
        return ""
    stage, configuration = closest
    label = configuration_label(configuration.shown)
    return label if label.startswith(stage.name) else f"{label} ({stage.name})"
