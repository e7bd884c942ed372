"""Describe what is in a box by its colours: no weights, the same numbers everywhere.

A histogram of hue and saturation in each of some bands, one below the other: of a person about
hair, shirt, trousers, shoes. Descriptors are roots of shares, so that the cosine of two is the
Bhattacharyya coefficient of their histograms. It tells apart people in unlike clothes, in one
light; `NetworkAppearanceSettings` with trained weights is for more.
"""

import cv2
import numpy as np
from numpy.typing import NDArray

from models.tracking.appearance import Appearance
from models.tracking.box_pictures import Picture, box_pictures
from models.tracking.settings import ColourAppearanceSettings

SIZE_HW = (64, 32)  # that pictures are brought to, so that each counts the same pixels
HUES, SATURATIONS = 180, 256  # values of OpenCV's 8-bit HSV


def build_colour_appearance(settings: ColourAppearanceSettings, device: str) -> Appearance:  # noqa: ARG001
    """Return what describes boxes by bands * bins² numbers; it computes on the CPU."""

    def describe(frame: Picture, boxes_xyxy: NDArray[np.floating]) -> NDArray[np.float32]:
        pictures = box_pictures(frame, boxes_xyxy, SIZE_HW)
        rows = [_descriptor(picture, settings) for picture in pictures]
        size = settings.bands * settings.bins**2
        return np.array(rows, dtype=np.float32).reshape(-1, size)

    return describe


def _descriptor(picture: Picture, settings: ColourAppearanceSettings) -> NDArray[np.float32]:
    coloured = cv2.cvtColor(picture, cv2.COLOR_RGB2HSV)
    bins = [settings.bins, settings.bins]
    histograms = [
        cv2.calcHist([band], [0, 1], None, bins, [0, HUES, 0, SATURATIONS]).ravel()
        for band in np.array_split(coloured, settings.bands)
    ]
    shares = np.concatenate(histograms) / picture[..., 0].size
    roots: NDArray[np.float32] = np.sqrt(shares).astype(np.float32)
    return roots
