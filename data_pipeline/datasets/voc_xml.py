"""One XML file of PASCAL VOC, or of a program that writes the same, as a record.

Only what stands directly below `annotation` and `object` counts: a picture's `owner` and an
object's `part` have names and boxes too. Numbers may end in a point. Everingham et al. 2010.
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from xml.etree.ElementTree import Element, ParseError

from defusedxml.common import DefusedXmlException
from defusedxml.ElementTree import fromstring

from data_pipeline.datasets.records import ObjectRecord
from data_pipeline.errors import InvalidDataError, MissingDataError

MAX_BYTES = 16 * 1024**2  # a file with a hundred objects has 30 kB
CORNERS = ("xmin", "ymin", "xmax", "ymax")


@dataclass(frozen=True, slots=True)
class VocAnnotation:
    """What the XML of a picture says."""

    size_hw: tuple[int, int] | None  # pixels; None: it does not say
    objects: tuple[ObjectRecord, ...]
    bad_objects: int  # without a name or without four finite corners; not in `objects`


def read_annotation(file: Path, *, first_pixel: int) -> VocAnnotation:
    """Read the objects of a picture.

    Args:
        file: The XML file.
        first_pixel: Number of the first pixel. With 1, corners are pixels that belong to the
            box, so that its left and upper edges are one less; with 0 they are edges already.

    Raises:
        MissingDataError: It cannot be opened.
        InvalidDataError: It is no XML, too large, or declares entities.
    """
    root = _parsed(file)
    found = [_object(element, first_pixel) for element in root.findall("object")]
    objects = tuple(thing for thing in found if thing is not None)
    return VocAnnotation(_size(root), objects, bad_objects=len(found) - len(objects))


def class_names_in(file: Path) -> Iterator[str]:
    """Read the class of every object of a picture.

    Raises:
        DataError: The file cannot be read.
    """
    for element in _parsed(file).findall("object"):
        name = _text(element, "name")
        if name:
            yield name


def _parsed(file: Path) -> Element:
    try:
        with file.open("rb") as stream:
            content = stream.read(MAX_BYTES + 1)
    except OSError as error:
        raise MissingDataError(f"cannot read {file}: {error.strerror}; restore it") from error
    if len(content) > MAX_BYTES:
        raise InvalidDataError(
            f"annotation {file} must have at most {MAX_BYTES} bytes, got more; restore it",
            "malformed",
        )
    try:
        root: Element = fromstring(content)
    except (ParseError, DefusedXmlException, ValueError, LookupError) as error:
        raise InvalidDataError(
            f"annotation {file} must be XML without entities: {error}; restore it", "malformed"
        ) from error
    return root


def _object(element: Element, first_pixel: int) -> ObjectRecord | None:
    """Read an object; a box that is empty as written stays so, whatever the first pixel is."""
    name = _text(element, "name")
    try:
        x1, y1, x2, y2 = (float(_text(element, f"bndbox/{corner}")) for corner in CORNERS)
    except ValueError:
        return None
    if not name or not all(map(math.isfinite, (x1, y1, x2, y2))):
        return None
    if x1 < x2 and y1 < y2:
        x1, y1 = x1 - first_pixel, y1 - first_pixel
    return ObjectRecord(name, (x1, y1, x2, y2), is_difficult=_text(element, "difficult") == "1")


def _size(root: Element) -> tuple[int, int] | None:
    try:
        height, width = (int(float(_text(root, f"size/{side}"))) for side in ("height", "width"))
    except (ValueError, OverflowError):
        return None
    return (height, width) if height > 0 and width > 0 else None


def _text(element: Element, path: str) -> str:
    return (element.findtext(path) or "").strip()
