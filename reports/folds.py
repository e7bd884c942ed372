"""Cross-validated studies: values by fold, and what intervals over folds mean."""

from collections.abc import Iterable
from statistics import fmean

from reports.notation import plural
from trackers.folds import fold_count, fold_of
from trackers.records import CellRecord, StudyRecord

CROSS_VALIDATED = (  # why there is no verdict
    "the study is cross-validated: networks of two folds share most of their training images, so "
    "that their scores say too little of how much another training would differ"
)


def folds_of(study: StudyRecord, cells: Iterable[CellRecord]) -> tuple[int, ...]:
    """Return the distinct folds of cells, ascending; () where the study has none."""
    found = {fold for cell in cells if (fold := fold_of(study, cell)) is not None}
    return tuple(sorted(found))


def overlap_of(study: StudyRecord) -> float:
    """Return what a mean's variance has beside 1 / folds, as decisions count it; 0: no folds."""
    folds = fold_count(study)
    return 0.0 if folds is None else 1 / (folds - 1)


def by_fold(study: StudyRecord, measured: Iterable[tuple[CellRecord, float]]) -> list[float]:
    """Average the values of each fold's seeds; without folds, leave them as they are."""
    values: dict[object, list[float]] = {}
    for number, (cell, value) in enumerate(measured):
        fold = fold_of(study, cell)
        values.setdefault(("seed", number) if fold is None else fold, []).append(value)
    return [fmean(each) for each in values.values()]


def fold_note(study: StudyRecord) -> str:
    """Say what an interval over folds means, and what it does not; "" where there are none."""
    folds = fold_count(study)
    if folds is None:
        return ""
    shared = (
        f"any two of them share {_share(folds)} of their training images"
        if folds > 2
        else "one trains on what the other is validated on"
    )
    return (
        f"Intervals are over {plural(folds, 'fold')}, seeds of a fold averaged. The networks of "
        f"folds are not independent: {shared}. So the variance counts 1/{folds} + 1/{folds - 1} "
        f"in the place of 1/{folds} (Nadeau and Bengio 2003), and the intervals say how a score "
        "depends on where these images are cut. They do not say what another data set would "
        "give: no estimate of that from folds is unbiased (Bengio and Grandvalet 2004)."
    )


def _share(folds: int) -> str:
    """Return which part of one fold's training images another one's holds too."""
    return f"{folds - 2}/{folds - 1}"
