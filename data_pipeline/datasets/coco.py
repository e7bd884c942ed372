"""COCO: annotations of objects in JSON, one folder of pictures per split.

    root/annotations/instances_train2017.json   root/train2017/*.jpg   (and val, and test)

An image belongs to the dataset if it has an object, not only a crowd, of a chosen class. Files of
keypoints hold objects too and may be named by `annotations`; those of captions hold none. A file
numbers its own images: where two files give one id to different pictures, these are called
"train/7" and "val/7". How boxes and outlines become samples is said in `annotated_image.py`.
Lin et al. 2014.
"""

import json
from functools import lru_cache
from pathlib import Path
from typing import Any

from data_pipeline.datasets.annotation_index import (
    Annotations,
    indexed_dataset,
    listed_pictures,
)
from data_pipeline.datasets.coco_records import (
    READER,
    category_names,
    coco_class_names,
    coco_records,
)
from data_pipeline.datasets.dataset import Dataset
from data_pipeline.datasets.labels import class_problems, task_labels
from data_pipeline.datasets.settings.boxes import CocoData
from data_pipeline.datasets.split_files import absent_split_problems, present_splits
from data_pipeline.datasets.split_ids import ambiguous_ids, with_unique_ids
from data_pipeline.errors import DataError, InvalidDataError, MissingDataError
from data_pipeline.hashing import file_sha256, hash_of
from data_pipeline.splitting.splits import SplitName

TAIL_BYTES = 1024**2  # the official files end with their categories, a few kB


def annotations_file(settings: CocoData, split: SplitName) -> Path:
    """Return where a split's annotations lie, or would lie."""
    return settings.root / "annotations" / _filled(settings.annotations, settings, split)


def images_folder(settings: CocoData, split: SplitName) -> Path:
    """Return where a split's pictures lie, or would lie."""
    return settings.root / _filled(settings.images, settings, split)


def _filled(pattern: str, settings: CocoData, split: SplitName) -> str:
    return pattern.replace("{split}", split).replace("{year}", str(settings.year))


def _present(settings: CocoData) -> list[SplitName]:
    return present_splits(lambda split: annotations_file(settings, split))


def check(settings: CocoData) -> list[str]:
    """Return a sentence for everything that is missing; reads no annotation."""
    if not settings.root.is_dir():
        return [
            f"data.root {settings.root} must be a folder that holds 'annotations' and the "
            "pictures' folders, got no folder; correct data.root or download the dataset"
        ]
    problems = absent_split_problems(
        settings,
        lambda split: annotations_file(settings, split),
        remedy="correct data.annotations and data.year",
    )
    if not _present(settings):
        return problems
    problems += [
        f"images folder {images_folder(settings, split)} does not exist; "
        "restore it or correct data.images"
        for split in _present(settings)
        if not images_folder(settings, split).is_dir()
    ]
    try:
        return problems + class_problems(settings, class_names(settings))
    except DataError as error:
        return [*problems, str(error)]


def class_names(settings: CocoData) -> tuple[str, ...]:
    """Return every class of the training annotations, in the file's order.

    Raises:
        DataError: No annotations file, or it has no categories.
    """
    present = _present(settings)
    if not present:
        raise MissingDataError(
            f"annotations file {annotations_file(settings, 'train')} does not exist; "
            "correct data.root, data.annotations or data.year"
        )
    file = annotations_file(settings, present[0])
    return _last_class_names(file) or coco_class_names(file)


def label_names(settings: CocoData, task: str) -> tuple[str, ...]:
    """Return background and the chosen classes, in label order."""
    return task_labels(settings, task, class_names(settings))


def fingerprint(settings: CocoData) -> str:
    """Hash the annotations of every split there is; pictures are taken to go with them."""
    return hash_of(
        f"{split} {file_sha256(annotations_file(settings, split))}" for split in _present(settings)
    )


def build(settings: CocoData, task: str, split: SplitName) -> Dataset | None:
    """List a split's images; None where the dataset has no such split.

    Raises:
        DataError: The annotations are damaged or lack a chosen class.
    """
    file = annotations_file(settings, split)
    if not file.is_file():
        return None
    dataset = indexed_dataset(
        settings,
        task,
        _annotations(file),
        folder=images_folder(settings, split),
        known=class_names(settings),
    )
    return with_unique_ids(dataset, split, _ambiguous_ids(settings))


def _annotations(file: Path) -> Annotations:
    return Annotations(READER, (file,), lambda: coco_records(file))


def _ambiguous_ids(settings: CocoData) -> frozenset[str]:
    places = []
    for split in _present(settings):
        file = annotations_file(settings, split)
        stat = file.stat()
        places.append((file, images_folder(settings, split), stat.st_size, stat.st_mtime_ns))
    return _ambiguous_in(tuple(places)) if len(places) > 1 else frozenset()


@lru_cache(maxsize=8)
def _ambiguous_in(places: tuple[tuple[Path, Path, int, int], ...]) -> frozenset[str]:
    """Compare files of annotations, each with its folder, its size and its time of change."""
    return ambiguous_ids(
        {
            image_id: f"{folder}/{name}"
            for image_id, name in listed_pictures(_annotations(file)).items()
        }
        for file, folder, *_ in places
    )


def _last_class_names(file: Path) -> tuple[str, ...]:
    """Read the categories without the half gigabyte before them; () if they are elsewhere."""
    with file.open("rb") as stream:
        stream.seek(max(0, file.stat().st_size - TAIL_BYTES))
        tail = stream.read().decode(errors="ignore")
    _, key, rest = tail.rpartition('"categories"')
    if not key:
        return ()
    try:
        value = json.loads(f"{{{key}{rest}")["categories"]  # the outermost object ends in it
        return tuple(dict.fromkeys(category_names(file, _listed(value)).values()))
    except (ValueError, RecursionError, InvalidDataError):
        return ()  # it was of an inner object, or perhaps a word in a caption


def _listed(value: object) -> list[Any]:
    if not isinstance(value, list):
        raise ValueError("no list")
    return value
