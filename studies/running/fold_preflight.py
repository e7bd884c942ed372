"""Before a trial starts: each fold of a cross-validated study must have samples to learn from."""

from collections.abc import Iterator
from itertools import product

from data_pipeline.errors import MissingDataError
from studies.running.data_preflight import NEEDED, NO_DATA
from studies.running.data_record import noun
from studies.spec.schema import CellSettings, StudySpec
from studies.spec.settings import base_settings, for_class, for_fold
from studies.spec.tried_data import tried_data
from studies.tree.stages import groups_of

OF_PIXELS = {"image_size", "resize", "augment", "normalize", "balance", "cache", "workers"}


def check_folds(spec: StudySpec) -> None:
    """Look for samples to train and to validate on in every fold, and of every class's network.

    Raises:
        MissingDataError: A fold has none: groups stay whole, and there may be too few of them.
        DataError: The dataset cannot be listed.
    """
    if spec.data.folds is None or spec.data.dataset == NO_DATA:
        return
    for base, group in product(_cut_ways(spec), groups_of(spec)):
        settings = for_class(base, group) if group else base
        empty = list(_empty(spec, settings, group))
        if empty:
            of_class = f" of '{group}'" if group else ""
            raise MissingDataError(
                f"every fold must hold {noun(spec.task)}s{of_class} to train and to validate on, "
                f"and of the {spec.data.folds} of dataset '{spec.data.dataset}', split "
                f"'{settings.data.split.policy}', there are none in {', '.join(empty)}: there are "
                "too few, or too few groups, which stay whole, for so many folds; lower data.folds"
            )


def _cut_ways(spec: StudySpec) -> list[CellSettings]:
    """Return the base settings with each way of cutting the data that a stage tries."""
    base = base_settings(spec)
    found: dict[str, CellSettings] = {}
    for data in tried_data(spec):
        key = data.model_dump_json(exclude=OF_PIXELS)
        found.setdefault(key, base.model_copy(update={"data": data}))
    return list(found.values())


def _empty(spec: StudySpec, settings: CellSettings, group: str) -> Iterator[str]:
    """Name the splits of folds without a sample; of a class's own network, without one of it."""
    # Lazy: it loads torch, which a study without data must not wait for.
    from data_pipeline.source import open_data

    source = open_data(for_fold(settings, 0).data, spec.task, seed=0, examines=False)
    for fold in range(spec.data.folds or 1):
        for name in NEEDED:
            items = source.of_fold(name, fold).items
            if not any(not group or group in item.classes for item in items):
                yield f"split '{name}' of fold {fold}"
