"""COCO's annotations cut down to some images and classes, without holding all of them."""

import json
import re
from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path
from typing import Any, TextIO

from data_pipeline.datasets.json_elements import elements_of
from data_pipeline.download.archives import open_member
from data_pipeline.download.sampling import Smallest
from data_pipeline.errors import InvalidDataError, UnknownClassError, unknown_name

LISTS = ("licenses", "images", "annotations", "categories")
FILE_NAME = re.compile(r"[\w-]+\.jpg", re.ASCII)


@dataclass(frozen=True, slots=True)
class Chosen:
    """What is kept of a split, by the official ids."""

    image_ids: frozenset[int]
    category_ids: frozenset[int]


def images_by_class(
    archive: Path, member: str, classes: Sequence[str], *, per_class: int, seed: int
) -> Chosen:
    """Choose images of each class, by what is in them.

    Raises:
        UnknownClassError: A class that the annotations do not have.
        InvalidDataError: The annotations are damaged.
    """
    number_of: dict[str, int] = {}
    first: dict[int, Smallest] = {}  # per class; the classes' names come last in the file
    with _records(archive, member) as records:
        for key, record in records:
            if key == "categories":
                number_of[record["name"]] = record["id"]
            elif key == "annotations" and not record.get("iscrowd"):
                wanted = first.setdefault(record["category_id"], Smallest(per_class, seed))
                wanted.offer(str(record["image_id"]))
    for name in classes:
        if name not in number_of:
            raise UnknownClassError(unknown_name("class", name, tuple(number_of)))
    numbers = frozenset(number_of[name] for name in classes)
    image_ids = {int(i) for n in numbers & first.keys() for i in first[n].first(per_class)}
    return Chosen(frozenset(image_ids), numbers)


def image_files(archive: Path, member: str, image_ids: Collection[int]) -> dict[int, str]:
    """Return the file names of these images.

    Raises:
        InvalidDataError: The annotations are damaged, or name a file that is no picture.
    """
    files: dict[int, str] = {}
    with _records(archive, member) as records:
        for key, record in records:
            if key == "images" and record["id"] in image_ids:
                if not FILE_NAME.fullmatch(record["file_name"]):
                    raise InvalidDataError(
                        f"file_name must be a name such as 000000000009.jpg, got "
                        f"{record['file_name']!r} in {member} of {archive}; remove the archive "
                        "to fetch it again",
                        "unsafe_path",
                    )
                files[record["id"]] = record["file_name"]
            if len(files) == len(image_ids):
                break
    return files


def write_subset(
    archive: Path,
    member: str,
    target: Path,
    *,
    image_ids: Collection[int],
    category_ids: Collection[int],
) -> None:
    """Write the records of these images and classes, unchanged and in their order.

    The file appears when all of it is written.

    Raises:
        InvalidDataError: The annotations are damaged.
    """

    def is_kept(key: str, record: dict[str, Any]) -> bool:
        if key == "images":
            return record["id"] in image_ids
        if key == "annotations":
            return record["image_id"] in image_ids and record["category_id"] in category_ids
        return key != "categories" or record["id"] in category_ids

    unfinished = target.with_name(target.name + ".new")
    target.parent.mkdir(parents=True, exist_ok=True)
    with (
        _records(archive, member) as records,
        unfinished.open("w", encoding="utf-8") as stream,
    ):
        _write(stream, ((key, record) for key, record in records if is_kept(key, record)))
    unfinished.replace(target)


def _write(stream: TextIO, records: Iterator[tuple[str, Any]]) -> None:
    """Write records as the object of lists that they come from."""
    written: set[str] = set()
    for key, group in groupby(records, key=lambda pair: pair[0]):
        stream.write(("," if written else "{") + f"\n{json.dumps(key)}: ")
        written.add(key)
        values = (json.dumps(record) for _, record in group)
        if key in LISTS:
            stream.write("[\n" + next(values))
            stream.writelines(f",\n{value}" for value in values)
            stream.write("]")
        else:
            stream.writelines(values)
    for key in LISTS:
        if key not in written:
            stream.write(("," if written else "{") + f'\n"{key}": []')
            written.add(key)
    stream.write("\n}\n")


@contextmanager
def _records(archive: Path, member: str) -> Iterator[Iterator[tuple[str, Any]]]:
    """Open an annotation file in its archive; what a record lacks is named with the file."""
    try:
        with open_member(archive, member) as packed:
            elements = elements_of(packed, f"{member} in {archive}")
            # An empty list is no record of itself.
            yield ((e.key, e.value) for e in elements if e.is_in_array or e.key not in LISTS)
    except (KeyError, TypeError, AttributeError) as error:
        raise InvalidDataError(
            f"{member} in {archive} must have COCO's records: {error!r}; remove the archive to "
            "fetch it again",
            "malformed",
        ) from error
