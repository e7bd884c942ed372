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


@dataclass(frozen=True, slots=True)
class Probe:
    """One image whose prediction is drawn."""

    image: ByteArray  # (h, w, 3) RGB
    truth: BoolArray  # (classes, h, w)
    prediction: BoolArray  # (classes, h, w)
    valid: BoolArray  # (h, w) False where unlabelled


def save_strip(file: Path, probes: Sequence[Probe]) -> None:
    """Write one row per probe under a heading with the colours' meaning, as PNG."""
    rows = [_heading(), *(_row(probe) for probe in probes)]
    picture = np.concatenate([np.pad(row, ((0, GAP), (0, 0), (0, 0))) for row in rows])
    written, content = cv2.imencode(".png", picture[..., ::-1])
    if not written:
        raise OSError(f"OpenCV could not encode the prediction strip {file} as PNG")
    write_atomically(file, lambda stream: stream.write(content.tobytes()))


def _heading() -> ByteArray:
    heading = np.zeros((HEADING, _width(), 3), np.uint8)
    for column, title in enumerate(COLUMNS[:-1]):
        _write(heading, title, column * (TILE + GAP) + 4)
    start = (len(COLUMNS) - 1) * (TILE + GAP)
    legend = (("found", RIGHT, 4), ("false", FALSE_FIND, 68), ("missed", MISSED, 126))
    for word, colour, offset in legend:
        _write(heading, word, start + offset, colour)
    return heading


def _write(
    picture: ByteArray, text: str, left: int, colour: tuple[int, int, int] = (255, 255, 255)
) -> None:
    cv2.putText(picture, text, (left, 19), cv2.FONT_HERSHEY_SIMPLEX, 0.5, colour, 1, cv2.LINE_AA)


def _row(probe: Probe) -> ByteArray:
    grey = cv2.cvtColor(cv2.cvtColor(probe.image, cv2.COLOR_RGB2GRAY), cv2.COLOR_GRAY2RGB)
    background = (grey // 3).astype(np.uint8)
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
        _resize(probe.image, cv2.INTER_AREA),
        _resize(_paint(background, probe.truth, probe.valid), cv2.INTER_NEAREST),
        _resize(_paint(background, probe.prediction, probe.valid), cv2.INTER_NEAREST),
        _resize(errors, cv2.INTER_NEAREST),
    )
    padded = [np.pad(tile, ((0, 0), (0, GAP), (0, 0))) for tile in tiles]
    return np.concatenate(padded, axis=1)


def _paint(background: ByteArray, classes: BoolArray, valid: BoolArray) -> ByteArray:
    painted = background.copy()
    for index, where in enumerate(classes):
        painted[where & valid] = PALETTE[index % len(PALETTE)]
    return painted


def _resize(picture: ByteArray, interpolation: int) -> ByteArray:
    return cv2.resize(picture, (TILE, TILE), interpolation=interpolation).astype(np.uint8)


def _width() -> int:
    return len(COLUMNS) * (TILE + GAP)
