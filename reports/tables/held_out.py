"""The test split's scores of stage winners, and how often it was looked at."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from reports.leaky_splits import OF_TEST, is_leaky
from reports.lineage import places
from reports.measurements import finite, mean
from reports.notation import CLASS_METRICS, configuration_label, metric_name, plural
from trackers.folds import fold_count, fold_of
from trackers.records import StudyRecord, TestScoreRecord


@dataclass(frozen=True, slots=True)
class HeldOutRow:
    """One stage winner's test scores, of all classes or of one."""

    stage: str
    configuration: str
    group: str
    seed: int | None
    values: tuple[float | None, ...]  # as the table's metrics
    class_name: str = ""  # of the table by class
    is_leaky: bool = False  # its split cuts groups
    fold: int | None = None  # that its network was validated on, in a cross-validated study
    is_mean: bool = False  # over the networks of all folds and seeds


@dataclass(frozen=True, slots=True)
class HeldOutTable:
    """Every look at the test split."""

    metrics: tuple[str, ...]  # the objective's own first
    headers: tuple[str, ...]
    rows: tuple[HeldOutRow, ...]
    class_headers: tuple[str, ...]  # of metrics that are there for each class too
    class_rows: tuple[HeldOutRow, ...]
    looks: int
    assemblies: int  # of these looks, at networks put together
    has_folds: bool = False

    @property
    def summary(self) -> str:
        """How often the test split was scored."""
        if self.looks == 0:
            return "The test split has not been scored."
        who = "stage winners and assemblies" if self.assemblies else "stage winners"
        folds = (
            " Every fold has the same test split, which no network learnt from: each winner's "
            "score is the mean over the networks of its folds."
        )
        return (
            f"The test split was scored {plural(self.looks, 'time')}, for {who} only."
            f"{folds * self.has_folds}"
        )


def held_out_table(study: StudyRecord) -> HeldOutTable:
    """Tabulate the test scores, those of single classes apart."""
    names = dict.fromkeys(name for record in study.test_scores for name in record.metrics)
    slugs = _slugs(study)
    known = {slug for of_cell in slugs.values() for slug in of_cell.values()}
    by_class = {name: base for name in names if (base := _class_metric(name, known))}
    own = f"test/{study.metric.split('/', 1)[-1]}"
    metrics = tuple(sorted((n for n in names if n not in by_class), key=lambda name: name != own))
    of_classes = tuple(dict.fromkeys(by_class.values()))
    rows, class_rows = [], []
    labels = _labels(study)
    for record in study.test_scores:
        label = labels.get((record.stage, record.configuration), "")
        rows.append(_row(study, record, label, metrics))
        for class_name, slug in slugs.get(record.cell, {}).items():
            wanted = tuple(f"test/{base}_{slug}" for base in of_classes)
            if any(name in record.metrics for name in wanted):
                class_rows.append(_row(study, record, label, wanted, class_name=class_name))
    is_folded = fold_count(study) is not None
    return HeldOutTable(
        metrics,
        _headers(metrics),
        _means(rows) if is_folded else tuple(rows),
        _headers(of_classes),
        _means(class_rows) if is_folded else tuple(class_rows),
        study.test_looks,
        sum("test" in each.images for each in study.assemblies),
        has_folds=is_folded,
    )


def _means(rows: Sequence[HeldOutRow]) -> tuple[HeldOutRow, ...]:
    """Return rows with the mean of each winner, or class of it, before its own."""
    found: dict[tuple[str, str, str, str], list[HeldOutRow]] = {}
    for row in rows:
        key = (row.stage, row.configuration, row.group, row.class_name)
        found.setdefault(key, []).append(row)
    every = []
    for members in found.values():
        values = tuple(mean(each) for each in zip(*(row.values for row in members), strict=True))
        means = replace(members[0], seed=None, fold=None, values=values, is_mean=True)
        every += [means, *members]
    return tuple(every)


def _labels(study: StudyRecord) -> dict[tuple[str, str], str]:
    return {
        (placed.stage.name, placed.configuration.id): configuration_label(
            placed.configuration.shown
        )
        for placed in places(study).values()
    }


def _slugs(study: StudyRecord) -> dict[str, Mapping[str, str]]:
    """Return each scored cell's classes -> their names in metrics, in label order."""
    return {
        record.cell: study.cells[record.cell].class_slugs
        for record in study.test_scores
        if record.cell in study.cells
    }


def _class_metric(name: str, slugs: Collection[str]) -> str | None:
    """Return "iou" of "test/iou_car"; None where a metric is of all classes."""
    plain = name.removeprefix("test/")
    bases = (base for base in CLASS_METRICS if plain.startswith(f"{base}_"))
    return next((base for base in bases if plain.removeprefix(f"{base}_") in slugs), None)


def _row(
    study: StudyRecord,
    record: TestScoreRecord,
    label: str,
    metrics: Iterable[str],
    *,
    class_name: str = "",
) -> HeldOutRow:
    cell = study.cells.get(record.cell)
    return HeldOutRow(
        stage=record.stage,
        configuration=label,
        group=cell.group if cell else "",
        seed=cell.seed if cell else None,
        values=tuple(finite(record.metrics.get(name)) for name in metrics),
        class_name=class_name,
        is_leaky=cell is not None and is_leaky(cell.settings, OF_TEST),
        fold=fold_of(study, cell) if cell else None,
    )


def _headers(metrics: Iterable[str]) -> tuple[str, ...]:
    return tuple(metric_name(name).removeprefix("test ") for name in metrics)
