"""Which pictures lie in a folder, by the name that annotations call them: without its ending."""

import os
from collections.abc import Mapping, Sequence
from pathlib import Path

PICTURES = ("jpg", "jpeg", "png", "bmp", "webp", "tif", "tiff")


def pictures_in(folder: Path) -> Mapping[str, str]:
    """List the pictures in a folder and in the folders below it, in the order of their names.

    Returns:
        From "sub/name" to "sub/name.jpg", relative to `folder`; empty if there is none.
    """
    return files_in(folder, PICTURES)


def files_in(folder: Path, endings: Sequence[str]) -> Mapping[str, str]:
    """List the files of some endings, as `pictures_in` does; of two endings the first wins."""
    return dict(each_file_in(folder, endings))


def each_file_in(folder: Path, endings: Sequence[str]) -> Sequence[tuple[str, str]]:
    """List the files of some endings, also those that differ by their ending alone.

    Hidden files are left out: other systems put some of the same ending beside each picture.

    Returns:
        ("sub/name", "sub/name.jpg"), …, by name; of one name, that of the first ending last.
    """
    found: list[tuple[str, int, str]] = []  # name, place of its ending, ending as it is written
    for place, _, files in os.walk(folder):  # does not follow links to other folders
        above = "" if place == str(folder) else f"{Path(place).relative_to(folder).as_posix()}/"
        for file in files:
            name, _, ending = file.rpartition(".")
            if name and not name.startswith(".") and ending.lower() in endings:
                found.append((above + name, -endings.index(ending.lower()), ending))
    return [(name, f"{name}.{ending}") for name, _, ending in sorted(found)]


def is_file(path: Path) -> bool:
    """Tell whether a file is there; a name that is too long for one is not."""
    return os.path.isfile(path)  # noqa: PTH113  # Path.is_file raises for such a name
