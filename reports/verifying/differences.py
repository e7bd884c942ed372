"""What differs between a report and the same report computed anew, and where."""

import base64
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import zip_longest
from typing import TypeAlias

import numpy as np

from reports.verifying.pieces import Kind, Piece
from trackers.records import JsonValue

LONGEST = 60  # characters of what is quoted
BEFORE = 24  # characters quoted before the first that differs
Path: TypeAlias = tuple[str | int, ...]
ABSENT = "\0absent"  # no figure holds it


@dataclass(frozen=True, slots=True)
class Difference:
    """One thing that a report says and the records do not, or the other way round."""

    place: str
    told: str | None  # by the report; None: nothing
    found: str | None  # from the records; None: nothing

    @property
    def sentence(self) -> str:
        """Say it in a line."""
        told = "nothing there" if self.told is None else self.told
        found = "nothing there" if self.found is None else self.found
        return f"{self.place}: the report says {told}, the records {found}"


def differences(report: Sequence[Piece], records: Sequence[Piece]) -> tuple[Difference, ...]:
    """Compare two pages piece by piece, in the order of the second."""
    is_alike = len(report) == len(records) and all(
        told.kind is found.kind for told, found in zip(report, records, strict=True)
    )
    pairs = zip(report, records, strict=True) if is_alike else _by_place(report, records)
    return tuple(difference for told, found in pairs for difference in _of_pair(told, found))


def _by_place(
    report: Sequence[Piece], records: Sequence[Piece]
) -> Iterator[tuple[Piece | None, Piece | None]]:
    """Pair pieces of pages that are built differently: the n-th of a place with the n-th."""
    told, found = _numbered(report), _numbered(records)
    for key in dict.fromkeys((*found, *told)):
        yield told.get(key), found.get(key)


def _numbered(pieces: Sequence[Piece]) -> dict[tuple[str, Kind, int], Piece]:
    counts: dict[tuple[str, Kind], int] = {}
    numbered = {}
    for piece in pieces:
        key = (piece.place, piece.kind)
        counts[key] = counts.get(key, 0) + 1
        numbered[(*key, counts[key])] = piece
    return numbered


def _of_pair(told: Piece | None, found: Piece | None) -> Iterator[Difference]:
    if told is None or found is None:
        one = told or found
        if one is not None and one.text:
            quoted = str(one.kind) if one.kind is not Kind.TEXT else _cut(one.text)
            yield Difference(one.place, quoted if told else None, quoted if found else None)
    elif told.kind is Kind.FIGURE:
        yield from _of_figures(told, found)
    elif told.text != found.text:
        if told.kind is Kind.CODE:
            yield Difference(found.place, "something else", "what this release writes")
        else:
            yield Difference(found.place, *_around(told.text, found.text))
    else:
        yield from _of_marks(told, found)


def _of_marks(told: Piece, found: Piece) -> Iterator[Difference]:
    """Compare what is drawn or sorted by, of a text that is the same."""
    for one, other in zip_longest(told.marks, found.marks):
        if one != other:
            texts = [None if each is None else _cut(each) for each in (one, other)]
            yield Difference(f"{found.place}, what is drawn or sorted by", *texts)


def _of_figures(told: Piece, found: Piece) -> Iterator[Difference]:
    """Compare a figure's data; of many points that differ, name the first."""
    if told.text == found.text:
        return
    try:
        report, records = _leaves(told.text), _leaves(found.text)
    except ValueError:
        yield Difference(found.place, "no JSON", "a figure")
        return
    differing = [
        path
        for path in dict.fromkeys((*records, *report))
        if not _same(report.get(path, ABSENT), records.get(path, ABSENT))
    ]
    if not differing:
        return
    path = differing[0]
    names = _trace_names(records)
    more = f" (and {len(differing) - 1} more in this figure)" if len(differing) > 1 else ""
    values = (_value(report, path), _value(records, path))
    yield Difference(f"{found.place}, {_point(path, names)}{more}", *values)


def _leaves(text: str) -> dict[Path, JsonValue]:
    """Return the leaves of a figure's JSON by their paths, packed arrays as their numbers."""
    found: dict[Path, JsonValue] = {}
    _walk(json.loads(text), (), found)
    return found


def _walk(value: JsonValue, path: Path, found: dict[Path, JsonValue]) -> None:
    if isinstance(value, dict) and "bdata" in value and "dtype" in value:
        raw = base64.b64decode(value["bdata"])
        value = np.frombuffer(raw, dtype=np.dtype(value["dtype"])).tolist()
    if isinstance(value, dict):
        for key, each in value.items():
            _walk(each, (*path, key), found)
    elif isinstance(value, list):
        for index, each in enumerate(value):
            _walk(each, (*path, index), found)
    else:
        found[path] = value


def _same(told: JsonValue, found: JsonValue) -> bool:
    return type(told) is type(found) and told == found


def _trace_names(leaves: dict[Path, JsonValue]) -> dict[Path, str]:
    return {
        path[:2]: str(v)
        for path, v in leaves.items()
        if path[:1] == ("data",) and path[2:] == ("name",)
    }


def _point(path: Path, names: dict[Path, str]) -> str:
    """Write a path for people: "trace 'adam', y, point 4"."""
    parts = []
    if path[:1] == ("data",) and len(path) > 1:
        parts.append(f"trace '{names.get(path[:2], int(path[1]) + 1)}'")
        path = path[2:]
    words = [f"point {each + 1}" if isinstance(each, int) else str(each) for each in path]
    return ", ".join([*parts, *words])


def _value(leaves: dict[Path, JsonValue], path: Path) -> str | None:
    return _cut(json.dumps(leaves[path], ensure_ascii=False)) if path in leaves else None


def _around(told: str, found: str) -> tuple[str, str]:
    """Quote two texts around the first character that differs."""
    pairs = enumerate(zip(told, found, strict=False))
    first = next((at for at, (a, b) in pairs if a != b), min(len(told), len(found)))
    start = max(0, first - BEFORE)
    while start > 0 and not found[start - 1].isspace():  # begin with a whole word
        start -= 1
    lead = "…" if start else ""
    return tuple(lead + _cut(text[start:]) for text in (told, found))  # type: ignore[return-value]  # two


def _cut(text: str) -> str:
    quoted = text if len(text) <= LONGEST else f"{text[: LONGEST - 1]}…"
    return quoted or "nothing"
