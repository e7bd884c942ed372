"""Colour spaces that differ in what of the light they leave out (Uijlings et al. 2013)."""

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Literal

import cv2
import numpy as np
from numpy.typing import NDArray

ColourSpace = Literal["hsv", "lab", "rgi", "h", "i"]
Picture = NDArray[np.float32]  # (h, w, c), each channel from 0 to 255


def in_space(rgb: NDArray[np.uint8], space: ColourSpace) -> Picture:
    """Return an (h, w, 3) picture in another colour space."""
    return np.atleast_3d(SPACES[space](rgb)).astype(np.float32)


def _hsv(rgb: NDArray[np.uint8]) -> NDArray[np.generic]:
    return cv2.cvtColor(rgb, cv2.COLOR_RGB2HSV_FULL)


def _lab(rgb: NDArray[np.uint8]) -> NDArray[np.generic]:
    return cv2.cvtColor(rgb, cv2.COLOR_RGB2LAB)


def _rgi(rgb: NDArray[np.uint8]) -> NDArray[np.generic]:
    """Red and green as shares of all light, and the light."""
    total = rgb.sum(axis=-1, dtype=np.float64)
    shares = 255 * rgb[..., :2] / np.maximum(total, 1)[..., None]
    return np.dstack([shares, total / 3])


def _hue(rgb: NDArray[np.uint8]) -> NDArray[np.generic]:
    return _hsv(rgb)[..., :1]


def _intensity(rgb: NDArray[np.uint8]) -> NDArray[np.generic]:
    return cv2.cvtColor(rgb, cv2.COLOR_RGB2GRAY)


SPACES: Mapping[ColourSpace, Callable[[NDArray[np.uint8]], NDArray[np.generic]]] = (
    MappingProxyType({"hsv": _hsv, "lab": _lab, "rgi": _rgi, "h": _hue, "i": _intensity})
)
