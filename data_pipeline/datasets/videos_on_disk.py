"""Which videos lie in a folder per class, without opening any of them."""

import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from data_pipeline.errors import InvalidDataError
from data_pipeline.hashing import file_sha256, hash_of
from data_pipeline.paths import safe_path


@dataclass(frozen=True, slots=True)
class VideoOnDisk:
    """Where a listed video really lies."""

    name: str  # relative to the folder of the folders per class, as the disk writes it
    size: int  # bytes


def videos_folder(root: Path, names: Sequence[str]) -> Path:
    """Return the first of some folders that exists; where there is none, the first name's."""
    places = [root / name for name in names]
    return next((place for place in places if place.is_dir()), places[0])


def videos_on_disk(folder: Path, class_folders: Iterable[str]) -> Mapping[str, VideoOnDisk]:
    """List the files in the folders of some classes; a link that leads out of `folder` is none.

    Returns:
        By "class/file" in small letters: lists and archives differ in capitals, such as
        HandstandPushups and HandStandPushups.
    """
    wanted = {name.casefold() for name in class_folders}
    found = {}
    for place in _entries(folder):
        if place.name.casefold() in wanted and _stays_inside(folder, place, place.name):
            for file in _entries(Path(place.path)):
                name = f"{place.name}/{file.name}"
                if _stays_inside(folder, file, name) and file.is_file():
                    found[name.casefold()] = VideoOnDisk(name, file.stat().st_size)
    return found


def disk_problems(names: Sequence[str], folder: Path) -> list[str]:
    """Return a sentence if none of the listed videos, as "class/file", is on disk."""
    if not folder.is_dir():
        return [f"{folder} does not exist; restore it or correct data.root"]
    on_disk = videos_on_disk(folder, {name.partition("/")[0] for name in names})
    if any(name.casefold() in on_disk for name in names):
        return []
    return [
        f"none of the {len(names)} listed videos is in {folder}; restore them or correct data.root"
    ]


def fingerprint_of(lists: Iterable[Path], names: Sequence[str], folder: Path) -> str:
    """Hash the lists there are, and the names and sizes of the videos they name."""
    parts = [f"{file.name} {file_sha256(file)}" for file in lists if file.is_file()]
    on_disk = videos_on_disk(folder, {name.partition("/")[0] for name in names})
    parts += [
        f"{name} {on_disk[name].size if name in on_disk else 'absent'}"
        for name in sorted(name.casefold() for name in names)
    ]
    return hash_of(parts)


def _entries(folder: Path) -> Iterator[os.DirEntry[str]]:
    try:
        with os.scandir(folder) as entries:
            yield from sorted(entries, key=lambda entry: entry.name)
    except OSError:  # no such folder, or a file of that name: nothing is in it
        return


def _stays_inside(folder: Path, entry: os.DirEntry[str], name: str) -> bool:
    if not entry.is_symlink():
        return True
    try:
        safe_path(folder, name)
    except InvalidDataError:
        return False
    return True
