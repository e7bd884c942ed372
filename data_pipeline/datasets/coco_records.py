"""COCO's JSON to records, in memory of some dozen bytes per annotation.

The file is walked through twice: images, categories and the places of all annotations first, for
annotations lie in any order; then the annotations of one image after another.
"""

from __future__ import annotations  # Python 3.11 cannot subscript array

import math
from array import array
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any

from data_pipeline.datasets.json_elements import Element, json_elements, value_at
from data_pipeline.datasets.records import Box, ImageRecord, ObjectRecord, Outline
from data_pipeline.errors import InvalidDataError
from data_pipeline.faults import Fault, Loss

READER = "coco/1"  # raise the number when the same file gives other records
KEYS = ("images", "annotations", "categories")
MOST_SIDE = 2**31 - 1  # of a picture as annotated, pixels; no memory is taken on its word


@dataclass(slots=True)
class _Contents:
    """What the first walk finds."""

    keys: dict[str, None] = field(default_factory=dict)  # in the file's order
    categories: list[Any] = field(default_factory=list)
    images: array[int] = field(default_factory=lambda: array("q"))  # start, end, … bytes
    annotations: dict[str, array[int]] = field(default_factory=dict)  # start, end, … by image id


class _Problem(Exception):  # noqa: N818  # it becomes a fault, and is never seen as an error
    """Why something of an image or annotation cannot be used."""

    def __init__(self, message: str, leaves_out: Loss) -> None:
        super().__init__(message)
        self.message = message
        self.leaves_out = leaves_out


def coco_records(file: Path) -> Iterator[ImageRecord | Fault]:
    """Read every image of an annotations file with its objects, in the file's order.

    Raises:
        InvalidDataError: It is no JSON, or lacks images, annotations or categories.
    """
    contents = _Contents()
    yield from _first_walk(file, contents)
    names = category_names(file, contents.categories)
    seen: set[str] = set()
    with file.open("rb") as stream:
        for start, end in _pairs(contents.images):
            found = value_at(stream, start, end)
            try:
                record = _image(found, seen)
            except _Problem as problem:
                place = f"{file.name} byte {start}"
                yield Fault("malformed", place, problem.message, problem.leaves_out)
                continue
            seen.add(record.image_id)
            places = contents.annotations.get(record.image_id, array("q"))
            yield from _with_objects(record, _values(stream, places), names)
    for image_id, places in contents.annotations.items():
        if image_id not in seen:
            message = "an annotation must be of a listed image"
            yield Fault("malformed", f"image {image_id}", message, "box", len(places) // 2)


def coco_class_names(file: Path) -> tuple[str, ...]:
    """Read the names of all categories, in the file's order, and keep nothing else.

    Raises:
        InvalidDataError: It is no JSON, or lacks images, annotations or categories.
    """
    keys: dict[str, None] = {}
    categories = []
    for element in json_elements(file):
        if element.is_in_array or element.value == []:
            keys[element.key] = None
        if element.key == "categories" and element.is_in_array:
            categories.append(element.value)
    _check_keys(file, keys)
    return tuple(dict.fromkeys(category_names(file, categories).values()))


def category_names(file: Path, categories: list[Any]) -> dict[str, str]:
    """Return the name of each category by its id.

    Raises:
        InvalidDataError: One has no id or no name.
    """
    names: dict[str, str] = {}
    for category in categories:
        number = _identifier(category.get("id")) if isinstance(category, dict) else None
        if number is None or not _is_text(category.get("name")):
            raise InvalidDataError(
                f"every category of {file} must have an id and a name, got {category!r:.100}; "
                "restore the original file",
                kind="malformed",
            )
        names[number] = category["name"]
    return names


def _first_walk(file: Path, contents: _Contents) -> Iterator[Fault]:
    for element in json_elements(file):
        if element.is_in_array or element.value == []:
            contents.keys[element.key] = None
        if not element.is_in_array:
            continue
        if element.key == "categories":
            contents.categories.append(element.value)
        elif element.key == "images":
            contents.images.extend((element.start, element.end))
        elif element.key == "annotations":
            yield from _placed(element, file, contents)
    _check_keys(file, contents.keys)


def _placed(element: Element, file: Path, contents: _Contents) -> Iterator[Fault]:
    value = element.value
    image_id = _identifier(value.get("image_id")) if isinstance(value, dict) else None
    if image_id is None:
        place = f"{file.name} byte {element.start}"
        message = f"an annotation must have an image_id, got {value!r:.100}"
        yield Fault("malformed", place, message, "box")
        return
    contents.annotations.setdefault(image_id, array("q")).extend((element.start, element.end))


def _check_keys(file: Path, keys: Mapping[str, None]) -> None:
    if not set(KEYS) <= keys.keys():
        captions = "; captions have no objects" if "annotations" in keys else ""
        raise InvalidDataError(
            f"annotations file {file} must have images, annotations and categories, "
            f"got {sorted(keys)}{captions}; name a file of instances or keypoints in "
            "data.annotations, or restore the original file",
            kind="malformed",
        )


def _pairs(places: array[int]) -> Iterator[tuple[int, int]]:
    return zip(places[::2], places[1::2], strict=True)


def _values(stream: IO[bytes], places: array[int]) -> list[Any]:
    """Read annotations in the order of their ids, in which objects of one size are drawn."""
    values = [value_at(stream, start, end) for start, end in _pairs(places)]
    if all(type(value.get("id")) is int for value in values):
        values.sort(key=lambda value: value["id"])
    return values


def _image(found: object, seen: set[str]) -> ImageRecord:
    image = found if isinstance(found, dict) else {}
    image_id, file_name = _identifier(image.get("id")), image.get("file_name")
    if image_id is None or not isinstance(file_name, str):
        raise _Problem(f"an image must have an id and a file_name, got {found!r:.100}", "sample")
    if image_id in seen:
        raise _Problem(f"an image must be listed once, got {image_id} again", "sample")
    return ImageRecord(image_id, file_name, _size(image), ())


def _size(image: Mapping[str, Any]) -> tuple[int, int] | None:
    stated = (image.get("height"), image.get("width"))
    if stated == (None, None):
        return None
    height, width = (_number(side) for side in stated)
    if height is None or width is None or not _is_side(height) or not _is_side(width):
        raise _Problem(
            f"an image must have whole numbers above 0 as height and width, got {stated!r:.100}",
            "sample",
        )
    return int(height), int(width)


def _is_side(value: float) -> bool:
    return 0 < value <= MOST_SIDE and value.is_integer()


def _with_objects(
    record: ImageRecord, annotations: list[Any], names: Mapping[str, str]
) -> Iterator[ImageRecord | Fault]:
    objects = []
    for annotation in annotations:
        notes: list[_Problem] = []
        try:
            objects.append(_object(annotation, names, notes))
        except _Problem as problem:
            notes.append(problem)
        for note in notes:
            message = f"annotation {annotation.get('id')!r:.40}: {note.message}"
            yield Fault("malformed", record.image_id, message, note.leaves_out)
    yield ImageRecord(record.image_id, record.file_name, record.size_hw, tuple(objects))


def _object(
    annotation: Mapping[str, Any], names: Mapping[str, str], notes: list[_Problem]
) -> ObjectRecord:
    number = _identifier(annotation.get("category_id"))
    if number is None:
        raise _Problem("category_id must be a number or text, got none", "box")
    crowd = annotation.get("iscrowd") or 0
    if crowd not in (0, 1):
        raise _Problem(f"iscrowd must be 0 or 1, got {crowd!r:.40}", "box")
    return ObjectRecord(
        class_name=names.get(number, f"category {number}"),
        box_xyxy=_box(annotation.get("bbox")),
        area=_area(annotation.get("area"), notes),
        is_crowd=bool(crowd),
        outline=_outline(annotation.get("segmentation"), notes),
    )


def _box(stated: object) -> Box:
    numbers = [_number(value) for value in stated] if isinstance(stated, list) else []
    match numbers:
        case [float(x), float(y), float(width), float(height)]:
            corner = (x + width, y + height)
            if all(map(math.isfinite, corner)):
                return x, y, *corner
    raise _Problem(f"bbox must be x, y, width and height, got {stated!r:.100}", "box")


def _area(stated: object, notes: list[_Problem]) -> float | None:
    if stated is None:
        return None
    area = _number(stated)
    if area is None or area < 0:
        notes.append(_Problem(f"area must be a number from 0, got {stated!r:.40}", "nothing"))
        return None
    return area


def _outline(stated: object, notes: list[_Problem]) -> Outline | None:
    """Take polygons and run lengths as they are; they are examined where they are drawn."""
    if isinstance(stated, dict):
        return {"size": stated.get("size"), "counts": stated.get("counts")}
    if isinstance(stated, list):
        return stated
    if stated is not None:
        text = f"segmentation must be polygons or run lengths, got {stated!r:.40}"
        notes.append(_Problem(text, "nothing"))
    return None


def _number(value: object) -> float | None:
    """Return a finite number; None for anything else, and for what no float can hold."""
    if type(value) not in (int, float):
        return None
    try:
        number = float(value)  # type: ignore[arg-type]  # it is one of the two
    except OverflowError:
        return None
    return number if math.isfinite(number) else None


def _identifier(value: object) -> str | None:
    """Return an id as text: 7, 7.0 and "7" are the same one."""
    if type(value) is int:
        return str(value)
    if type(value) is float and value.is_integer():
        return str(int(value))
    return value if _is_text(value) and isinstance(value, str) else None


def _is_text(value: object) -> bool:
    """Say whether it is text that can be written down: not half of a surrogate pair."""
    if not isinstance(value, str) or not value:
        return False
    try:
        value.encode()
    except UnicodeEncodeError:
        return False
    return True
