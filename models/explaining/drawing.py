"""Draw maps over pictures, channels as a grid, and how much a colour means.

Dark is 0 and bright the scale's end. Brightness rises evenly, so that a map can be read in print
and with any kind of colour vision.
"""

import math
from collections.abc import Sequence

import cv2
import numpy as np
from numpy.typing import NDArray

from models.explaining.channels import Channels
from models.tasks.strips import GAP, HEADING, ByteArray, side_by_side, write

SIDE = 320  # pixels of the longer side of a tile
SCALE_WIDTH = 96  # pixels, of the scale and its words
CELL = 96  # pixels of a channel's sides in a grid
MOST_COLUMNS = 8
Floats = NDArray[np.float32]


def heat(values: Floats, *, end: float) -> ByteArray:
    """Colour (h, w) values, black at 0 and light yellow at `end`; (h, w, 3) RGB."""
    return _coloured(_bytes(values, end), cv2.COLORMAP_INFERNO)


def whiteness(values: Floats, *, end: float) -> ByteArray:
    """Turn (h, w) values grey, white at `end`; (h, w, 3) RGB."""
    return np.repeat(_bytes(values, end)[..., np.newaxis], 3, axis=2)


def overlay(pixels: ByteArray, drawn: ByteArray) -> ByteArray:
    """Lay a drawn map over the grey of a picture of the same size, half of each."""
    grey = cv2.cvtColor(cv2.cvtColor(pixels, cv2.COLOR_RGB2GRAY), cv2.COLOR_GRAY2RGB)
    return cv2.addWeighted(grey, 0.5, drawn, 0.5, 0).astype(np.uint8)


def tile(pixels: ByteArray, *, side: int = SIDE) -> ByteArray:
    """Bring a picture to tiles' size; what is enlarged much shows its pixels as squares."""
    height, width = pixels.shape[:2]
    factor = side / max(height, width)
    size = max(1, round(width * factor)), max(1, round(height * factor))
    method = cv2.INTER_AREA if factor <= 1 else cv2.INTER_LINEAR
    method = cv2.INTER_NEAREST if factor >= 4 else method
    return cv2.resize(pixels, size, interpolation=method).astype(np.uint8)


def panel(tiles: Sequence[ByteArray], lines: Sequence[str]) -> ByteArray:
    """Put tiles of one height side by side under lines of words; what is wider is cut off."""
    row = side_by_side(tiles)
    words = [np.zeros((HEADING, row.shape[1], 3), np.uint8) for _ in lines]
    for line, text in zip(words, lines, strict=True):
        write(line, text, GAP)
    return np.concatenate([*words, row])


def scale(height: int, *, end: float, is_grey: bool = False) -> ByteArray:
    """Draw what the colours between 0 and `end` are, `height` pixels high."""
    values = np.linspace(end, 0, height, dtype=np.float32)[:, np.newaxis].repeat(16, axis=1)
    bar = whiteness(values, end=end) if is_grey else heat(values, end=end)
    drawn = np.zeros((height, SCALE_WIDTH, 3), np.uint8)
    drawn[:, :16] = bar
    for value, base in ((end, 12), (0.0, height - 3)):
        place = (20, base)
        white = (255, 255, 255)
        cv2.putText(
            drawn, f"{value:.2g}", place, cv2.FONT_HERSHEY_SIMPLEX, 0.42, white, 1, cv2.LINE_AA
        )
    return drawn


def channel_grid(channels: Channels) -> ByteArray:
    """Draw maps or filters in rows, each from its own lowest value to its highest, numbered."""
    cells = [
        _cell(values, number)
        for values, number in zip(channels.values, channels.numbers, strict=True)
    ]
    columns = min(MOST_COLUMNS, math.ceil(math.sqrt(len(cells))))
    empty = [np.zeros_like(cells[0])] * (-len(cells) % columns)
    padded = [np.pad(cell, ((0, GAP), (0, GAP), (0, 0))) for cell in (*cells, *empty)]
    rows = [padded[start : start + columns] for start in range(0, len(padded), columns)]
    return np.concatenate([np.concatenate(row, axis=1) for row in rows])


def _cell(values: Floats, number: int) -> ByteArray:
    low, high = float(values.min()), float(values.max())
    shown = _bytes(values - low, high - low)
    colours = shown if shown.ndim == 3 else _coloured(shown, cv2.COLORMAP_VIRIDIS)
    drawn = np.zeros((CELL + 14, CELL, 3), np.uint8)
    drawn[14:] = cv2.resize(colours, (CELL, CELL), interpolation=cv2.INTER_NEAREST)
    place, white = (2, 11), (255, 255, 255)
    cv2.putText(drawn, str(number), place, cv2.FONT_HERSHEY_SIMPLEX, 0.38, white, 1, cv2.LINE_AA)
    return drawn


def _bytes(values: Floats, end: float) -> ByteArray:
    """Return values from 0 to `end` as 0 to 255; all 0 where there is no end."""
    if end <= 0:
        return np.zeros(values.shape, np.uint8)
    return (values / end * 255).clip(0, 255).round().astype(np.uint8)


def _coloured(values: ByteArray, colours: int) -> ByteArray:
    drawn = cv2.applyColorMap(values, colours)
    return cv2.cvtColor(drawn, cv2.COLOR_BGR2RGB).astype(np.uint8)
