"""Which pictures files, folders and patterns name, and what each one's outputs are called."""

import difflib
import glob
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from data_pipeline.datasets.picture_names import PICTURES, each_file_in


class NoPictureError(Exception):
    """What was named holds no picture."""


@dataclass(frozen=True, slots=True)
class Picture:
    """A picture and the name of what is written for it."""

    file: Path  # absolute
    name: str  # "street" or "berlin/street": relative to the output folder, without an ending


def find_pictures(
    given: Sequence[str], known: Mapping[str, str], *, without: Collection[Path] = ()
) -> list[Picture]:
    """Return every picture once, in order of its output's name.

    A file is taken whatever its ending; of a folder, all pictures in it and below; a pattern may
    hold `*`, `?` and `**`. Outputs are called like the picture, in a folder like the picture's
    below the one that was named. Where two would be called alike, their endings tell them apart if
    they are of one folder, else the folders above.

    Args:
        given: Files, folders and patterns.
        known: Picture's absolute path -> name that it had in an earlier run, and keeps.
        without: Folders whose pictures are left out: what was predicted before.

    Raises:
        NoPictureError: One of them names no picture; the message says which.
    """
    found: dict[Path, PurePosixPath] = {}
    for each in given:
        named = [(file.resolve(), name) for file, name in _named(each)]
        kept = [(file, name) for file, name in named if not _is_below(file, without)]
        if not kept:
            raise NoPictureError(
                f"{each} must hold a picture that is no output of a prediction, got none; name "
                "other pictures, or another folder by --output"
            )
        for file, name in kept:
            found.setdefault(file, name)
    taken = {name: file for file, name in known.items()}
    names = {file: known.get(str(file), "") for file in found}
    for file in sorted(found, key=lambda file: (len(file.parts), file)):
        if not names[file]:
            names[file] = next(
                name
                for name in _candidates(file, found[file], taken)
                if taken.get(name, str(file)) == str(file)
            )
            taken[names[file]] = str(file)
    pictures = [Picture(file, name) for file, name in names.items()]
    return sorted(pictures, key=lambda each: each.name)


def _named(given: str) -> Iterator[tuple[Path, PurePosixPath]]:
    """Yield what one argument names: a file, and its name as far as the argument says it."""
    path = Path(given).expanduser()
    if path.is_dir():
        inside = each_file_in(path, PICTURES)
        if not inside:
            raise NoPictureError(
                f"folder {given} must hold a picture ({', '.join(PICTURES)}), got none"
            )
        for _, relative in inside:
            yield path / relative, PurePosixPath(relative)
    elif path.is_file():
        yield path, PurePosixPath(path.name)
    else:
        yield from _matching(given, path)


def _matching(given: str, path: Path) -> Iterator[tuple[Path, PurePosixPath]]:
    if not glob.has_magic(given):
        beside = [each.name for each in path.parent.iterdir()] if path.parent.is_dir() else []
        close = difflib.get_close_matches(path.name, beside, n=1)
        meant = f"; did you mean '{path.parent / close[0]}'?" if close else ""
        raise NoPictureError(f"there is no file, folder or pattern {given}{meant}")
    files = [Path(each) for each in glob.iglob(str(path), recursive=True)]  # noqa: PTH207  # a pattern may be absolute, which Path.glob refuses
    pictures = sorted(each for each in files if each.is_file() and _is_picture(each))
    if not pictures:
        raise NoPictureError(f"pattern {given} must match a picture, got none")
    for each in pictures:
        yield each, PurePosixPath(each.name)


def _is_below(file: Path, folders: Collection[Path]) -> bool:
    return any(file.is_relative_to(folder.resolve()) for folder in folders)


def _is_picture(file: Path) -> bool:
    return file.suffix.lower().removeprefix(".") in PICTURES


def _candidates(file: Path, named: PurePosixPath, taken: Mapping[str, str]) -> Iterator[str]:
    """Yield names for a picture's outputs, the shortest first; the last one is unique."""
    shortest, ending = str(named.with_suffix("")), file.suffix.removeprefix(".")
    yield shortest
    if Path(taken.get(shortest, "")).parent == file.parent:
        yield f"{shortest}_{ending}"
    parents = file.parts[1:-1]
    most = len(parents)
    for depth in range(len(named.parts), most + 1):
        yield str(PurePosixPath(*parents[most - depth :], file.stem))
    yield str(PurePosixPath(*parents, f"{file.stem}_{ending}"))
