"""Archives, unpacked without trusting them: plain files, inside the folder, that fit the disk.

Links, devices and names that lead elsewhere make the whole archive refused before anything of it
is written. Neither owners nor permissions are taken over.
"""

import shutil
import stat
import tarfile
import zipfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from data_pipeline.download.errors import UnpackError
from data_pipeline.download.space import named_if_full, require_space
from data_pipeline.errors import InvalidDataError
from data_pipeline.paths import name_problem, safe_path

# RuntimeError: encrypted, or compressed in a way that is not known.
DAMAGE = (zipfile.BadZipFile, tarfile.TarError, zlib.error, EOFError, RuntimeError)


@dataclass(frozen=True, slots=True)
class Member:
    """A file in an archive."""

    name: str
    size_bytes: int  # as the archive says
    open: Callable[[], IO[bytes]]


def unpack(archive: Path, folder: Path, target_of: Callable[[str], str | None]) -> list[Path]:
    """Unpack files of a zip or tar archive.

    Args:
        archive: Told apart by its content.
        folder: Nothing outside of it is written.
        target_of: Name in the archive to name below the folder; None: leave it out.

    Returns:
        The files, in the order of the archive.

    Raises:
        UnpackError: It is damaged, or has a member that is no plain file inside the folder.
        NoSpaceError: The disk cannot hold it.
    """
    with _read(archive) as members:
        targets = [(member, target_of(member.name)) for member in members]
        wanted = [(member, target) for member, target in targets if target is not None]
        require_space(folder, sum(member.size_bytes for member, _ in wanted))
        files = []
        for member, name in wanted:
            file = _inside(folder, name, archive)
            file.parent.mkdir(parents=True, exist_ok=True)
            with (
                named_if_full(file, member.size_bytes),
                member.open() as packed,
                file.open("wb") as stream,
            ):
                shutil.copyfileobj(packed, stream, 1024**2)
            files.append(file)
    return files


@contextmanager
def open_member(archive: Path, name: str) -> Iterator[IO[bytes]]:
    """Open one file of an archive without unpacking it.

    Raises:
        UnpackError: The archive is damaged or has no such file.
    """
    with _read(archive) as members:
        found = next((member for member in members if member.name == name), None)
        if found is None:
            raise UnpackError(
                f"{archive} must hold {name}, got no such file; remove it to fetch it again"
            )
        with found.open() as stream:
            yield stream


@contextmanager
def _read(archive: Path) -> Iterator[list[Member]]:
    """Open an archive and list its files; what turns out damaged while they are read is named."""
    try:
        if zipfile.is_zipfile(archive):
            with zipfile.ZipFile(archive) as packed:
                yield _zip_members(packed, archive)
        else:
            with tarfile.open(archive) as tar:
                yield _tar_members(tar, archive)
    except DAMAGE as error:
        raise UnpackError(
            f"{archive} is damaged or no archive ({error}); remove it to fetch it again"
        ) from error


def _zip_members(packed: zipfile.ZipFile, archive: Path) -> list[Member]:
    members = []
    for info in packed.infolist():
        _require_safe(info.filename, archive, is_link=stat.S_ISLNK(info.external_attr >> 16))
        if not info.is_dir():
            members.append(
                Member(info.filename, info.file_size, lambda info=info: packed.open(info))  # type: ignore[misc]  # bound at once
            )
    return members


def _tar_members(tar: tarfile.TarFile, archive: Path) -> list[Member]:
    members = []
    for info in tar:
        _require_safe(info.name, archive, is_link=not (info.isfile() or info.isdir()))
        if info.isfile():
            members.append(Member(info.name, info.size, lambda info=info: _tar_file(tar, info)))  # type: ignore[misc]  # bound at once
    return members


def _tar_file(tar: tarfile.TarFile, info: tarfile.TarInfo) -> IO[bytes]:
    stream = tar.extractfile(info)
    if stream is None:
        raise tarfile.ReadError(f"{info.name} is no file")
    return stream


def _require_safe(name: str, archive: Path, *, is_link: bool) -> None:
    problem = "must be a plain file, got a link or a device" if is_link else name_problem(name)
    if problem is not None:
        raise UnpackError(
            f"{archive} is not unpacked: its member {name!r} {problem}; fetch it from a source "
            "you trust"
        )


def _inside(folder: Path, name: str, archive: Path) -> Path:
    try:
        return safe_path(folder, name)
    except InvalidDataError as error:
        raise UnpackError(f"{archive} is not unpacked: {error}") from error
