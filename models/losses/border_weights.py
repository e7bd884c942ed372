"""U-Net's weight of the pixels between objects that nearly touch.

    w0 exp(-(d1 + d2)^2 / (2 sigma^2))

where d1 and d2 are the distances to the nearest and to the second nearest object, in pixels from
centre to centre; Ronneberger et al. 2015, eq. 2, without its first term, the class weight.
Objects are the areas of one class, connected over the sides of pixels. On objects, and where
there are fewer than two, the weight is 0.
"""

import math

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

REACH = 6.0  # sigmas; where the distances add up to more, the weight is below w0 exp(-18) and 0
NOWHERE = np.float32(np.inf)

Distances = NDArray[np.float32]  # (h, w) pixels


def border_weights(masks: Tensor, label: int, *, w0: float, sigma: float) -> Tensor:
    """Weigh the pixels outside the objects of each label map.

    Args:
        masks: (b, h, w) uint8, on a CPU.
        label: Of the objects.
        w0: Weight where both distances were 0.
        sigma: Pixels.

    Returns:
        (b, h, w) float32, each within 1e-7 w0 of the formula.
    """
    maps = [_border_weights(mask == label, w0=w0, sigma=sigma) for mask in masks.numpy()]
    return torch.from_numpy(np.stack(maps))


def _border_weights(is_object: NDArray[np.bool_], *, w0: float, sigma: float) -> Distances:
    weights = np.zeros(is_object.shape, np.float32)
    nearest, second = _two_nearest(is_object, math.ceil(REACH * sigma))
    is_near = np.isfinite(second) & ~is_object
    sums = _exact(nearest[is_near]) + _exact(second[is_near])
    weights[is_near] = w0 * np.exp(-(sums**2) / (2 * sigma**2))
    return weights


def _two_nearest(is_object: NDArray[np.bool_], reach: int) -> tuple[Distances, Distances]:
    """Return the distances to the two nearest objects.

    Each object is looked at in a window around it: further than `reach` pixels it is absent.
    """
    height, width = is_object.shape
    nearest = np.full((height, width), NOWHERE)
    second = np.full((height, width), NOWHERE)
    count, objects, boxes, _ = cv2.connectedComponentsWithStats(
        is_object.astype(np.uint8), connectivity=4
    )
    for number in range(1, count):
        left, top, wide, high = boxes[number, :4]
        window = (
            slice(max(0, top - reach), min(height, top + high + reach)),
            slice(max(0, left - reach), min(width, left + wide + reach)),
        )
        outside = (objects[window] != number).view(np.uint8)
        distances = cv2.distanceTransform(outside, cv2.DIST_L2, cv2.DIST_MASK_PRECISE)
        closer = nearest[window]
        np.minimum(second[window], np.maximum(closer, distances), out=second[window])
        np.minimum(closer, distances, out=closer)
    return nearest, second


def _exact(distances: Distances) -> NDArray[np.float64]:
    """Undo the rounding to single precision: the square of a distance is a whole number."""
    return np.sqrt(np.rint(np.square(distances, dtype=np.float64)))
