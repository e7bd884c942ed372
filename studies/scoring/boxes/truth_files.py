"""True boxes from files of any format that is known, by what is in them.

coco         a JSON file with images, annotations and categories
open_images  a CSV file with the columns of Open Images' boxes
saved        predictions_<split>.json.gz of a trial, which holds the truth too
voc          a folder of XML files, or one that holds Annotations
yolo         a folder of text files with numbered classes and shares
text         a folder of text files 'class x1 y1 x2 y2 [difficult]'
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from types import MappingProxyType
from typing import Literal, TypeAlias, get_args

from data_pipeline.datasets.coco_records import category_names, coco_records
from data_pipeline.datasets.json_elements import json_elements
from data_pipeline.datasets.open_images_boxes import BoxFile
from data_pipeline.datasets.open_images_boxes import class_names_in as open_images_classes
from data_pipeline.datasets.picture_names import files_in
from data_pipeline.datasets.records import ImageRecord, ObjectRecord
from data_pipeline.datasets.settings.boxes import OpenImagesData
from data_pipeline.datasets.text_lines import BadLines, fields_of, numbered_lines
from data_pipeline.datasets.voc_xml import read_annotation
from data_pipeline.datasets.yolo_labels import RULE, objects_in
from data_pipeline.errors import DataError
from data_pipeline.faults import Fault
from studies.scoring.boxes.lines import check_pixels, line_form, lines_of, true_line
from studies.scoring.boxes.records import Corners, TrueImage, Truth, UnusableBoxesError
from studies.scoring.boxes.saved import is_saved, saved_truth

TruthFormat: TypeAlias = Literal["coco", "open_images", "saved", "voc", "yolo", "text"]
TRUTH_FORMATS: tuple[TruthFormat, ...] = get_args(TruthFormat)
KINDS: Mapping[TruthFormat, str] = MappingProxyType(
    {
        "coco": "COCO annotations",
        "open_images": "Open Images CSV",
        "saved": "a trial's saved predictions",
        "voc": "VOC XML",
        "yolo": "YOLO text",
        "text": "text lines of class and corners",
    }
)
CLASS_LIST = "class-descriptions-boxable.csv"


@dataclass(frozen=True, slots=True)
class TruthFiles:
    """Where true boxes are, and how they are to be read."""

    place: Path
    numbers: Mapping[int, str]  # class number -> name, as the user says; {}: nobody did
    pictures: tuple[str, ...] = ()  # on disk, without endings; some may have no box
    corners: Corners | None = None  # None: as is usual with the format


def truth_format(place: Path) -> TruthFormat:
    """Tell the format of a ground truth.

    Raises:
        UnusableBoxesError: It is of none that is known.
    """
    if place.is_dir():
        if files_in(_annotations(place), ("xml",)):
            return "voc"
        texts = text_files(place)
        if texts:
            return line_form(list(texts.values()), "gt")
    elif place.is_file():
        if is_saved(place):
            return "saved"
        if place.suffix.lower() == ".json":
            return "coco"
        if place.suffix.lower() == ".csv":
            return "open_images"
    raise UnusableBoxesError(
        f"GT {place} must be COCO annotations (.json), Open Images boxes (.csv), a trial's "
        "predictions_<split>.json.gz, or a folder of VOC's XML, YOLO's text files or text files "
        f"'class x1 y1 x2 y2', got {_what(place)}; correct the path"
    )


def read_truth(files: TruthFiles, form: TruthFormat) -> Truth:
    """Read a ground truth.

    Raises:
        UnusableBoxesError: It is not in this format or damaged; the message says where.
    """
    try:
        truth = READERS[form](files)
    except DataError as error:
        raise UnusableBoxesError(str(error)) from error
    if not truth.images:
        raise UnusableBoxesError(f"GT {files.place} must have an image, got none; correct it")
    others = sorted({box.class_name for each in truth.images for box in each.record.objects})
    return replace(truth, class_names=tuple(dict.fromkeys([*truth.class_names, *others])))


def category_ids_in(file: Path) -> Mapping[int, str]:
    """Read the categories of COCO annotations, id -> name; {}: it has none.

    Raises:
        DataError: It is no JSON object, or a category has no name.
    """
    return _numbered(_category_names(file))


def text_files(folder: Path) -> dict[str, Path]:
    """Return the text files in a folder and below it by name, without lists of classes."""
    return {
        name: folder / file
        for name, file in files_in(folder, ("txt",)).items()
        if Path(name).name not in ("classes", "obj", "labels")
    }


def _coco(files: TruthFiles) -> Truth:
    names = _category_names(files.place)
    images = _records(coco_records(files.place))
    return Truth(
        KINDS["coco"],
        tuple(sorted(images, key=_by_number)),  # as pycocotools, which matters for equal scores
        tuple(dict.fromkeys(names.values())),
        _numbered(names),
    )


def _category_names(file: Path) -> Mapping[str, str]:
    categories = [element.value for element in json_elements(file) if element.key == "categories"]
    return category_names(file, [each for each in categories if each != []])


def _numbered(names: Mapping[str, str]) -> Mapping[int, str]:
    return {int(number): name for number, name in names.items() if number.isdecimal()}


def _open_images(files: TruthFiles) -> Truth:
    folder = files.place.parent
    lines = (fields_of(line) for _, line in numbered_lines(files.place))
    header = next(lines, [])
    column = header.index("ImageID") if "ImageID" in header else 0
    listed = (fields[column] for fields in lines if len(fields) > column)
    ids = {name: name for name in (*listed, *files.pictures)}
    list_file = folder / CLASS_LIST
    names = open_images_classes(list_file) if list_file.is_file() else {}
    boxes = BoxFile(files.place, OpenImagesData(dataset="open_images", root=folder))
    images = _records(boxes.records(ids, names))
    return Truth(KINDS["open_images"], images, ())


def _saved(files: TruthFiles) -> Truth:
    return saved_truth(files.place, KINDS["saved"])


def _voc(files: TruthFiles) -> Truth:
    folder = _annotations(files.place)
    first_pixel = 0 if files.corners == "edges" else 1
    images = []
    for name, file in files_in(folder, ("xml",)).items():
        annotation = read_annotation(folder / file, first_pixel=first_pixel)
        if annotation.bad_objects:
            raise UnusableBoxesError(
                f"every object of {folder / file} must have a name and a bndbox of four numbers, "
                f"but {annotation.bad_objects} have not; correct it"
            )
        record = ImageRecord(name, f"{name}.jpg", annotation.size_hw, annotation.objects)
        images.append(TrueImage(record))
    return Truth(KINDS["voc"], tuple(images), ())


def _yolo(files: TruthFiles) -> Truth:
    texts = text_files(files.place)
    images = []
    for name in dict.fromkeys([*texts, *files.pictures]):
        objects = _yolo_objects(texts[name], files.numbers) if name in texts else ()
        images.append(TrueImage(ImageRecord(name, name, None, objects, is_normalised=True)))
    return Truth(KINDS["yolo"], tuple(images), tuple(files.numbers.values()))


def _yolo_objects(file: Path, numbers: Mapping[int, str]) -> tuple[ObjectRecord, ...]:
    bad = BadLines(str(file), RULE)
    objects = objects_in(file, numbers, bad)
    for fault in bad.faults():
        raise UnusableBoxesError(fault.message)
    return objects


def _text(files: TruthFiles) -> Truth:
    images = []
    for name, file in text_files(files.place).items():
        objects = []
        for number, line in lines_of(file):
            label, box, is_difficult = true_line(
                file, number, line, corners=files.corners or "edges"
            )
            label = named(label, files.numbers)
            objects.append(ObjectRecord(label, box, is_difficult=is_difficult))
        record = ImageRecord(
            name, name, None, tuple(objects), is_normalised=files.corners == "shares"
        )
        images.append(TrueImage(record))
    if files.corners is None:
        boxes = (box.box_xyxy for each in images for box in each.record.objects)
        check_pixels(boxes, files.place, "gt")
    return Truth(KINDS["text"], tuple(images), tuple(files.numbers.values()))


def named(label: str, numbers: Mapping[int, str]) -> str:
    """Return the name of a class that is called by its number, if numbers have names."""
    return numbers.get(int(label), label) if label.isdecimal() else label


def _records(found: Iterable[ImageRecord | Fault]) -> tuple[TrueImage, ...]:
    """Return the images.

    Raises:
        UnusableBoxesError: A box or an image cannot be read: a score without it would flatter.
    """
    images = []
    for each in found:
        if isinstance(each, ImageRecord):
            images.append(TrueImage(each))
        elif each.leaves_out in ("sample", "box"):
            raise UnusableBoxesError(f"GT {each.where}: {each.message}")
    return tuple(images)


def _by_number(image: TrueImage) -> tuple[int, str]:
    name = image.record.image_id
    return (int(name), "") if name.isdecimal() else (0, name)


def _annotations(folder: Path) -> Path:
    """Return the folder of XML files: below VOC2007 it is called so."""
    inner = folder / "Annotations"
    return inner if inner.is_dir() else folder


def _what(place: Path) -> str:
    if not place.exists():
        return "no such file or folder"
    return "a folder without any" if place.is_dir() else "a file of another kind"


READERS: Mapping[TruthFormat, Callable[[TruthFiles], Truth]] = MappingProxyType(
    {
        "coco": _coco,
        "open_images": _open_images,
        "saved": _saved,
        "voc": _voc,
        "yolo": _yolo,
        "text": _text,
    }
)
