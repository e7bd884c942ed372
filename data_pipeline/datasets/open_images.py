"""Open Images: official CSV files of boxes, one folder of pictures per split.

    root/class-descriptions-boxable.csv       root/train-annotations-bbox.csv  (validation, test)
    root/train/000002b66c9c498e.jpg           (and validation, and test)

The study's train, val and test are the dataset's train, validation and test. Classes are the
display names, such as "Traffic light". A part of the pictures will do: what is not on disk is
counted and left out, and the test split may be boxes alone. Boxes fit the picture as stored,
whatever its EXIF says. Kuznetsova et al. 2020, and the dataset's download page.
"""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from types import MappingProxyType
from typing import cast

from data_pipeline.datasets.annotation_index import Annotations, indexed_dataset
from data_pipeline.datasets.dataset import Dataset, Item
from data_pipeline.datasets.labels import class_problems, task_labels
from data_pipeline.datasets.open_images_boxes import BoxFile, class_names_in, quarter_turns_in
from data_pipeline.datasets.picture_names import pictures_in
from data_pipeline.datasets.settings.boxes import OpenImagesData
from data_pipeline.datasets.split_files import absent_split_problems, present_splits
from data_pipeline.datasets.upright import TurnedImage
from data_pipeline.errors import DataError
from data_pipeline.faults import Fault
from data_pipeline.hashing import file_sha256, hash_of
from data_pipeline.splitting.splits import SplitName

FOLDERS: Mapping[SplitName, str] = MappingProxyType(
    {"train": "train", "val": "validation", "test": "test"}
)
IMAGE_LISTS = (  # official names of the lists with rotations
    "{split}-images-boxable-with-rotation.csv",
    "{split}-images-with-rotation.csv",
    "oidv6-{split}-images-with-labels-with-rotation.csv",
)


def boxes_file(settings: OpenImagesData, split: SplitName) -> Path:
    """Return where a split's boxes lie, or would lie."""
    name = settings.annotations.replace("{split}", FOLDERS[split])
    newer = settings.root / f"oidv6-{name}"
    return (
        newer
        if newer.is_file() and not (settings.root / name).is_file()
        else (settings.root / name)
    )


def images_folder(settings: OpenImagesData, split: SplitName) -> Path:
    """Return where a split's pictures lie, or would lie."""
    return settings.root / settings.images.replace("{split}", FOLDERS[split])


def image_list(settings: OpenImagesData, split: SplitName) -> Path | None:
    """Return the list of a split's pictures with their rotations; None if there is none."""
    names = (pattern.replace("{split}", FOLDERS[split]) for pattern in IMAGE_LISTS)
    return next((settings.root / name for name in names if (settings.root / name).is_file()), None)


def check(settings: OpenImagesData) -> list[str]:
    """Return a sentence for everything that is missing; reads no boxes."""
    if not settings.root.is_dir():
        return [
            f"data.root {settings.root} must be a folder with the CSV files and picture folders "
            "of Open Images, got no folder; correct data.root or download the dataset"
        ]
    problems = absent_split_problems(
        settings,
        lambda split: boxes_file(settings, split),
        remedy="correct data.root or data.annotations",
    )
    problems += [
        f"images folder {images_folder(settings, split)} does not exist; "
        "restore it or correct data.images"
        for split in _without_needed_pictures(settings)
    ]
    for split in _present(settings):
        has_pictures = images_folder(settings, split).is_dir()
        if settings.upright and has_pictures and image_list(settings, split) is None:
            problems.append(
                f"data.upright needs the image list of split '{split}' with rotations, got no "
                f"{IMAGE_LISTS[1].replace('{split}', FOLDERS[split])} in {settings.root}; "
                "download it or choose upright: false"
            )
    try:
        return problems + class_problems(settings, class_names(settings))
    except DataError as error:
        return [*problems, str(error)]


def class_names(settings: OpenImagesData) -> tuple[str, ...]:
    """Return the display names of all classes, in the order of their list.

    Raises:
        DataError: The list is not there or damaged.
    """
    return tuple(class_names_in(settings.root / settings.class_list).values())


def label_names(settings: OpenImagesData, task: str) -> tuple[str, ...]:
    """Return the chosen classes, in label order."""
    return task_labels(settings, task, class_names(settings))


def fingerprint(settings: OpenImagesData) -> str:
    """Hash the CSV files that are read and the names of the pictures on disk."""
    parts = [file_sha256(settings.root / settings.class_list)]
    for split in _present(settings):
        parts.append(f"{split} {file_sha256(boxes_file(settings, split))}")
        parts += pictures_in(images_folder(settings, split)).values()
        rotations = image_list(settings, split) if settings.upright else None
        if rotations is not None:
            parts.append(file_sha256(rotations))
    return hash_of(parts)


def build(settings: OpenImagesData, task: str, split: SplitName) -> Dataset | None:
    """List a split's images; None where the dataset has no such split.

    Raises:
        DataError: A CSV file is damaged, or a chosen class is unknown.
    """
    file = boxes_file(settings, split)
    if not file.is_file():
        return None
    folder = images_folder(settings, split)
    if not folder.is_dir():
        message = f"{folder}, which has the pictures of {file.name}, does not exist; not used"
        return Dataset(
            label_names(settings, task), (), (Fault("absent", file.name, message, "sample"),)
        )
    names = class_names_in(settings.root / settings.class_list)
    pictures = pictures_in(folder)
    used = "+".join((settings.group_of, *sorted(settings.leave_out)))
    annotations = Annotations(
        f"open_images/1/{used} {hash_of(pictures.values())}",
        (file, settings.root / settings.class_list),
        lambda: BoxFile(file, settings).records(pictures, names),
    )
    dataset = indexed_dataset(
        settings, task, annotations, folder=folder, known=tuple(names.values())
    )
    rotations = image_list(settings, split) if settings.upright else None
    return dataset if rotations is None else _upright(dataset, quarter_turns_in(rotations))


def _upright(dataset: Dataset, turns: Mapping[str, int]) -> Dataset:
    return replace(
        dataset,
        items=tuple(
            TurnedImage(cast(Item, item), turns[item.image_id]) if item.image_id in turns else item
            for item in dataset.items
        ),
    )


def _without_needed_pictures(settings: OpenImagesData) -> list[SplitName]:
    """Return the splits with boxes whose folder of pictures is missed.

    Any one will do where all pictures are pooled; else training and validation are needed, for
    validation must not be cut from training because its pictures were forgotten.
    """
    present = _present(settings)
    absent = [split for split in present if not images_folder(settings, split).is_dir()]
    if settings.split.policy == "given":
        return [split for split in absent if split != "test"]
    return absent if len(absent) == len(present) else []


def _present(settings: OpenImagesData) -> list[SplitName]:
    return present_splits(lambda split: boxes_file(settings, split))
