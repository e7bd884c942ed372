"""The official CSV files of Open Images, row by row: boxes, class names and rotations.

Ids are text even where all of their digits are decimal. A flag is 1, 0 or -1 for unknown, which
counts as 0. Corners are shares of width and height: XMin, XMax, YMin, YMax.
"""

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import groupby, pairwise
from pathlib import Path
from typing import NamedTuple

from data_pipeline.datasets.records import ImageRecord, ObjectRecord
from data_pipeline.datasets.settings.boxes import OpenImagesData
from data_pipeline.datasets.text_lines import BadLines, fields_of, numbered_lines
from data_pipeline.errors import InvalidDataError
from data_pipeline.faults import Fault

FLAGS = {
    "occluded": "IsOccluded",
    "truncated": "IsTruncated",
    "depiction": "IsDepiction",
    "inside": "IsInside",
}
CORNERS = ("XMin", "YMin", "XMax", "YMax")
QUARTER_TURNS = {"90": 1, "180": 2, "270": 3, "90.0": 1, "180.0": 2, "270.0": 3}


class BoxRow(NamedTuple):
    """A box as its row says."""

    image_id: str
    label: str  # as in the list of classes, such as /m/01g317
    box_xyxy: tuple[float, float, float, float]  # shares of width and height
    is_group: bool
    is_unwanted: bool  # has a flag that the study leaves out


@dataclass(frozen=True, slots=True)
class BoxColumns:
    """Where in a row its values stand."""

    count: int  # of all columns
    image_id: int
    label: int
    corners: tuple[int, ...]  # x1, y1, x2, y2
    group_of: int | None  # None: the file does not say
    unwanted: tuple[int, ...]  # flags of which none may be set

    def row(self, fields: Sequence[str]) -> BoxRow | None:
        """Read a row of as many fields as the header; None where a corner is no number."""
        try:
            x1, y1, x2, y2 = [float(fields[corner]) for corner in self.corners]
        except ValueError:
            return None
        if not math.isfinite(x1 + y1 + x2 + y2):
            return None
        return BoxRow(
            image_id=fields[self.image_id],
            label=fields[self.label],
            box_xyxy=(x1, y1, x2, y2),
            is_group=self.group_of is not None and fields[self.group_of] == "1",
            is_unwanted=any(fields[flag] == "1" for flag in self.unwanted),
        )


@dataclass(slots=True)
class BoxFile:
    """The boxes of a split."""

    file: Path
    settings: OpenImagesData
    _bad: BadLines = field(init=False)
    _absent: set[str] = field(default_factory=set, init=False)

    def __post_init__(self) -> None:
        self._bad = BadLines(self.file.name, "a row as its header says, with finite corners")

    def records(
        self, pictures: Mapping[str, str], names: Mapping[str, str]
    ) -> Iterator[ImageRecord | Fault]:
        """Describe every picture on disk, those without a box last, and then what was at fault.

        Args:
            pictures: Image id to file name, relative to the folder of pictures.
            names: Label to class name.

        Raises:
            InvalidDataError: The file has no header, or not the columns that are needed.
        """
        lines = numbered_lines(self.file)
        columns = _columns(self.file, next(lines, (1, ""))[1], self.settings)
        rows: Iterable[BoxRow] = self._rows(lines, columns, pictures)
        if not _is_sorted(self.file, columns.image_id):
            rows = sorted(rows, key=_image_id)
        without = dict(pictures)
        for image_id, boxes in groupby(rows, key=_image_id):
            without.pop(image_id, None)
            objects = tuple(self._objects(boxes, names))
            yield ImageRecord(image_id, pictures[image_id], None, objects, is_normalised=True)
        for image_id, name in without.items():
            yield ImageRecord(image_id, name, None, (), is_normalised=True)
        yield from self._bad.faults()
        yield from self._absent_fault()

    def _absent_fault(self) -> Iterator[Fault]:
        count = len(self._absent)
        if not count:
            return
        message = (
            f"{count} pictures with boxes in {self.file.name} are not on disk, the first is "
            f"'{min(self._absent)}'; they are not used"
        )
        yield Fault("absent", self.file.name, message, "sample", count)

    def _rows(
        self, lines: Iterable[tuple[int, str]], columns: BoxColumns, pictures: Mapping[str, str]
    ) -> Iterator[BoxRow]:
        for number, line in lines:
            fields = fields_of(line)
            is_whole = len(fields) == columns.count
            if is_whole and fields[columns.image_id] not in pictures:  # of most, with a subset
                self._absent.add(fields[columns.image_id])
            elif is_whole and (row := columns.row(fields)) is not None:
                yield row
            else:
                self._bad.add(number, line)

    def _objects(self, rows: Iterable[BoxRow], names: Mapping[str, str]) -> Iterator[ObjectRecord]:
        for row in rows:
            is_group = row.is_group and self.settings.group_of != "object"
            if not (row.is_unwanted or (is_group and self.settings.group_of == "drop")):
                name = names.get(row.label, row.label)
                yield ObjectRecord(name, row.box_xyxy, is_crowd=is_group)


def class_names_in(file: Path) -> Mapping[str, str]:
    """Read the list of classes, with or without a header.

    Returns:
        Label to class name, in the order of the file.

    Raises:
        DataError: It cannot be read, is empty, or a label or name is there twice.
    """
    names: dict[str, str] = {}
    for number, line in numbered_lines(file):
        match fields_of(line):
            case ["LabelName", "DisplayName"]:
                continue
            case [label, name] if label and name and label not in names:
                names[label] = name
            case _:
                raise InvalidDataError(
                    f"{file}:{number} must be 'label,name' with a label that is not above, got "
                    f"{line[:60]!r}; restore the official file or correct data.class_list",
                    "malformed",
                )
    if not names or len(set(names.values())) < len(names):
        raise InvalidDataError(
            f"list of classes {file} must name at least one class and each once, got {len(names)} "
            f"labels with {len(set(names.values()))} names; restore it or correct data.class_list",
            "malformed",
        )
    return names


def quarter_turns_in(file: Path) -> Mapping[str, int]:
    """Read by how many quarter turns, counterclockwise, a picture gets upright; 0 is left out.

    Raises:
        DataError: It cannot be read, or has no column of ids or rotations.
    """
    lines = numbered_lines(file)
    header = fields_of(next(lines, (1, ""))[1])
    image_id, rotation = (_place(file, header, name) for name in ("ImageID", "Rotation"))
    turns = {}
    for _, line in lines:
        fields = fields_of(line)
        if len(fields) == len(header) and fields[rotation] in QUARTER_TURNS:
            turns[fields[image_id]] = QUARTER_TURNS[fields[rotation]]
    return turns


def _columns(file: Path, header_line: str, settings: OpenImagesData) -> BoxColumns:
    header = fields_of(header_line)
    return BoxColumns(
        count=len(header),
        image_id=_place(file, header, "ImageID"),
        label=_place(file, header, "LabelName"),
        corners=tuple(_place(file, header, corner) for corner in CORNERS),
        group_of=header.index("IsGroupOf") if "IsGroupOf" in header else None,
        unwanted=tuple(_place(file, header, FLAGS[flag]) for flag in settings.leave_out),
    )


def _place(file: Path, header: Sequence[str], column: str) -> int:
    if column not in header:
        raise InvalidDataError(
            f"the first line of {file} must name the column {column}, got "
            f"{', '.join(header)[:200] or 'nothing'}; restore the official file",
            "malformed",
        )
    return header.index(column)


def _is_sorted(file: Path, column: int) -> bool:
    """Tell whether the rows of a picture follow each other, so that 2.2 GB can be a stream."""
    rows = (line.split(",", column + 1) for number, line in numbered_lines(file) if number > 1)
    ids = (fields[column] if len(fields) > column else "" for fields in rows)
    return all(one <= other for one, other in pairwise(ids))


def _image_id(row: BoxRow) -> str:
    return row.image_id
