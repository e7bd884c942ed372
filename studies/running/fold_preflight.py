"""Before a trial starts: each fold of a cross-validated study must have samples to learn from.

Each also keeps a copy of its decoded images: the cache names them by the split they are in.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import product

from data_pipeline.cache import cache_folder
from data_pipeline.cache.bounds import VARIABLE, limit_bytes
from data_pipeline.datasets.settings.videos import VideoFields
from data_pipeline.errors import MissingDataError
from data_pipeline.settings import DataSettings
from studies.running.data_preflight import NEEDED, NO_DATA
from studies.running.data_record import noun
from studies.spec.schema import CellSettings, StudySpec
from studies.spec.settings import base_settings, for_class, for_fold
from studies.spec.tried_data import tried_data
from studies.tree.stages import groups_of

OF_PIXELS = {"image_size", "resize", "augment", "normalize", "balance", "cache", "workers"}
GB = 10**9


@dataclass(frozen=True, slots=True)
class _Part:
    """A split of a fold."""

    name: str
    images: int
    is_empty: bool  # of a class's own network: without one of it


def check_folds(spec: StudySpec) -> list[str]:
    """Look for samples to train and to validate on in every fold, and of every class's network.

    Returns:
        A sentence where the copies of all folds exceed the cache.

    Raises:
        MissingDataError: A fold has none: groups stay whole, and there may be too few of them.
        DataError: The dataset cannot be listed.
    """
    if spec.data.folds is None or spec.data.dataset == NO_DATA:
        return []
    warnings: list[str] = []
    for base, group in product(_cut_ways(spec), groups_of(spec)):
        settings = for_class(base, group) if group else base
        parts = list(_parts(spec, settings, group))
        empty = [part.name for part in parts if part.is_empty]
        if empty:
            of_class = f" of '{group}'" if group else ""
            raise MissingDataError(
                f"every fold must hold {noun(spec.task)}s{of_class} to train and to validate on, "
                f"and of the {spec.data.folds} of dataset '{spec.data.dataset}', split "
                f"'{settings.data.split.policy}', there are none in {', '.join(empty)}: there are "
                "too few, or too few groups, which stay whole, for so many folds; lower data.folds"
            )
        warnings += _beyond_cache(settings.data, sum(part.images for part in parts))
    return list(dict.fromkeys(warnings))


def _cut_ways(spec: StudySpec) -> list[CellSettings]:
    """Return the base settings with each way of cutting the data that a stage tries."""
    base = base_settings(spec)
    found: dict[str, CellSettings] = {}
    for data in tried_data(spec):
        key = data.model_dump_json(exclude=OF_PIXELS)
        found.setdefault(key, base.model_copy(update={"data": data}))
    return list(found.values())


def _parts(spec: StudySpec, settings: CellSettings, group: str) -> Iterator[_Part]:
    """Yield the splits of all folds that a network needs, of a class's own or of all."""
    # Lazy: it loads torch, which a study without data must not wait for.
    from data_pipeline.source import open_data

    source = open_data(for_fold(settings, 0).data, spec.task, seed=0, examines=False)
    for fold in range(spec.data.folds or 1):
        for name in NEEDED:
            items = source.of_fold(name, fold).items
            has_any = any(not group or group in item.classes for item in items)
            yield _Part(f"split '{name}' of fold {fold}", len(items), not has_any)


def _beyond_cache(data: DataSettings, images: int) -> Iterator[str]:
    """Warn where what the folds keep, a copy each, is surely more than the cache may hold.

    Of videos, and of pictures of several sizes, nobody knows it before they are decoded.
    """
    is_square = not isinstance(data, VideoFields) and data.resize != "shorter_side"
    if data.cache != "auto" or not is_square:
        return
    samples = cache_folder() / "samples"
    samples.mkdir(parents=True, exist_ok=True)
    need, bound = 3 * data.image_size**2 * images, limit_bytes(samples)
    if need > bound:
        yield (
            f"each of {data.folds} folds keeps decoded images of its own, together at least "
            f"{need / GB:.3g} GB, and the cache may hold {bound / GB:.3g} GB: what does not fit "
            f"is decoded in every epoch, which is slower; raise {VARIABLE}, or lower data.folds "
            "or data.image_size"
        )
