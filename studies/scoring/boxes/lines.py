"""Boxes in lines of text: four forms, and which one a file is in.

    text, true      class x1 y1 x2 y2 [difficult]
    text, found     class score x1 y1 x2 y2
    VOC results     image score x1 y1 x2 y2         a file per class, comp4_det_test_car.txt
    YOLO            class x y w h [score]           middle and size, shares of the picture

A class may be of several words, but in YOLO's form, where it is a number.
"""

import math
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Literal, TypeAlias

from data_pipeline.datasets.records import Box
from data_pipeline.datasets.text_lines import SHOWN, numbered_lines
from data_pipeline.errors import DataError
from studies.scoring.boxes.records import Corners, UnusableBoxesError, edges, is_box
from studies.text_numbers import finite_number

LineForm: TypeAlias = Literal["text", "yolo"]
Side: TypeAlias = Literal["gt", "found"]
RULES = {
    "truth": "'class x1 y1 x2 y2' or, with corners that are shares, YOLO's 'class x y w h'",
    "text truth": "'class x1 y1 x2 y2' with x1 <= x2 and y1 <= y2, and no score",
    "text found": "'class score x1 y1 x2 y2' with x1 <= x2 and y1 <= y2",
    "voc found": "'image score x1 y1 x2 y2' with x1 <= x2 and y1 <= y2",
    "yolo": "'class x y w h', with a number as class and shares of the picture as the others",
}
VOC_RESULTS = re.compile(r"comp\d+_det_[^_]+_(?P<name>.+)\.txt")
DIFFICULT = "difficult"
BEYOND = 1.5  # a share is not so large, however imprecise; a coordinate nearly always is
LOOKED_AT = 2000  # lines, to tell which form files are in
MARGIN = 0.01  # share of the picture by which rounding may put YOLO's boxes out of it


@dataclass(frozen=True, slots=True)
class TextBox:
    """A line."""

    name: str  # class, or image
    numbers: tuple[float, ...]  # those at its end
    is_difficult: bool = False


def voc_results_class(file: Path) -> str | None:
    """Return the class that a file of VOC's development kit is of; None if it is none."""
    match = VOC_RESULTS.fullmatch(file.name)
    return match["name"] if match else None


def line_form(files: Sequence[Path], side: Side) -> LineForm:
    """Tell whether files hold YOLO's form: numbered classes and shares alone.

    Raises:
        UnusableBoxesError: Every line may be of the text form too, with shares as corners.
    """
    rows: list[tuple[float, ...]] = []
    for line in islice((line for file in files for _, line in lines_of(file)), LOOKED_AT):
        row = _yolo_row(line)
        if row is None:
            return "text"
        rows.append(row)
    if rows and _may_be_corners(rows, side):
        form = RULES["text truth" if side == "gt" else "text found"]
        raise UnusableBoxesError(
            f"shares in {files[0].parent} must be YOLO's or of corners, but every line may be "
            f"YOLO's 'class x y w h' as well as {form}; say which by --{side}-format yolo, or by "
            f"--{side}-format text --{side}-corners shares"
        )
    return "yolo" if rows else "text"


def check_pixels(boxes: Iterable[Box], place: Path, side: Side) -> None:
    """Raise if there are boxes and all of them are shares, though nobody said so.

    Raises:
        UnusableBoxesError: No corner is beyond the first pixel.
    """
    farthest = max((value for box in boxes for value in box), default=math.inf)
    if farthest < BEYOND:
        raise UnusableBoxesError(
            f"corners in {place} must be in pixels, but none is beyond {farthest:g}; say "
            f"--{side}-corners shares, or --{side}-corners edges if they are in pixels"
        )


def lines_of(file: Path) -> list[tuple[int, str]]:
    """Read a file's lines with their numbers.

    Raises:
        UnusableBoxesError: It cannot be read.
    """
    try:
        return list(numbered_lines(file))
    except DataError as error:
        raise UnusableBoxesError(str(error)) from error


def found_line(file: Path, number: int, line: str, *, corners: Corners) -> tuple[str, float, Box]:
    """Read a detection of the text form: class, score, box; or of VOC's: image, score, box.

    Raises:
        UnusableBoxesError: It is none; the message says where, and what it must be.
    """
    box = _text_box(line, numbers=5)
    rule = "voc found" if voc_results_class(file) else "text found"
    if box is None or not box.name or not is_box(_four(box.numbers[1:])):
        raise wrong_line(file, number, line, rule=RULES[rule])
    return box.name, box.numbers[0], edges(_four(box.numbers[1:]), corners)


def true_line(file: Path, number: int, line: str, *, corners: Corners) -> tuple[str, Box, bool]:
    """Read a true box of the text form: class, box, whether it is difficult.

    Raises:
        UnusableBoxesError: It is none; the message says where, and what it must be.
    """
    box = _text_box(line, numbers=4)
    if box is None or not box.name or _ends_in_score(box.name) or not is_box(_four(box.numbers)):
        raise wrong_line(file, number, line, rule=RULES["text truth"])
    return box.name, edges(_four(box.numbers), corners), box.is_difficult


def yolo_line(
    file: Path, number: int, line: str, names: Mapping[int, str]
) -> tuple[str, float | None, Box]:
    """Read a detection of YOLO's form: class, score if it has one, box in shares.

    Raises:
        UnusableBoxesError: It is none; the message says where, and what it must be.
    """
    values = [finite_number(part) for part in line.split()]
    match values:
        case [float(label), float(x), float(y), float(w), float(h), *rest] if (
            label.is_integer() and label >= 0 and len(rest) <= 1 and None not in rest
        ):
            box = (x - w / 2, y - h / 2, x + w / 2, y + h / 2)
            if is_box(box):
                score = rest[0] if rest else None
                return class_of(int(label), names), score, box
    raise wrong_line(file, number, line, rule=f"{RULES['yolo']}, and perhaps a score behind them")


def class_of(number: int, names: Mapping[int, str]) -> str:
    """Return the name of a class number; one without is called by its number."""
    return names.get(number, f"number {number}")


def wrong_line(file: Path, number: int, line: str, *, rule: str) -> UnusableBoxesError:
    """Return the error of a line that cannot be read."""
    return UnusableBoxesError(
        f"{file}:{number} must be {rule}, got {line[:SHOWN]!r}; correct it, or say which form it "
        "is in by --gt-format or --found-format"
    )


def _text_box(line: str, *, numbers: int) -> TextBox | None:
    parts = line.split()
    is_difficult = parts[-1].lower() == DIFFICULT
    parts = parts[:-1] if is_difficult else parts
    values = [finite_number(part) for part in parts[-numbers:]]
    found = tuple(value for value in values if value is not None)
    if len(found) < numbers:
        return None
    return TextBox(" ".join(parts[:-numbers]), found, is_difficult)


def _ends_in_score(name: str) -> bool:
    """Tell whether the class of a true box ends in what looks like a score; 'type 2' does not."""
    *words, last = name.split()
    value = finite_number(last)
    return bool(words) and "." in last and value is not None and 0 <= value <= 1


def _yolo_row(line: str) -> tuple[float, ...] | None:
    """Return the numbers behind the class if all are shares and it is a number."""
    label, *parts = line.split()
    values = [finite_number(part) for part in parts]
    shares = tuple(value for value in values if value is not None and 0 <= value < BEYOND)
    is_row = label.isdecimal() and len(parts) >= 4 and len(shares) == len(parts)
    return shares if is_row else None


def _may_be_corners(rows: Sequence[tuple[float, ...]], side: Side) -> bool:
    """Tell whether each row may end in x1 y1 x2 y2.

    A true row has nothing that tells it from YOLO's of an object that is large and left above; so
    one must, as YOLO's, be out of the picture.
    """
    length = 4 if side == "gt" else 5
    if any(len(row) != length or row[-4] >= row[-2] or row[-3] >= row[-1] for row in rows):
        return False
    return side == "found" or any(
        abs(middle - 0.5) + size / 2 > 0.5 + MARGIN
        for row in rows
        for middle, size in zip(row[:2], row[2:], strict=True)
    )


def _four(numbers: Sequence[float]) -> Box:
    x1, y1, x2, y2 = numbers
    return x1, y1, x2, y2
