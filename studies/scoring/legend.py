"""What the values or colours of label maps mean, as a CSV or JSON file says it.

    name,r,g,b           a colour per class, in label order
    index,name           or index,name,r,g,b
    ["road", "car"]      names in label order
    [{"index": 0, "name": "road", "color": [128, 64, 128]}, …]
    {"classes": …}       either list, so a `predictions.json` is a legend too

Several colours may be of one class. Column names may be written in other cases; `id`, `label`,
`class`, `red`, `green`, `blue` and `colour` are understood.
"""

import csv
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias

Colour: TypeAlias = tuple[int, int, int]  # RGB, 0 to 255
MOST = 255
SAME_WORDS = {
    "id": "index",
    "label": "index",
    "value": "index",
    "class": "name",
    "class_name": "name",
    "red": "r",
    "green": "g",
    "blue": "b",
    "colour": "color",
}


class UnusableLegendError(ValueError):
    """A legend cannot be read, or contradicts itself."""


@dataclass(frozen=True, slots=True)
class Legend:
    """Classes of label maps."""

    names: Mapping[int, str]  # label index -> class
    colours: Mapping[Colour, int]  # RGB -> label index; empty: none are said


def read_legend(file: Path) -> Legend:
    """Read a CSV or JSON file.

    Raises:
        UnusableLegendError: It is neither, or contradicts itself; the message says where.
    """
    try:
        text = file.read_text(encoding="utf-8-sig")
        rows = _json_rows(text) if file.suffix.lower() == ".json" else _csv_rows(text)
        return _legend(rows)
    except (OSError, ValueError, TypeError, LookupError, AttributeError) as error:
        reason = str(error) if isinstance(error, ValueError | OSError) else repr(error)
        raise UnusableLegendError(
            f"legend {file} must be a CSV with columns name,r,g,b or index,name, or JSON with "
            f"a list of names or of index, name and color: {reason}"
        ) from error


def _csv_rows(text: str) -> Iterable[Mapping[str, Any]]:
    reader = csv.DictReader(text.splitlines(), skipinitialspace=True)
    for row in reader:
        plain = {_word(key): str(value).strip() for key, value in row.items() if key and value}
        if {"r", "g", "b"} <= plain.keys():
            plain = {**plain, "color": [plain["r"], plain["g"], plain["b"]]}  # type: ignore[dict-item]
        yield plain


def _json_rows(text: str) -> Iterable[Mapping[str, Any]]:
    content = json.loads(text)
    rows = content["classes"] if isinstance(content, dict) else content
    for row in rows:
        yield {"name": row} if isinstance(row, str) else {_word(k): v for k, v in row.items()}


def _word(key: str) -> str:
    plain = key.strip().lower()
    return SAME_WORDS.get(plain, plain)


def _legend(rows: Iterable[Mapping[str, Any]]) -> Legend:
    names: dict[int, str] = {}
    colours: dict[Colour, int] = {}
    for number, row in enumerate(rows, start=1):
        name = str(row["name"])
        index = int(row["index"]) if "index" in row else _index_of(name, names)
        if not 0 <= index <= MOST:
            raise ValueError(f"entry {number}: index must be from 0 to {MOST}, got {index}")
        if names.setdefault(index, name) != name:
            raise ValueError(f"entry {number}: index {index} is '{names[index]}' and '{name}'")
        if "color" in row:
            colour = _colour(row["color"], number)
            if colours.setdefault(colour, index) != index:
                raise ValueError(f"entry {number}: colour {colour} is of two classes")
    if not names:
        raise ValueError("it names no class")
    if len(set(names.values())) < len(names):
        raise ValueError("a class must have one index, but one has two")
    return Legend(dict(sorted(names.items())), colours)


def _index_of(name: str, names: Mapping[int, str]) -> int:
    known = [index for index, each in names.items() if each == name]
    return known[0] if known else max(names, default=-1) + 1


def _colour(values: Sequence[Any], number: int) -> Colour:
    red, green, blue = (int(value) for value in values)
    if not all(0 <= value <= 255 for value in (red, green, blue)):
        raise ValueError(f"entry {number}: red, green and blue must be from 0 to 255")
    return red, green, blue
