"""Which decoded samples are the same: the name under which a split's are kept."""

import os
from collections.abc import Iterator

from data_pipeline import NUMERICS
from data_pipeline.cache.shards import MAGIC
from data_pipeline.catalog import label_names
from data_pipeline.datasets.dataset import Dataset, Listed
from data_pipeline.hashing import hash_of
from data_pipeline.reading_settings import reading_settings
from data_pipeline.settings import DataSettings

OF_PICTURES = frozenset({"image_size", "resize"})  # videos are kept at their shorter side


def sample_key(
    settings: DataSettings,
    task: str,
    dataset: Dataset,
    *,
    fingerprint: str,
    shorter_side: int | None,
) -> str:
    """Hash everything that decides a split's decoded samples; 32 hexadecimal digits.

    Args:
        settings: The cell's `data`.
        task: Decides what a sample is.
        dataset: The split's items; a changed file is noticed by its size or time of change.
        fingerprint: Of the data.
        shorter_side: Of kept videos, pixels; None for pictures.
    """
    without = frozenset() if shorter_side is None else OF_PICTURES
    return hash_of(
        [
            f"numerics {NUMERICS}",
            f"format {MAGIC!r}",
            f"data {fingerprint}",
            f"task {task}",
            f"labels {label_names(settings, task)}",
            f"shorter side {shorter_side}",
            reading_settings(settings, without),
            *(part for item in dataset.items for part in _stamps(item)),
        ]
    )[:32]


def _stamps(item: Listed) -> Iterator[str]:
    yield item.image_id
    for file in item.files:
        try:
            stat = os.stat(file)  # noqa: PTH116  # a Path's own takes twice as long
            yield f"{stat.st_size} {stat.st_mtime_ns}"
        except OSError:
            yield "absent"
