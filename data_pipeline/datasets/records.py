"""What an annotation says of a picture, whatever its format, and nothing of any study."""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, TypeAlias

# Polygons [[x, y, x, y, …], …] in pixels, or COCO run lengths {"counts": …, "size": [h, w]}.
Outline: TypeAlias = Sequence[Sequence[float]] | Mapping[str, Any]
Box: TypeAlias = tuple[float, float, float, float]  # x1, y1, x2, y2

# Bits of `uses_by_class`: for which tasks there is an object of a class.
USES: Mapping[str, int] = {
    "object_detection": 1,
    "instance_segmentation": 2,
    "semantic_segmentation": 4,
}


@dataclass(frozen=True, slots=True)
class ObjectRecord:
    """An object as its annotation says, faults included."""

    class_name: str
    box_xyxy: Box  # in the unit of its ImageRecord
    area: float | None = None  # square pixels of the mask, where the format says it
    is_crowd: bool = False  # COCO iscrowd, Open Images IsGroupOf
    is_difficult: bool = False  # VOC
    outline: Outline | None = None


@dataclass(frozen=True, slots=True)
class ImageRecord:
    """A picture and every annotated object in it, of any class."""

    image_id: str
    file_name: str  # relative to the folder of the pictures; checked before it is opened
    size_hw: tuple[int, int] | None  # as annotated, pixels; None: the format does not say
    objects: tuple[ObjectRecord, ...]
    is_normalised: bool = False  # boxes and polygons are shares of width and height

    def record(self) -> "ImageRecord":
        """Return itself: a record in memory need not be fetched, as one of an index must be."""
        return self


def in_pixels(record: ImageRecord, size_hw: tuple[int, int]) -> ImageRecord:
    """Return the record with boxes and polygons in pixels of a picture of this size."""
    if not record.is_normalised:
        return record
    height, width = size_hw
    scaled = (
        replace(
            thing,
            box_xyxy=(
                thing.box_xyxy[0] * width,
                thing.box_xyxy[1] * height,
                thing.box_xyxy[2] * width,
                thing.box_xyxy[3] * height,
            ),
            outline=_scaled(thing.outline, width, height),
        )
        for thing in record.objects
    )
    return replace(record, objects=tuple(scaled), size_hw=size_hw, is_normalised=False)


def _scaled(outline: Outline | None, width: int, height: int) -> Outline | None:
    if outline is None or isinstance(outline, Mapping):
        return outline  # run lengths have pixels by nature
    return [
        [value * (height if place % 2 else width) for place, value in enumerate(polygon)]
        for polygon in outline
    ]


def clipped(box: Box, size_hw: tuple[float, float]) -> Box | None:
    """Return the part of a box inside a picture; None where it has no area or is no box."""
    if not all(map(math.isfinite, box)) or not has_area(box):
        return None
    height, width = size_hw
    inside = (
        min(max(box[0], 0.0), width),
        min(max(box[1], 0.0), height),
        min(max(box[2], 0.0), width),
        min(max(box[3], 0.0), height),
    )
    return inside if has_area(inside) else None


def has_area(box: Box) -> bool:
    """Say whether the box is wider and higher than nothing, as written."""
    return box[2] > box[0] and box[3] > box[1]


def uses_by_class(record: ImageRecord) -> dict[str, int]:
    """Return for each class in a picture the tasks it has an object for, as bits of `USES`.

    Crowds are for none; detection needs a box with area, segmentation an outline.
    """
    limits = (1, 1) if record.is_normalised else record.size_hw or (math.inf, math.inf)
    uses: dict[str, int] = {}
    for thing in record.objects:
        use = 0 if thing.is_crowd else _use(thing, limits)
        uses[thing.class_name] = uses.get(thing.class_name, 0) | use
    return uses


def _use(thing: ObjectRecord, limits_hw: tuple[float, float]) -> int:
    boxed = USES["object_detection"] if clipped(thing.box_xyxy, limits_hw) else 0
    if thing.outline is None:
        return boxed
    return boxed | USES["semantic_segmentation"] | (USES["instance_segmentation"] if boxed else 0)


def of_classes(record: ImageRecord, names: Iterable[str]) -> tuple[ObjectRecord, ...]:
    """Return the objects of these classes, in order."""
    wanted = frozenset(names)
    return tuple(thing for thing in record.objects if thing.class_name in wanted)
