"""Draw what was found in a picture beside the picture."""

from collections.abc import Sequence

import cv2
import numpy as np
from numpy.typing import NDArray

from data_pipeline.loading.resizing import Placement
from data_pipeline.loading.restoring import Restorer
from models.explaining.channels import Channels
from models.explaining.drawing import (
    channel_grid,
    heat,
    overlay,
    panel,
    scale,
    tile,
    whiteness,
)
from models.tasks.strips import ByteArray

WORDS_WIDTH = 480  # pixels, at least, so that the words over a small grid can be read


def over_picture(
    values: NDArray[np.float32], place: Placement, size_hw: tuple[int, int]
) -> NDArray[np.float32]:
    """Bring a map over the network's input to a picture of any size; 0 where it saw nothing.

    Args:
        values: (h, w), of any size; its places cover the whole input.
        place: Of the picture on the input.
        size_hw: Of the picture as it is drawn, pixels.
    """
    height, width = place.canvas_hw
    spread = cv2.resize(values, (width, height), interpolation=cv2.INTER_LINEAR)
    restorer = Restorer(place, size_hw, place.canvas_hw)
    rows = slice(0, size_hw[0])
    restored = restorer.band(spread[np.newaxis].astype(np.float32), rows)[0]
    return np.asarray(restored * restorer.seen(rows), np.float32)


def map_panel(
    pixels: ByteArray, values: NDArray[np.float32], lines: Sequence[str], *, is_grey: bool
) -> ByteArray:
    """Return the picture, the map over it and its scale, side by side under words.

    Args:
        pixels: (h, w, 3) RGB, of a tile's size.
        values: (h, w) of the same size.
        lines: Of words.
        is_grey: Show the map by itself, white where it is most, as the thesis shows attention.
    """
    end = float(values.max())
    drawn = whiteness(values, end=end) if is_grey else overlay(pixels, heat(values, end=end))
    return panel((pixels, drawn, scale(len(pixels), end=end, is_grey=is_grey)), lines)


def channels_panel(
    pixels: ByteArray | None, channels: Channels, lines: Sequence[str]
) -> ByteArray:
    """Return a grid of channels under words, beside the picture where there is one."""
    grid = channel_grid(channels)
    tiles = [grid] if pixels is None else [tile(pixels), grid]
    height = max(len(each) for each in tiles)
    padded = [np.pad(each, ((0, height - len(each)), (0, 0), (0, 0))) for each in tiles]
    missing = max(0, WORDS_WIDTH - sum(each.shape[1] for each in padded))
    padded[-1] = np.pad(padded[-1], ((0, 0), (0, missing), (0, 0)))
    return panel(padded, lines)
