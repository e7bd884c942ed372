"""What a network says, pixel by pixel, brought back to the picture's own size.

The inverse of `resizing.Placement`, also where a network's output covers only the centre of its
input: what was padded is left out, what was cut off or lies outside is told apart as not seen.
Values are interpolated between pixel centres, with a filter that widens where the picture is
smaller than what the network was given; at equal size they stay as they are, bit for bit.

A large picture is restored in bands of rows, for a value per class and pixel may not fit memory.
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array

from data_pipeline.loading.resizing import Placement, Size

BAND_VALUES = 2**23  # of a band, over all channels; 32 MiB of float32
Maps = NDArray[np.float32]


def row_bands(size_hw: Size, channels: int) -> Iterator[slice]:
    """Yield the rows of a picture, top to bottom, as many at a time as are restored at once."""
    height, width = size_hw
    rows = max(1, BAND_VALUES // (max(1, channels) * width))
    for start in range(0, height, rows):
        yield slice(start, min(height, start + rows))


@dataclass(frozen=True)
class Restorer:
    """Brings (channels, h, w) maps of one network back to one picture."""

    place: Placement
    picture_hw: Size
    output_hw: Size  # of the maps; the centre of the network's input

    @property
    def scale(self) -> tuple[float, float]:
        """Pixels of the picture, down and across, per pixel of the network's input."""
        (height, width), scaled = self.picture_hw, self.place.scaled_hw
        return height / scaled[0], width / scaled[1]

    def band(self, maps: Maps, rows: slice) -> Maps:
        """Return the (channels, rows, width) values of some rows of the picture."""
        channels, height, width = maps.shape
        lines = self._rows.weights[rows] @ maps.transpose(1, 0, 2).reshape(height, -1)
        lines = lines.reshape(-1, width)  # (rows * channels, width)
        pixels = (self._columns.weights @ lines.T).T.reshape(-1, channels, self.picture_hw[1])
        return np.ascontiguousarray(pixels.transpose(1, 0, 2), dtype=np.float32)

    def seen(self, rows: slice) -> NDArray[np.bool_]:
        """Return (rows, width) whether the output covers a pixel of the picture."""
        return self._rows.seen[rows, np.newaxis] & self._columns.seen[np.newaxis]

    @cached_property
    def _rows(self) -> "_Axis":
        return self._axis(0, self.place.top)

    @cached_property
    def _columns(self) -> "_Axis":
        return self._axis(1, self.place.left)

    def _axis(self, axis: int, start: int) -> "_Axis":
        margin = (self.place.canvas_hw[axis] - self.output_hw[axis]) // 2  # as `centre` cuts it
        return _axis(
            self.picture_hw[axis],
            self.place.scaled_hw[axis],
            self.output_hw[axis],
            start=start - margin,
        )


def restored_boxes(xyxy: Maps, place: Placement, picture_hw: Size) -> Maps:
    """Return (n, 4) boxes of a network's input in pixels of the picture, cut to it."""
    height, width = picture_hw
    across, down = width / place.scaled_hw[1], height / place.scaled_hw[0]
    moved = xyxy - np.array([place.left, place.top] * 2, np.float32)
    scaled = moved * np.array([across, down] * 2, np.float32)
    return np.asarray(scaled.clip(0, np.array([width, height] * 2)), np.float32)


@dataclass(frozen=True, slots=True)
class _Axis:
    """How the pixels of one side follow from those of the output."""

    weights: csr_array  # (picture, output) float32, rows add up to 1
    seen: NDArray[np.bool_]  # (picture,)


def _axis(length: int, scaled: int, output: int, *, start: int) -> _Axis:
    """Weigh the output's pixels for each of the picture's.

    Args:
        length: Of the picture's side.
        scaled: Of the same side as the network was given it.
        output: Of the output's side.
        start: Of the scaled picture on the output; negative: cut off.
    """
    scale = scaled / length
    centres = (np.arange(length) + 0.5) * scale - 0.5 + start  # in pixels of the output
    first, last = max(0, start), min(output, start + scaled) - 1  # those that show the picture
    reach = max(1.0, scale)
    taps = np.arange(1 - math.ceil(reach), math.ceil(reach) + 1)
    places = np.floor(centres)[:, np.newaxis] + taps
    weights = np.clip(1 - np.abs(places - centres[:, np.newaxis]) / reach, 0, None)
    weights /= weights.sum(axis=1, keepdims=True)
    # Beyond the edge the last pixel goes on: the padding next to it is no part of the picture.
    columns = places.clip(first, last).astype(np.intp)
    rows = np.repeat(np.arange(length), len(taps))
    matrix = csr_array(
        (weights.ravel().astype(np.float32), (rows, columns.ravel())), shape=(length, output)
    )
    matrix.eliminate_zeros()
    return _Axis(matrix, (centres >= first - 0.5) & (centres < last + 0.5))
