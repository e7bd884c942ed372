"""The text file of a picture in YOLO's form, and the YAML file of its classes.

A line is `class x y w h`, a box by its middle and size, or `class x y x y x y …`, a polygon; both
may be in one file. All are shares of the picture's width and height.
"""

import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError

from data_pipeline.datasets.records import ObjectRecord
from data_pipeline.datasets.text_lines import BadLines, numbered_lines
from data_pipeline.errors import InvalidDataError, MissingDataError

RULE = "'class x y w h' or 'class x y x y x y …' with finite numbers"
MAX_BYTES = 4 * 1024**2  # thousands of class names have 100 kB


def class_names_in(file: Path) -> Mapping[int, str]:
    """Read `names`, a list or a mapping from numbers; the numbers may have gaps.

    Returns:
        Class number to name, ascending.

    Raises:
        DataError: It cannot be read, has no such names, or one is there twice.
    """
    names = _names(file)
    known = {
        number: name
        for number, name in names.items()
        if type(number) is int and number >= 0 and isinstance(name, str) and name
    }
    if not names or len(known) < len(names) or len(set(known.values())) < len(known):
        raise InvalidDataError(
            f"`names` in {file} must be a list of class names or a mapping from their numbers, "
            f"each name once, got {len(names)} entries of which {len(set(known.values()))} are "
            "usable; correct the file or data.names",
            kind="malformed",
        )
    return dict(sorted(known.items()))


def objects_in(file: Path, names: Mapping[int, str], bad: BadLines) -> tuple[ObjectRecord, ...]:
    """Read the objects of a picture; lines that break the rule are added to `bad`.

    Args:
        file: The text file.
        names: Class number to name; of another number the name is "number 5", a class of none.
        bad: Gets what is no object.

    Raises:
        MissingDataError: The file cannot be opened.
    """
    found = []
    for number, line in numbered_lines(file):
        thing = _object(line.split(), names)
        if thing is None:
            bad.add(number, line)
        else:
            found.append(thing)
    return tuple(found)


def _object(parts: list[str], names: Mapping[int, str]) -> ObjectRecord | None:
    try:
        number, *values = (float(part) for part in parts)
    except ValueError:
        return None
    if not all(map(math.isfinite, values)) or not number.is_integer():
        return None
    name = names.get(int(number), f"number {number:.0f}")
    if len(values) == 4:
        x, y, width, height = values
        half_w, half_h = width / 2, height / 2
        return ObjectRecord(name, (x - half_w, y - half_h, x + half_w, y + half_h))
    if len(values) < 6 or len(values) % 2:
        return None
    columns, rows = values[::2], values[1::2]
    box = (min(columns), min(rows), max(columns), max(rows))
    return ObjectRecord(name, box, outline=[values])


def _names(file: Path) -> Mapping[Any, Any]:
    try:
        with file.open("rb") as stream:
            content = stream.read(MAX_BYTES)
    except OSError as error:
        raise MissingDataError(
            f"cannot read {file}: {error.strerror}; restore it or correct data.names"
        ) from error
    try:
        _refuse_anchors(content)
        document = YAML(typ="safe", pure=True).load(content)
    except (YAMLError, ValueError, RecursionError) as error:
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise InvalidDataError(
            f"{file} must be YAML with `names`: {reason}; correct the file or data.names",
            kind="malformed",
        ) from error
    names = document.get("names") if isinstance(document, dict) else None
    if isinstance(names, list):
        return dict(enumerate(names))
    return names if isinstance(names, dict) else {}


def _refuse_anchors(content: bytes) -> None:
    """Look through YAML before it is built: a few hundred bytes of references become gigabytes.

    Raises:
        ValueError: It names a part of itself, or merges mappings.
    """
    for event in YAML(typ="safe", pure=True).parse(content):
        if getattr(event, "anchor", None) is not None or getattr(event, "value", None) == "<<":
            raise ValueError("anchors (&), aliases (*) and merge keys (<<) are not read")
