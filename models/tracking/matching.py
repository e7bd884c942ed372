"""Which detection is of which track: pairs at the least cost in all."""

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import linear_sum_assignment

from models.tracking.tracker import Labels, Numbers

Pairs = list[tuple[int, int]]  # (track, detection), by track


def cheapest_pairs(costs: Numbers, allowed: NDArray[np.bool_]) -> Pairs:
    """Pair rows with columns at the least sum of costs (Kuhn 1955), and keep what is allowed.

    Args:
        costs: (tracks, detections), finite.
        allowed: The same shape: which pairs may be.
    """
    rows, columns = linear_sum_assignment(costs)
    pairs = zip(rows.tolist(), columns.tolist(), strict=True)
    return [(row, column) for row, column in pairs if allowed[row, column]]


def overlaps(first_xyxy: Numbers, second_xyxy: Numbers) -> Numbers:
    """Return the IoU (m, n) of boxes (m, 4) and (n, 4); 0 where neither has an area."""
    low = np.maximum(first_xyxy[:, None, :2], second_xyxy[None, :, :2])
    high = np.minimum(first_xyxy[:, None, 2:], second_xyxy[None, :, 2:])
    shared = np.clip(high - low, 0, None).prod(axis=2)
    together = _areas(first_xyxy)[:, None] + _areas(second_xyxy)[None] - shared
    shares: Numbers = np.divide(shared, together, out=np.zeros_like(shared), where=together > 0)
    return shares


def same_label(first: Labels, second: Labels) -> NDArray[np.bool_]:
    """Return (m, n): where labels (m,) and (n,) are equal."""
    equal: NDArray[np.bool_] = first[:, None] == second[None]
    return equal


def _areas(boxes_xyxy: Numbers) -> Numbers:
    areas: Numbers = (boxes_xyxy[:, 2:] - boxes_xyxy[:, :2]).prod(axis=1)
    return areas
