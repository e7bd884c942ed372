"""Which fold a cell of a cross-validated study was validated on.

The settings of a cell name the fold; those of the study say that every fold has its cells.
"""

from trackers.records import CellRecord, StudyRecord

FOLD = "data.split.fold"


def fold_count(study: StudyRecord) -> int | None:
    """Return into how many folds a study cuts its data; None where it does not."""
    data = study.settings.get("data")
    folds = data.get("folds") if isinstance(data, dict) else None
    return folds if isinstance(folds, int) else None


def fold_of(study: StudyRecord, cell: CellRecord) -> int | None:
    """Return the fold that a cell was validated on; None where the study has no folds."""
    fold = cell.settings.get(FOLD)
    return fold if fold_count(study) is not None and isinstance(fold, int) else None


def replicate_name(study: StudyRecord, cell: CellRecord) -> str:
    """Name what a cell repeats: "seed 0", or "fold 2, seed 0"."""
    fold = fold_of(study, cell)
    return f"seed {cell.seed}" if fold is None else f"fold {fold}, seed {cell.seed}"
