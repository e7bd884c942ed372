"""Put boxes into groups by their overlap, each with a box of its own that stands for it.

The distance of two boxes is 1 - IoU, as in the dimension clusters of YOLOv2 (Redmon & Farhadi
2017, section 2), but of boxes where they lie, not moved to one corner. Nothing is drawn at random:
the groups start from boxes that cover the others best, each chosen for what it adds.
"""

from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

MOST_STARTS = 1_000  # boxes among which the first centres are looked for, evenly from all
MOST_ROUNDS = 50

FloatArray: TypeAlias = NDArray[np.float64]


def box_groups(boxes: FloatArray, count: int) -> FloatArray:
    """Return at most `count` boxes, (k, 4), with the greatest mean IoU with their groups found.

    Args:
        boxes: (n, 4) xyxy with area, at least one.
        count: Groups wanted; there are fewer where fewer boxes differ.
    """
    centres = _first_centres(boxes, count)
    best, best_cover = centres, -1.0
    before = np.empty(0, np.intp)
    for _ in range(MOST_ROUNDS):
        overlaps = pairwise_iou(centres, boxes)
        cover = float(overlaps.max(axis=0).mean())
        if cover > best_cover:
            best, best_cover = centres, cover
        groups = overlaps.argmax(axis=0)
        if np.array_equal(groups, before):
            break
        before = groups
        centres = np.stack([boxes[groups == group].mean(axis=0) for group in np.unique(groups)])
    return best


def pairwise_iou(first: FloatArray, second: FloatArray) -> FloatArray:
    """Return IoU of (k, 4) with (n, 4) boxes, (k, n)."""
    low = np.maximum(first[:, np.newaxis, :2], second[:, :2])
    high = np.minimum(first[:, np.newaxis, 2:], second[:, 2:])
    common = (high - low).clip(min=0).prod(axis=2)
    areas = [(each[:, 2:] - each[:, :2]).prod(axis=1) for each in (first, second)]
    overlaps: FloatArray = common / (areas[0][:, np.newaxis] + areas[1] - common)
    return overlaps


def _first_centres(boxes: FloatArray, count: int) -> FloatArray:
    """Choose boxes one after the other, each the one that adds most to the mean IoU."""
    step = -(-len(boxes) // MOST_STARTS)
    sample = boxes[::step]
    overlaps = pairwise_iou(sample, sample)
    covered = np.zeros(len(sample))
    chosen: list[int] = []
    while len(chosen) < count and covered.min() < 1:
        chosen.append(int(np.maximum(overlaps, covered).sum(axis=1).argmax()))
        covered = np.maximum(covered, overlaps[chosen[-1]])
    return sample[chosen]
