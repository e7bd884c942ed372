"""Before a trial starts: each fold of a cross-validated study must have samples to learn from."""

from collections.abc import Iterator

from data_pipeline.errors import MissingDataError
from studies.running.data_preflight import NEEDED, NO_DATA, splits_of
from studies.running.data_record import noun
from studies.spec.schema import CellSettings, StudySpec
from studies.spec.settings import base_settings, for_class, for_fold
from studies.tree.stages import groups_of


def check_folds(spec: StudySpec) -> None:
    """Look for samples to train and to validate on in every fold, and of every class's network.

    Raises:
        MissingDataError: A fold has none: groups stay whole, and there may be too few of them.
        DataError: The dataset cannot be listed.
    """
    if spec.data.folds is None or spec.data.dataset == NO_DATA:
        return
    for group in groups_of(spec):
        base = base_settings(spec)
        settings = for_class(base, group) if group else base
        empty = list(_empty(spec, settings, group))
        if empty:
            of_class = f" of '{group}'" if group else ""
            raise MissingDataError(
                f"every fold must hold {noun(spec.task)}s{of_class} to train and to validate on, "
                f"and of the {spec.data.folds} of dataset '{spec.data.dataset}' there are none in "
                f"{', '.join(empty)}: groups stay whole, and so many folds are too many for them; "
                "lower data.folds"
            )


def _empty(spec: StudySpec, settings: CellSettings, group: str) -> Iterator[str]:
    """Name the splits of folds without a sample; of a class's own network, without one of it."""
    for fold in range(spec.data.folds or 1):
        splits = splits_of(for_fold(settings, fold).data, spec.task)
        for name in NEEDED:
            items = splits[name].items
            if not any(not group or group in item.classes for item in items):
                yield f"split '{name}' of fold {fold}"
