"""What every task's writer of predictions does alike."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from models.checkpoints import write_atomically
from studies.predicting.networks import View


class Writer(Protocol):
    """What a task leaves of pictures."""

    def files(self, name: str, size_hw: tuple[int, int]) -> dict[str, str]:
        """Return role -> file of a picture, relative to the output folder."""

    def write(
        self, folder: Path, name: str, pixels: NDArray[np.uint8], *, views: Sequence[View]
    ) -> dict[str, Any]:
        """Write a picture's files; return what `predictions.json` says of it."""

    def finish(self, folder: Path, images: Sequence[dict[str, Any]]) -> None:
        """Write what is of all pictures together; may add to what is said of each."""


def write_file(file: Path, content: bytes) -> None:
    """Write a file, whole or not at all, and the folders that it is in."""
    file.parent.mkdir(parents=True, exist_ok=True)
    write_atomically(file, lambda stream: stream.write(content))
