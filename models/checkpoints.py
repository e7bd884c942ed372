"""Checkpoints that survive a kill, a full disk and a torn write; torch-free.

A file appears under its name only when all of it is on disk, and carries a checksum; the newest
readable one wins. What a state is made of is the caller's business: it brings a function that
writes a state and one that reads it.

    Checkpoints.newest ──► states of this and earlier attempts, newest first
    Checkpoints.save   ──► write, then drop all but this and the one before
"""

import io
import logging
import os
import re
import shutil
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

logger = logging.getLogger(__name__)

MAGIC = b"visionstudy checkpoint 1\n"
PARTIAL = ".partial"
NAME = re.compile(r"^checkpoint-(\d{6})-(\d{8})\.ckpt$")


class UnreadableCheckpointError(Exception):
    """A checkpoint is torn, damaged or of another format."""


def write_atomically(file: Path, write: Callable[[BinaryIO], object]) -> None:
    """Let `write` fill a file that appears under its name only when it is whole and on disk.

    Raises:
        OSError: the disk is full or gone; nothing is left behind.
    """
    partial = file.with_name(f".{file.name}{PARTIAL}")
    try:
        with partial.open("wb") as stream:
            write(stream)
            stream.flush()
            os.fsync(stream.fileno())
        partial.replace(file)
    except BaseException:
        partial.unlink(missing_ok=True)
        raise
    _sync_folder(file.parent)


def copy_atomically(source: Path, file: Path) -> None:
    """Copy a file so that it appears whole or not at all."""
    with source.open("rb") as content:
        write_atomically(file, lambda stream: shutil.copyfileobj(content, stream))


@dataclass(frozen=True, slots=True)
class Checkpoints:
    """The checkpoints of a cell, in the folders of all its attempts."""

    folder: Path  # of this attempt; where new ones go
    earlier_folders: tuple[Path, ...]
    dump: Callable[[Any, BinaryIO], None]
    load: Callable[[BinaryIO], Any]  # raises UnreadableCheckpointError

    def save(self, state: object, *, epoch: int, step: int) -> Path:
        """Write the state after `step` steps of the epoch that follows `epoch` finished ones.

        All checkpoints but this and the newest before it are deleted, in earlier attempts'
        folders too: any that claim to be further were unreadable when this attempt started.
        """
        content = io.BytesIO()
        self.dump(state, content)
        body = content.getbuffer()
        file = self.folder / f"checkpoint-{epoch:06d}-{step:08d}.ckpt"

        def write(stream: BinaryIO) -> None:
            stream.write(MAGIC + zlib.crc32(body).to_bytes(4, "big"))
            stream.write(body)

        write_atomically(file, write)
        self._keep(file, before=1)
        return file

    def newest(self) -> Iterator[tuple[Path, Any]]:
        """Yield the files and states that can be read, the furthest first."""
        for file in self._files():
            try:
                yield file, self._read(file)
            except UnreadableCheckpointError as error:
                logger.warning("skipping checkpoint %s: %s", file, error)

    def keep_only(self, file: Path) -> None:
        """Delete every other checkpoint of the cell."""
        self._keep(file, before=0)

    def _read(self, file: Path) -> object:
        try:
            content = file.read_bytes()
        except OSError as error:
            raise UnreadableCheckpointError(f"cannot be read: {error}") from error
        start = len(MAGIC) + 4
        body = memoryview(content)[start:]
        if content[: len(MAGIC)] != MAGIC or len(content) < start:
            raise UnreadableCheckpointError("does not begin as a checkpoint does")
        if zlib.crc32(body) != int.from_bytes(content[len(MAGIC) : start], "big"):
            raise UnreadableCheckpointError("is torn or damaged: its checksum differs")
        return self.load(io.BytesIO(body))

    def _keep(self, file: Path, *, before: int) -> None:
        files = self._files()
        older = [other for other in files if other.name < file.name]
        for other in files:
            if other != file and other not in older[:before]:
                other.unlink(missing_ok=True)
        for folder in self._folders():  # what a kill during a write left behind
            for partial in folder.glob(f".*{PARTIAL}"):
                partial.unlink(missing_ok=True)

    def _files(self) -> list[Path]:
        found = [
            file
            for folder in self._folders()
            for file in folder.iterdir()
            if NAME.match(file.name)
        ]
        return sorted(found, key=lambda file: file.name, reverse=True)

    def _folders(self) -> tuple[Path, ...]:
        folders = (self.folder, *self.earlier_folders)
        return tuple(folder for folder in folders if folder.is_dir())


def _sync_folder(folder: Path) -> None:
    """Make a rename durable; not every file system lets a folder be synced."""
    if os.name == "nt":
        return
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    except OSError as error:
        logger.debug("cannot sync folder %s: %s", folder, error)
    finally:
        os.close(descriptor)
