"""YOLO text files: a folder of pictures and a folder of labels per split, classes in YAML.

    root/data.yaml     root/images/train/street.jpg     root/labels/train/street.txt

A picture without a text file has no objects. A box is for detection; a polygon is that and an
outline, so it serves instance and semantic segmentation too. The YAML file's paths are those of
the machine it was made on, and are not used. The form of Redmon's Darknet and of Ultralytics.
"""

import json
from collections.abc import Iterator, Mapping
from pathlib import Path

from data_pipeline.datasets.annotation_index import Annotations, indexed_dataset
from data_pipeline.datasets.dataset import Dataset
from data_pipeline.datasets.labels import class_problems, task_labels
from data_pipeline.datasets.picture_names import files_in, pictures_in
from data_pipeline.datasets.records import ImageRecord
from data_pipeline.datasets.settings.boxes import YoloData
from data_pipeline.datasets.split_files import absent_split_problems, present_splits
from data_pipeline.datasets.text_lines import BadLines
from data_pipeline.datasets.yolo_labels import RULE, class_names_in, objects_in
from data_pipeline.errors import DataError
from data_pipeline.faults import Fault
from data_pipeline.hashing import file_sha256, files_sha256, hash_of
from data_pipeline.paths import safe_path
from data_pipeline.splitting.splits import SplitName


def images_folder(settings: YoloData, split: SplitName) -> Path:
    """Return where a split's pictures lie, or would lie."""
    return settings.root / settings.images.replace("{split}", _folder(settings, split))


def labels_folder(settings: YoloData, split: SplitName) -> Path:
    """Return where a split's text files lie, or would lie."""
    return settings.root / settings.labels.replace("{split}", _folder(settings, split))


def check(settings: YoloData) -> list[str]:
    """Return a sentence for everything that is missing; reads no label."""
    problems = absent_split_problems(
        settings,
        lambda split: images_folder(settings, split),
        remedy="correct data.root, data.images or data.folders",
        is_there=Path.is_dir,
    )
    problems += [
        f"labels folder {labels_folder(settings, split)} does not exist; "
        "restore it or correct data.labels"
        for split in _present(settings)
        if not labels_folder(settings, split).is_dir()
    ]
    try:
        return problems + class_problems(settings, class_names(settings))
    except DataError as error:
        return [*problems, str(error)]


def class_names(settings: YoloData) -> tuple[str, ...]:
    """Return the classes of the YAML file, in the order of their numbers.

    Raises:
        DataError: The file is not there or damaged.
    """
    return tuple(class_names_in(settings.root / settings.names).values())


def label_names(settings: YoloData, task: str) -> tuple[str, ...]:
    """Return the chosen classes in label order, in a label map after background."""
    return task_labels(settings, task, class_names(settings))


def fingerprint(settings: YoloData) -> str:
    """Hash the YAML file, the names of the pictures and the content of their text files."""
    parts = [file_sha256(settings.root / settings.names)]
    for split in _present(settings):
        parts += (split, *pictures_in(images_folder(settings, split)).values())
        parts.append(files_sha256(_label_files(settings, split).values()))
    return hash_of(parts)


def build(settings: YoloData, task: str, split: SplitName) -> Dataset | None:
    """List a split's images; None where there is no folder of them.

    Raises:
        DataError: The YAML file is damaged, or a chosen class is unknown.
    """
    if not images_folder(settings, split).is_dir():
        return None
    pictures = pictures_in(images_folder(settings, split))
    labels = _label_files(settings, split)
    names = class_names_in(settings.root / settings.names)
    folder = _folder(settings, split)
    content = hash_of((folder, *pictures.values(), *labels, json.dumps(names)))
    annotations = Annotations(
        f"yolo/2 {content}",
        tuple(labels.values()),
        lambda: _records(folder, pictures, labels, names),
    )
    return indexed_dataset(
        settings,
        task,
        annotations,
        folder=images_folder(settings, split),
        known=tuple(names.values()),
    )


def _records(
    folder: str, pictures: Mapping[str, str], labels: Mapping[str, Path], names: Mapping[int, str]
) -> Iterator[ImageRecord | Fault]:
    for name, file_name in pictures.items():
        image_id = f"{folder}/{name}"  # the same name may be in two splits
        bad = BadLines(image_id, RULE)
        objects = objects_in(labels[name], names, bad) if name in labels else ()
        yield from bad.faults()
        yield ImageRecord(image_id, file_name, None, objects, is_normalised=True)
    alone = sorted(labels.keys() - pictures.keys() - {"classes"})  # LabelImg's list of classes
    if alone:
        message = (
            f"{len(alone)} text files of '{folder}' have no picture, the first is {alone[0]}.txt; "
            "restore the pictures or delete the files"
        )
        yield Fault("absent", folder, message, "sample", len(alone))


def _label_files(settings: YoloData, split: SplitName) -> Mapping[str, Path]:
    """Return the text file of each name.

    Raises:
        InvalidDataError: One is a link out of the folder.
    """
    folder = labels_folder(settings, split)
    return {
        name: safe_path(folder, file_name)
        if (folder / file_name).is_symlink()  # else it is in there: the rest is not followed
        else folder / file_name
        for name, file_name in files_in(folder, ("txt",)).items()
    }


def _folder(settings: YoloData, split: SplitName) -> str:
    names = settings.folders
    return {"train": names.train, "val": names.val, "test": names.test}[split]


def _present(settings: YoloData) -> list[SplitName]:
    return present_splits(lambda split: images_folder(settings, split), is_there=Path.is_dir)
