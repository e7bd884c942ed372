"""Cut what is in boxes out of a frame."""

import cv2
import numpy as np
from numpy.typing import NDArray

Picture = NDArray[np.uint8]


def box_pictures(
    frame: Picture, boxes_xyxy: NDArray[np.floating], size_hw: tuple[int, int]
) -> Picture:
    """Return what is in boxes, each stretched to one size.

    Args:
        frame: (h, w, 3) uint8.
        boxes_xyxy: (n, 4), pixels. Of a box only what is in the frame is cut out, at least
            a pixel at its border.
        size_hw: Of the result, pixels.

    Returns:
        (n, *size_hw, 3) uint8.

    Raises:
        ValueError: The frame or the boxes have another shape.
    """
    if frame.ndim != 3 or frame.shape[2] != 3 or frame.dtype != np.uint8 or not frame.size:
        raise ValueError(
            f"frame must be (h, w, 3) uint8, got {frame.shape} {frame.dtype}; give RGB pixels"
        )
    boxes = np.asarray(boxes_xyxy, dtype=np.float64).reshape(-1, 4)
    height, width = frame.shape[:2]
    pictures = np.empty((len(boxes), *size_hw, 3), np.uint8)
    for picture, (x1, y1, x2, y2) in zip(pictures, boxes, strict=True):
        left, right = _pixels(x1, x2, width)
        top, bottom = _pixels(y1, y2, height)
        cut = np.ascontiguousarray(frame[top:bottom, left:right])
        picture[:] = cv2.resize(cut, size_hw[::-1], interpolation=cv2.INTER_LINEAR)
    return pictures


def _pixels(low: float, high: float, size: int) -> tuple[int, int]:
    """Return the first pixel between two edges and the one after the last."""
    first = int(np.clip(np.floor(low), 0, size - 1))
    return first, int(np.clip(np.ceil(high), first + 1, size))
