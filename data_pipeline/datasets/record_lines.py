"""A record as a line of JSON and back, to the last digit."""

import json
from typing import Any

from data_pipeline.datasets.records import ImageRecord, ObjectRecord

CROWD, DIFFICULT = 1, 2  # bits


def to_line(record: ImageRecord) -> bytes:
    """Return one line of ASCII with its line feed.

    Raises:
        TypeError: An outline holds what JSON does not.
    """
    objects = [
        [
            thing.class_name,
            thing.box_xyxy,
            thing.area,
            thing.is_crowd * CROWD | thing.is_difficult * DIFFICULT,
            thing.outline,
        ]
        for thing in record.objects
    ]
    fields = [record.image_id, record.file_name, record.size_hw, record.is_normalised, objects]
    return json.dumps(fields, separators=(",", ":")).encode("ascii") + b"\n"


def from_line(line: bytes) -> ImageRecord:
    """Return the record of a line.

    Raises:
        ValueError: It is no such line.
    """
    try:
        image_id, file_name, size_hw, is_normalised, objects = json.loads(line)
        return ImageRecord(
            image_id=image_id,
            file_name=file_name,
            size_hw=None if size_hw is None else (size_hw[0], size_hw[1]),
            objects=tuple(_object(fields) for fields in objects),
            is_normalised=is_normalised,
        )
    except (TypeError, LookupError) as error:
        raise ValueError(f"no line of a record: {error}") from error


def _object(fields: list[Any]) -> ObjectRecord:
    class_name, box, area, bits, outline = fields
    x1, y1, x2, y2 = box
    return ObjectRecord(
        class_name=class_name,
        box_xyxy=(x1, y1, x2, y2),
        area=area,
        is_crowd=bool(bits & CROWD),
        is_difficult=bool(bits & DIFFICULT),
        outline=outline,
    )
