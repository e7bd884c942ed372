"""What files of true boxes and of detections say, whatever their format.

UnusableBoxesError    files cannot be read, or do not belong together
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal, TypeAlias, get_args

from data_pipeline.datasets.records import Box, ImageRecord

# What x1, y1, x2, y2 of a text file are. edges: distances from the picture's left and upper edge;
# pixels: the first and last pixel of the box, from 0; pixels_from_1: the same, from 1, as in VOC;
# shares: as edges, divided by the picture's width and height.
Corners: TypeAlias = Literal["edges", "pixels", "pixels_from_1", "shares"]
CORNERS: tuple[Corners, ...] = get_args(Corners)


class UnusableBoxesError(Exception):
    """Boxes cannot be read or compared."""


@dataclass(frozen=True, slots=True)
class TrueImage:
    """A picture and its true boxes."""

    record: ImageRecord
    pixel_area: float = 1.0  # stored square pixels per square pixel of the boxes


@dataclass(frozen=True, slots=True)
class Truth:
    """A ground truth."""

    kind: str  # its format, for people
    images: tuple[TrueImage, ...]
    class_names: tuple[str, ...]  # in label order; also such as have no box
    category_ids: Mapping[int, str] = field(default_factory=dict)  # COCO's, to class names


@dataclass(frozen=True, slots=True)
class FoundBox:
    """A detection."""

    class_name: str
    score: float
    box_xyxy: Box


@dataclass(frozen=True, slots=True)
class FoundImage:
    """The detections of a picture."""

    name: str
    boxes: tuple[FoundBox, ...]
    size_hw: tuple[int, int] | None = None  # of the picture that the boxes are in; None: not said


@dataclass(frozen=True, slots=True)
class Found:
    """What a tool found."""

    kind: str  # its format, for people
    images: tuple[FoundImage, ...]
    is_normalised: bool = False  # boxes are shares of width and height
    has_ids: bool = False  # pictures are named by their ids, and not by their files
    is_per_image: bool = False  # each picture has a file: one without was not predicted
    without_score: int = 0  # boxes that do not say how sure they are; they count as 1


def edges(corners_xyxy: Box, corners: Corners) -> Box:
    """Return the edges of a box."""
    x1, y1, x2, y2 = corners_xyxy
    match corners:
        case "edges" | "shares":
            return corners_xyxy
        case "pixels":
            return x1, y1, x2 + 1, y2 + 1
        case "pixels_from_1":
            return x1 - 1, y1 - 1, x2, y2


def is_box(values: Box) -> bool:
    """Tell whether four numbers are corners: finite, the second not before the first."""
    return all(map(math.isfinite, values)) and values[0] <= values[2] and values[1] <= values[3]
