"""The pictures of a video, in order: a folder of them, or a video file."""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from data_pipeline.datasets.picture_names import pictures_in
from data_pipeline.errors import DataError
from data_pipeline.images import read_image
from data_pipeline.video.streaming import streamed
from studies.tracking.mot_text import UnusableTracksError

Picture = NDArray[np.uint8]  # (h, w, 3) RGB


@contextmanager
def each_picture(source: Path) -> Iterator[Iterator[Picture]]:
    """Open a video or a folder; the pictures of a folder come by name, 10 after 9.

    Raises:
        UnusableTracksError: There is no picture, or one cannot be read.
    """
    try:
        if source.is_dir():
            names = sorted(pictures_in(source).values(), key=_counted)
            if not names:
                raise UnusableTracksError(
                    f"{source} must hold the pictures of a video, got none; name another folder"
                )
            yield (read_image(source / name) for name in names)
        else:
            with streamed(source) as stream:
                yield (frame.pixels() for frame in stream)
    except DataError as error:
        raise UnusableTracksError(str(error)) from error


def _counted(name: str) -> tuple[tuple[tuple[str, int], ...], str]:
    """Return what sorts names by the numbers in them, whatever their width."""
    parts = re.findall(r"(\D*)(\d*)", name)
    return tuple((text, int(digits or -1)) for text, digits in parts), name
