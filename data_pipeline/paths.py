"""File names out of annotations and lists: they may name what is in a folder, and nothing else.

Links may lead into the folders that `VISIONSTUDY_LINK_TARGETS` names, such as the cache of DVC or
git-annex; several are separated as in PATH.
"""

import os
from collections.abc import Iterable, Iterator
from pathlib import Path, PurePosixPath, PureWindowsPath

from data_pipeline.errors import InvalidDataError

LINK_TARGETS = "VISIONSTUDY_LINK_TARGETS"


def name_problem(file_name: str) -> str | None:
    """Return what keeps a name from being one inside a folder, by its text alone; else None.

    The disk is not asked, so links are not seen: `safe_path` does before a file is opened.
    """
    if not file_name or "\0" in file_name or not _can_be_encoded(file_name):
        return "must be a file name"
    if file_name[0] in "/\\" or PureWindowsPath(file_name).drive:
        return "must be relative to its folder"
    if ".." in file_name and _leads_up(file_name):
        return "must not lead out of its folder"
    return None


def safe_path(folder: Path, file_name: str) -> Path:
    """Return the path of a named file; it need not exist.

    Args:
        folder: What the study names, which may itself be a link.
        file_name: Relative to `folder`, as the dataset's files say.

    Raises:
        InvalidDataError: The name is absolute or leads out of the folder, by ".." or by a link.
    """
    problem = name_problem(file_name)
    path = folder / file_name if problem is None else folder
    if problem is None and not _is_within(_resolved(path), (folder, *_link_targets())):
        problem = f"must not lead out of its folder by a link (but to {LINK_TARGETS})"
    if problem is not None:
        raise InvalidDataError(
            f"file name {file_name!r} in {folder} {problem}; correct the dataset's list or "
            "annotations, or copy the file into the folder",
            kind="unsafe_path",
        )
    return path


def _is_within(resolved: str, folders: Iterable[Path]) -> bool:
    return any(resolved.startswith(f"{_resolved(each).rstrip('/')}/") for each in folders)


def _link_targets() -> Iterator[Path]:
    yield from map(Path, filter(None, os.environ.get(LINK_TARGETS, "").split(os.pathsep)))


def _leads_up(file_name: str) -> bool:
    depth = 0
    for part in PurePosixPath(file_name.replace("\\", "/")).parts:
        depth += -1 if part == ".." else 1
        if depth < 0:
            return True
    return False


def _can_be_encoded(file_name: str) -> bool:
    try:
        os.fsencode(file_name)
    except UnicodeEncodeError:
        return False
    return True


def _resolved(path: Path) -> str:
    return os.path.realpath(path)  # Path.resolve takes three times as long
