"""Ids that are unique over all splits, for formats that number each split's pictures anew.

Where one id names different pictures in two splits it becomes "split/id" in both; every other id
stays as it is. Which ids these are does not depend on the classes that a study chooses.
"""

from collections.abc import Iterable, Mapping
from dataclasses import replace

from data_pipeline.datasets.annotated_image import AnnotatedImage
from data_pipeline.datasets.dataset import Dataset
from data_pipeline.splitting.splits import SplitName


def ambiguous_ids(splits: Iterable[Mapping[str, str]]) -> frozenset[str]:
    """Return the ids that are in two splits and not of one and the same file.

    Args:
        splits: Of each split there is, image id to the file of its picture.
    """
    first: dict[str, str] = {}
    ambiguous: set[str] = set()
    for pictures in splits:
        ambiguous.update(i for i in first.keys() & pictures.keys() if first[i] != pictures[i])
        first |= pictures
    return frozenset(ambiguous)


def unique_id(image_id: str, split: SplitName, ambiguous: frozenset[str]) -> str:
    """Return the id that an image has over all splits."""
    return f"{split}/{image_id}" if image_id in ambiguous else image_id


def with_unique_ids(dataset: Dataset, split: SplitName, ambiguous: frozenset[str]) -> Dataset:
    """Return a split whose images, and the faults that name them, have ids of their own."""
    if not ambiguous:
        return dataset
    items = (
        replace(item, image_id=unique_id(item.image_id, split, ambiguous))
        for item in dataset.items
        if isinstance(item, AnnotatedImage)
    )
    faults = (replace(f, where=unique_id(f.where, split, ambiguous)) for f in dataset.faults)
    return replace(dataset, items=tuple(items), faults=tuple(faults))
