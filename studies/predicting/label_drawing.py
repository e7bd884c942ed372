"""Encode label maps as palette PNGs, draw them over pictures, encode probabilities."""

import io
from collections.abc import Collection, Sequence

import cv2
import numpy as np
from cv2.typing import MatLike
from numpy.typing import NDArray
from PIL import Image

from studies.predicting.colours import Colour, palette

BAND_ROWS = 512  # drawn at a time
LONGEST_JPEG_SIDE = 65_500  # pixels; the format's limit is 65,535, its library's a little lower
JPEG_QUALITY = 92
Bytes = NDArray[np.uint8]


def palette_png(labels: Bytes, colours: Sequence[Colour]) -> bytes:
    """Return a PNG whose pixel values are the (h, w) labels, shown in the classes' colours."""
    picture = Image.fromarray(labels)
    picture.putpalette(palette(colours))
    content = io.BytesIO()
    picture.save(content, format="PNG")
    return content.getvalue()


def draw_over(
    pixels: Bytes, labels: Bytes, colours: Sequence[Colour], *, hidden: Collection[int]
) -> None:
    """Tint a picture by its labels, in place: half the class's colour, all of it at outlines.

    Args:
        pixels: (h, w, 3) RGB.
        labels: (h, w).
        colours: Of each label.
        hidden: Labels at which the picture stays as it is.
    """
    table = np.array(palette(colours), np.uint8).reshape(-1, 3)
    is_shown = np.ones(256, np.bool_)
    is_shown[list(hidden)] = False
    for start in range(0, len(labels), BAND_ROWS):
        rows = slice(start, start + BAND_ROWS)
        band, shown = pixels[rows], is_shown[labels[rows]]
        tint = table[labels[rows]]
        half = (band // 2 + tint // 2).astype(np.uint8)
        drawn = np.where(_outlines(labels, rows)[..., np.newaxis], tint, half)
        np.copyto(band, drawn, where=shown[..., np.newaxis])


def overlay_ending(size_hw: tuple[int, int]) -> str:
    """Return "jpg", or "png" for a picture too long for a JPEG."""
    return "jpg" if max(size_hw) <= LONGEST_JPEG_SIDE else "png"


def overlay_file(pixels: Bytes) -> bytes:
    """Encode an (h, w, 3) RGB picture as `overlay_ending` says."""
    ending = overlay_ending((pixels.shape[0], pixels.shape[1]))
    options = [cv2.IMWRITE_JPEG_QUALITY, JPEG_QUALITY] if ending == "jpg" else []
    return _encoded(f".{ending}", cv2.cvtColor(pixels, cv2.COLOR_RGB2BGR), options)


def probability_png(values: NDArray[np.uint16]) -> bytes:
    """Encode (h, w) probabilities, 65535 for 1, as a grey PNG of 16 bits."""
    return _encoded(".png", values, [])


def _outlines(labels: Bytes, rows: slice) -> NDArray[np.bool_]:
    """Return (rows, w) whether the pixel to the right or below has another label."""
    band = labels[rows]
    below = labels[rows.start + 1 : rows.stop + 1]
    edges = np.zeros(band.shape, np.bool_)
    edges[:, :-1] |= band[:, :-1] != band[:, 1:]
    edges[: len(below)] |= band[: len(below)] != below
    return edges


def _encoded(ending: str, pixels: MatLike, options: Sequence[int]) -> bytes:
    is_encoded, content = cv2.imencode(ending, pixels, list(options))
    if not is_encoded:
        raise OSError(f"OpenCV could not encode a picture of shape {pixels.shape} as {ending}")
    return bytes(content)
