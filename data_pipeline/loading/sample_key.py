"""Which decoded samples are the same: the name under which a split's are kept."""

import os
from collections.abc import Iterator
from dataclasses import dataclass

from data_pipeline import NUMERICS
from data_pipeline.cache.shards import MAGIC
from data_pipeline.catalog import label_names
from data_pipeline.datasets.dataset import Dataset, Listed
from data_pipeline.hashing import hash_of
from data_pipeline.reading_settings import reading_settings
from data_pipeline.settings import DataSettings
from data_pipeline.video.flow import ClipFlow

OF_PICTURES = frozenset({"image_size", "resize"})  # videos are kept at their shorter side


@dataclass(frozen=True, slots=True)
class VideoForm:
    """What is kept of a video."""

    shorter_side: int  # pixels
    flow: ClipFlow | None = None


def sample_key(
    settings: DataSettings,
    task: str,
    dataset: Dataset,
    *,
    fingerprint: str,
    form: VideoForm | None,
) -> str:
    """Hash everything that decides a split's decoded samples; 32 hexadecimal digits.

    Args:
        settings: The cell's `data`.
        task: Decides what a sample is.
        dataset: The split's items; a changed file is noticed by its size or time of change.
        fingerprint: Of the data.
        form: Of kept videos; None for pictures.

    Raises:
        MissingDataError: A file that flow is estimated with is not there.
    """
    without = frozenset() if form is None else OF_PICTURES
    flow = None if form is None else form.flow
    return hash_of(
        [
            f"numerics {NUMERICS}",
            f"format {MAGIC!r}",
            f"data {fingerprint}",
            f"task {task}",
            f"labels {label_names(settings, task)}",
            f"shorter side {None if form is None else form.shorter_side}",
            *([] if flow is None else [flow.key()]),
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
