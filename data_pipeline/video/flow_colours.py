"""Optical flow as a picture: the hue says where to, the brightness how far."""

import cv2
import numpy as np
from numpy.typing import NDArray

from data_pipeline.samples import STEPS, STILL

HUES = 180  # of OpenCV's, for the whole circle


def flow_colours(flow: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Draw flow.

    Args:
        flow: (h, w, 2) bytes, right and down, 128 being still.

    Returns:
        (h, w, 3) RGB; black where nothing moves, full where motion is at the bound.
    """
    right, down = np.moveaxis(flow.astype(np.float32) - STILL, -1, 0)
    hue = np.arctan2(down, right) / (2 * np.pi) % 1 * HUES
    value = np.minimum(np.hypot(right, down) / STEPS, 1) * 255
    hsv = np.stack([np.rint(hue) % HUES, np.full_like(hue, 255), np.rint(value)], axis=-1)
    return np.asarray(cv2.cvtColor(hsv.astype(np.uint8), cv2.COLOR_HSV2RGB), np.uint8)
