"""PASCAL VOC and what is laid out like it: XML per picture, lists of ids per split.

    root/VOCdevkit/VOC2007/ImageSets/Main/train.txt     Annotations/000005.xml
                                                        JPEGImages/000005.jpg

`root` may also be VOC2007's parent or the folder that holds ImageSets. A line of a list is an id,
or an id and 1, 0 or -1 as in the lists by class; every listed picture is used. Where the study
does not list all classes they are those of the objects, in the order of the alphabet, which for
PASCAL is the official one.
"""

import json
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from pathlib import Path

from data_pipeline.cache import cache_folder
from data_pipeline.datasets.annotation_index import Annotations, indexed_dataset
from data_pipeline.datasets.dataset import Dataset
from data_pipeline.datasets.labels import class_problems, task_labels
from data_pipeline.datasets.picture_names import is_file, pictures_in
from data_pipeline.datasets.records import ImageRecord
from data_pipeline.datasets.settings.boxes import VocData
from data_pipeline.datasets.split_files import absent_split_problems, present_splits
from data_pipeline.datasets.text_lines import numbered_lines
from data_pipeline.datasets.voc_xml import class_names_in, read_annotation
from data_pipeline.errors import DataError, InvalidDataError, MissingDataError
from data_pipeline.faults import Fault
from data_pipeline.hashing import REMEMBERED_FROM_FILES, files_sha256, hash_of, write_whole
from data_pipeline.paths import safe_path
from data_pipeline.splitting.splits import SplitName


def home(settings: VocData) -> Path:
    """Return the folder that holds ImageSets, or would hold it."""
    named = f"VOC{settings.year}"
    places = (settings.root, settings.root / "VOCdevkit" / named, settings.root / named)
    return next((place for place in places if (place / "ImageSets").is_dir()), places[1])


def list_file(settings: VocData, split: SplitName) -> Path:
    """Return where a split's list of ids lies, or would lie."""
    return home(settings) / "ImageSets" / "Main" / settings.lists.replace("{split}", split)


def check(settings: VocData) -> list[str]:
    """Return a sentence for everything that is missing.

    Annotations are opened only until every chosen class was seen in one.
    """
    folder = home(settings)
    problems = absent_split_problems(
        settings,
        lambda split: list_file(settings, split),
        remedy="correct data.root, data.year or data.lists",
    )
    if problems:
        return problems
    problems = [
        f"folder {folder / name} does not exist; restore it or correct data.root"
        for name in ("Annotations", "JPEGImages")
        if not (folder / name).is_dir()
    ]
    try:
        return problems if problems or _all_seen(settings) else _class_problems(settings)
    except DataError as error:
        return [str(error)]


def class_names(settings: VocData) -> tuple[str, ...]:
    """Return the study's, or those of all objects in listed pictures.

    Raises:
        MissingDataError: There is no list, or no object.
    """
    if settings.all_classes:
        return tuple(settings.all_classes)
    names = _names_in_all(list(_annotations(settings, _all_ids(settings))))
    if not names:
        raise MissingDataError(
            f"the annotations in {home(settings) / 'Annotations'} must have an object with a "
            "name, got none; correct data.root, data.year or data.lists"
        )
    return names


def label_names(settings: VocData, task: str) -> tuple[str, ...]:
    """Return the chosen classes, in label order."""
    return task_labels(settings, task, class_names(settings))


def fingerprint(settings: VocData) -> str:
    """Hash the lists and the annotations they name; pictures are taken to go with them."""
    lists = [list_file(settings, split) for split in _present(settings)]
    files = _annotations(settings, _all_ids(settings))
    return hash_of((files_sha256(lists), files_sha256(files)))


def build(settings: VocData, task: str, split: SplitName) -> Dataset | None:
    """List a split's images; None where there is no list of it.

    Raises:
        DataError: The list cannot be read, or a chosen class is unknown.
    """
    if not list_file(settings, split).is_file():
        return None
    folder = home(settings) / "JPEGImages"
    pictures = pictures_in(folder)
    ids = _ids(settings, split)
    annotations = Annotations(
        f"voc/1 {hash_of((settings.corners, str(len(ids)), *ids, *pictures.values()))}",
        tuple(_annotations(settings, ids)),
        lambda: _records(settings, ids, pictures),
    )
    known = class_names(settings)
    return indexed_dataset(settings, task, annotations, folder=folder, known=known)


def _records(
    settings: VocData, ids: Iterable[str], pictures: Mapping[str, str]
) -> Iterator[ImageRecord | Fault]:
    for image_id in ids:
        if image_id in pictures:
            yield from _record(settings, image_id, pictures[image_id])
        else:
            message = f"the picture of '{image_id}' is not in {home(settings) / 'JPEGImages'}"
            yield Fault("absent", image_id, f"{message}; restore it", "sample")


def _record(settings: VocData, image_id: str, file_name: str) -> Iterator[ImageRecord | Fault]:
    first_pixel = 1 if settings.corners == "pixels_from_1" else 0
    try:
        annotation = read_annotation(_annotation(settings, image_id), first_pixel=first_pixel)
    except MissingDataError as error:
        yield Fault("absent", image_id, str(error), "sample")
        return
    except InvalidDataError as error:
        yield Fault(error.kind, image_id, str(error), "sample")
        return
    if annotation.bad_objects:
        message = (
            "an object must have a name and a bndbox of four finite numbers, got "
            f"{annotation.bad_objects} without in the annotation of '{image_id}'; correct it"
        )
        yield Fault("malformed", image_id, message, "box", annotation.bad_objects)
    yield ImageRecord(image_id, file_name, annotation.size_hw, annotation.objects)


def _class_problems(settings: VocData) -> list[str]:
    return class_problems(settings, class_names(settings))


def _all_seen(settings: VocData) -> bool:
    """Tell whether each chosen class is named once by the study and has an object on disk."""
    unseen = set(settings.classes)
    if settings.all_classes or len(unseen) < len(settings.classes):
        return False
    for file in _annotations(settings, _all_ids(settings)):
        if not unseen:
            break
        unseen -= set(_names_in(file))
    return not unseen


def _names_in_all(files: list[Path]) -> tuple[str, ...]:
    """Read the classes of many annotations; of thousands they are kept in the workspace."""
    if len(files) < REMEMBERED_FROM_FILES:
        return tuple(sorted({name for file in files for name in _names_in(file)}))
    note = cache_folder() / "class_names" / f"{files_sha256(files)}.json"
    if note.is_file():
        return tuple(json.loads(note.read_text(encoding="utf-8")))
    names = sorted({name for file in files for name in _names_in(file)})
    with suppress(OSError):  # a full disk only means that they are read again
        write_whole(note, json.dumps(names))
    return tuple(names)


def _names_in(file: Path) -> Iterable[str]:
    """Read the classes of an annotation; none of one that cannot be read, which is a fault."""
    try:
        return tuple(class_names_in(file))
    except DataError:
        return ()


def _annotations(settings: VocData, ids: Iterable[str]) -> Iterator[Path]:
    """Return the annotation of each of these pictures that has one."""
    for image_id in ids:
        try:
            file = _annotation(settings, image_id)
        except InvalidDataError:  # leads out of the folder: a fault of its split
            continue
        if is_file(file):
            yield file


def _annotation(settings: VocData, image_id: str) -> Path:
    return safe_path(home(settings) / "Annotations", f"{image_id}.xml")


def _all_ids(settings: VocData) -> Iterator[str]:
    for split in _present(settings):
        yield from _ids(settings, split)


def _ids(settings: VocData, split: SplitName) -> list[str]:
    """Read a list of ids, each once, in its order.

    An id may have spaces and end with a number, so what looks like the mark of a list by class
    is only taken for one if no annotation has the whole line as its name.
    """
    folder = home(settings) / "Annotations"
    lines = numbered_lines(list_file(settings, split))
    return list(dict.fromkeys(_id_in(line, folder) for _, line in lines))


def _id_in(line: str, annotations: Path) -> str:
    name, _, mark = line.replace("\t", " ").rpartition(" ")
    is_marked = mark in ("1", "0", "-1") and name.strip()
    return name.strip() if is_marked and not is_file(annotations / f"{line}.xml") else line


def _present(settings: VocData) -> list[SplitName]:
    return present_splits(lambda split: list_file(settings, split))
