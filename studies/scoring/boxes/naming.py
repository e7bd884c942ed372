"""Which true picture a name means: by its file, or by the id that annotations give it.

files   the file's name, with or without its folders and ending, or as a number: 1 is "0001.jpg"
ids     the id in the truth, or as a number: "000139" is 139; COCO results name pictures so

All names of a set are of one kind. Where ids and files are numbers, the same number may mean two
pictures, as id 1 is often "0.jpg": a set in which both kinds fit and differ is not guessed at.
"""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath
from types import MappingProxyType
from typing import Literal, TypeAlias, get_args

from data_pipeline.datasets.picture_names import PICTURES
from data_pipeline.datasets.records import ImageRecord
from studies.scoring.boxes.records import UnusableBoxesError

NamedBy: TypeAlias = Literal["files", "ids"]
NAMED_BY: tuple[NamedBy, ...] = get_args(NamedBy)


@dataclass(frozen=True, slots=True)
class NameRule:
    """How the names of a set are to be understood."""

    usual: NamedBy  # by what such a set names pictures, unless the other kind fits it better
    where: str  # the set, for people
    remedy: str  # what to do where both kinds fit
    told: NamedBy | None = None  # by the user


def places_of(
    names: Sequence[Sequence[str]], records: Sequence[ImageRecord], rule: NameRule
) -> list[int | None]:
    """Find each name among the true pictures.

    Args:
        names: What each picture may be called, the likeliest name first.
        records: The true pictures.
        rule: How names are understood.

    Returns:
        For each its place in `records`; None: there is no such picture, or more than one.

    Raises:
        UnusableBoxesError: Names fit as files and as ids, and mean different pictures.
    """
    if rule.told is not None:
        return _found(names, records, rule.told)
    other: NamedBy = "files" if rule.usual == "ids" else "ids"
    first, second = (_found(names, records, kind) for kind in (rule.usual, other))
    gained = _count(second) - _count(first)
    # A file of text is called as its picture is; a number in COCO results may be either.
    is_doubtful = gained > 0 or (gained == 0 and rule.usual == "ids")
    for called, one, two in zip(names, first, second, strict=True):
        if is_doubtful and one is not None and two is not None and one != two:
            files = {rule.usual: records[one].file_name, other: records[two].file_name}
            raise UnusableBoxesError(
                f"{rule.where} must name pictures by their files or by their ids in GT, but both "
                f"fit: '{called[0]}' is the id of '{files['ids']}' and the name of "
                f"'{files['files']}' (by {rule.usual} {_count(first)} of {len(names)} are known, "
                f"by {other} {_count(second)}); {rule.remedy}"
            )
    return second if gained > 0 else first


def _found(
    names: Sequence[Sequence[str]], records: Sequence[ImageRecord], kind: NamedBy
) -> list[int | None]:
    spell, stated = SPELLINGS[kind]
    ways = [
        _unique(spellings)
        for spellings in zip(*(spell(stated(record)) for record in records), strict=True)
    ]
    return [
        next(
            (
                way[spelling]
                for name in called
                for way, spelling in zip(ways, spell(name), strict=True)
                if spelling in way
            ),
            None,
        )
        for called in names
    ]


def _unique(spellings: Sequence[str]) -> Mapping[str, int]:
    """Return where each picture is by its spelling, if that is of no other."""
    counts = Counter(spellings)
    return {each: place for place, each in enumerate(spellings) if counts[each] == 1}


def _of_file(name: str) -> Sequence[str]:
    """Return how a file may be called, the most exact way first."""
    path = PurePosixPath(name)
    bare = path.with_suffix("") if path.suffix.lower().removeprefix(".") in PICTURES else path
    return name, str(bare), bare.name, _number(bare.name)


def _of_id(name: str) -> Sequence[str]:
    return name, _number(name)


def _number(name: str) -> str:
    return str(int(name)) if name.isdecimal() else name


def _count(places: Sequence[int | None]) -> int:
    return sum(place is not None for place in places)


SPELLINGS: Mapping[
    NamedBy, tuple[Callable[[str], Sequence[str]], Callable[[ImageRecord], str]]
] = MappingProxyType(
    {
        "files": (_of_file, lambda record: record.file_name),
        "ids": (_of_id, lambda record: record.image_id),
    }
)
