"""What every task's writer of predictions does alike."""

from collections.abc import Container, Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryFile
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from models.checkpoints import write_atomically
from studies.predicting.networks import View

# In which every picture's files are.
FOLDERS = ("labels", "objects", "classes", "overlays", "probabilities")
RESULTS, TABLE = "coco_results.json", "objects.csv"  # of all pictures together
CLASS_TABLE = "classes.csv"  # the same


class UnwritableOutputError(Exception):
    """The output folder cannot be written to."""


class Writer(Protocol):
    """What a task leaves of pictures."""

    def files(self, name: str, size_hw: tuple[int, int]) -> dict[str, str]:
        """Return role -> file of a picture in one of `FOLDERS`, relative to the output folder.

        The first is the prediction itself.
        """

    def write(
        self, folder: Path, name: str, pixels: NDArray[np.uint8], *, views: Sequence[View]
    ) -> dict[str, Any]:
        """Write a picture's files; return what `predictions.json` says of it."""

    def finish(self, folder: Path, images: Sequence[dict[str, Any]]) -> None:
        """Write what is of all pictures together; may add to what is said of each."""


def of_all_pictures(files: Container[str]) -> tuple[str, ...]:
    """Return the files of all pictures together, where one has files of such roles."""
    if "classes" in files:
        return (CLASS_TABLE,)
    return (RESULTS, TABLE) if "objects" in files else ()


def written_in(writer: Writer) -> list[str]:
    """Return the files and folders that a writer leaves in the output folder."""
    files = writer.files("any", (1, 1))
    folders = {file.partition("/")[0] for file in files.values()}
    return sorted(folders.union(of_all_pictures(files)))


def make_folder(folder: Path) -> None:
    """Make the output folder, and see that it can be written to.

    Raises:
        UnwritableOutputError: It cannot.
    """
    with writing(folder):
        folder.mkdir(parents=True, exist_ok=True)
        with TemporaryFile(dir=folder):
            pass


def write_file(file: Path, content: bytes) -> None:
    """Write a file, whole or not at all, and the folders that it is in.

    Raises:
        UnwritableOutputError: The disk is full or gone.
    """
    with writing(file):
        file.parent.mkdir(parents=True, exist_ok=True)
        write_atomically(file, lambda stream: stream.write(content))


def delete_files(folder: Path, files: Iterable[str]) -> None:
    """Delete files by their paths in a folder; a path that leads out of it is left alone.

    Raises:
        UnwritableOutputError: One cannot be deleted.
    """
    inside = folder.resolve()
    for file in (inside / each for each in files):
        if file.is_file() and file.resolve().is_relative_to(inside):
            with writing(file):
                file.unlink()


@contextmanager
def writing(place: Path) -> Iterator[None]:
    """Turn what the system says of an output into a sentence.

    Raises:
        UnwritableOutputError: It cannot be written.
    """
    try:
        yield
    except OSError as error:
        reason = "it is a file" if isinstance(error, FileExistsError) else error.strerror
        raise UnwritableOutputError(
            f"cannot write to {place}: {reason}; correct that, or name another folder by --output"
        ) from error
