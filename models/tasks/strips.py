"""A picture of predictions: image, truth, prediction and error side by side."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from models.checkpoints import write_atomically

COLUMNS = ("image", "truth", "prediction", "error")
TILE = 192  # pixels; small images are enlarged, large ones reduced
GAP = 6
HEADING = 28
# RGB; colours of Okabe and Ito, told apart with any kind of colour vision.
RIGHT, FALSE_FIND, MISSED = (0, 158, 115), (213, 94, 0), (86, 180, 233)
PALETTE = (
    (230, 159, 0),
    (86, 180, 233),
    (0, 158, 115),
    (240, 228, 66),
    (0, 114, 178),
    (213, 94, 0),
    (204, 121, 167),
)

ByteArray = NDArray[np.uint8]
BoolArray = NDArray[np.bool_]


FloatArray = NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Probe:
    """One image whose prediction is drawn."""

    image: ByteArray  # (h, w, 3) RGB
    truth: BoolArray  # (classes, h, w)
    prediction: BoolArray  # (classes, h, w)
    valid: BoolArray  # (h, w) False where unlabelled
    probabilities: FloatArray | None = None  # (classes, h, w); None: of a softmax


def save_strip(file: Path, probes: Sequence[Probe]) -> None:
    """Write one row per probe under a heading with the colours' meaning, as PNG."""
    save_rows(file, [_heading(), *(_row(probe) for probe in probes)])


def save_rows(file: Path, rows: Sequence[ByteArray]) -> None:
    """Write pictures of one width below each other, as PNG.

    Raises:
        OSError: the disk is full, or the picture cannot be encoded.
    """
    picture = np.concatenate([np.pad(row, ((0, GAP), (0, 0), (0, 0))) for row in rows])
    level = [cv2.IMWRITE_PNG_COMPRESSION, 6]  # a quarter of the size that OpenCV's own choice has
    written, content = cv2.imencode(".png", picture[..., ::-1], level)
    if not written:
        raise OSError(f"OpenCV could not encode {file} as PNG")
    write_atomically(file, lambda stream: stream.write(content.tobytes()))


def _heading() -> ByteArray:
    heading = np.zeros((HEADING, _width(), 3), np.uint8)
    for column, title in enumerate(COLUMNS[:-1]):
        write(heading, title, column * (TILE + GAP) + 4)
    start = (len(COLUMNS) - 1) * (TILE + GAP)
    legend = (("found", RIGHT, 4), ("false", FALSE_FIND, 68), ("missed", MISSED, 126))
    for word, colour, offset in legend:
        write(heading, word, start + offset, colour)
    return heading


def write(
    picture: ByteArray, text: str, left: int, colour: tuple[int, int, int] = (255, 255, 255)
) -> None:
    """Write a line of text into the top of a picture."""
    cv2.putText(picture, text, (left, 19), cv2.FONT_HERSHEY_SIMPLEX, 0.5, colour, 1, cv2.LINE_AA)


def _row(probe: Probe) -> ByteArray:
    background = darkened(probe.image)
    hits = probe.truth & probe.prediction
    layers = {
        FALSE_FIND: (probe.prediction & ~probe.truth).any(axis=0) & probe.valid,
        MISSED: (probe.truth & ~probe.prediction).any(axis=0) & probe.valid,
        RIGHT: hits.any(axis=0) & probe.valid,
    }
    errors = background.copy()
    for colour, where in layers.items():
        errors[where] = colour
    tiles = (
        resized(probe.image, cv2.INTER_AREA),
        resized(painted(background, probe.truth, probe.valid), cv2.INTER_NEAREST),
        resized(painted(background, probe.prediction, probe.valid), cv2.INTER_NEAREST),
        resized(errors, cv2.INTER_NEAREST),
    )
    return side_by_side(tiles)


def side_by_side(tiles: Sequence[ByteArray]) -> ByteArray:
    """Join pictures of one height, a gap to the right of each."""
    return np.concatenate([np.pad(tile, ((0, 0), (0, GAP), (0, 0))) for tile in tiles], axis=1)


def darkened(image: ByteArray) -> ByteArray:
    """Turn a picture grey and dark, to paint classes on."""
    grey = cv2.cvtColor(cv2.cvtColor(image, cv2.COLOR_RGB2GRAY), cv2.COLOR_GRAY2RGB)
    return (grey // 3).astype(np.uint8)


def painted(background: ByteArray, classes: BoolArray, valid: BoolArray) -> ByteArray:
    """Paint each class in its colour; the last one is on top.

    Args:
        background: (h, w, 3), stays as it is.
        classes: (classes, h, w).
        valid: (h, w); what is not stays unpainted.
    """
    picture = background.copy()
    for index, where in enumerate(classes):
        picture[where & valid] = PALETTE[index % len(PALETTE)]
    return picture


def resized(picture: ByteArray, interpolation: int) -> ByteArray:
    """Bring a picture to the size of a tile."""
    return cv2.resize(picture, (TILE, TILE), interpolation=interpolation).astype(np.uint8)


def _width() -> int:
    return len(COLUMNS) * (TILE + GAP)
