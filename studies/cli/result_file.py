"""A file that a verb is asked to write besides what it prints."""

import os
from pathlib import Path

from models.checkpoints import write_atomically
from studies.cli.reading import fail


def check_result_file(option: str, file: Path) -> None:
    """Look whether a file can be written, before the work that it is the result of.

    Raises:
        typer.Exit: It cannot; why is on stderr.
    """
    try:
        is_folder, has_folder = file.is_dir(), file.parent.is_dir()
    except OSError as error:  # such as a name that is too long
        raise _unwritable(option, file, error) from error
    if is_folder:
        raise fail(f"{option} must be a file, got the folder {file}")
    if not has_folder:
        raise fail(
            f"{option} {file} must be in a folder that is there; make {file.parent} or correct it"
        )
    is_written_to = _is_no_file_of_its_own(file) and file.exists()
    if not os.access(file if is_written_to else file.parent, os.W_OK):
        raise fail(f"{option} {file} must be in a place that may be written to; name another")


def make_place_of(option: str, file: Path) -> None:
    """Make the folder that a file is to be in, and look whether the file can be written there.

    Raises:
        typer.Exit: It cannot; why is on stderr.
    """
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise _unwritable(option, file, error) from error
    check_result_file(option, file)


def write_result_file(option: str, file: Path, content: bytes) -> None:
    """Write a file, whole or not at all; a device or what a link names is written straight.

    Raises:
        typer.Exit: The disk is full or gone; that is on stderr.
    """
    try:
        if _is_no_file_of_its_own(file):
            file.write_bytes(content)
        else:
            write_atomically(file, lambda stream: stream.write(content))
    except OSError as error:
        raise _unwritable(option, file, error) from error


def _is_no_file_of_its_own(file: Path) -> bool:
    """Whether it must not be replaced by another file: /dev/stdout, a link, a pipe."""
    return file.is_symlink() or (file.exists() and not file.is_file())


def _unwritable(option: str, file: Path, error: OSError) -> Exception:
    return fail(f"cannot write {option} {file}: {error.strerror}; name another place")
