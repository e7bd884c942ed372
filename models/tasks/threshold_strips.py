"""A picture of the same images at several thresholds, the IoU under each.

The thesis's Table 12 shows its car network so, at thresholds 0.2, 0.4 and 0.6.
"""

from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np

from models.tasks.strips import (
    GAP,
    HEADING,
    TILE,
    BoolArray,
    ByteArray,
    Probe,
    darkened,
    painted,
    resized,
    save_rows,
    side_by_side,
    write,
)

THRESHOLDS = (0.2, 0.4, 0.6)
MOST_PROBES = 4  # rows; the thesis shows two


def save_threshold_strip(
    file: Path, probes: Sequence[Probe], thresholds: Sequence[float] = THRESHOLDS
) -> None:
    """Write one row per probe: image, truth, and what is found at each threshold, as PNG.

    Args:
        file: Where to.
        probes: Each with probabilities; the first ones are drawn.
        thresholds: In (0, 1).
    """
    titles = ["image", "truth", *(f"threshold {threshold:g}" for threshold in thresholds)]
    rows = [_row(probe, thresholds) for probe in probes[:MOST_PROBES]]
    save_rows(file, [_line(titles), *rows])


def picture_iou(found: BoolArray, truth: BoolArray, valid: BoolArray) -> float | None:
    """Return the mean over the classes that are there or found, each (classes, h, w), or None."""
    both = (found & truth & valid).sum(axis=(1, 2))
    either = ((found | truth) & valid).sum(axis=(1, 2))
    counted = either > 0
    return float((both[counted] / either[counted]).mean()) if counted.any() else None


def _row(probe: Probe, thresholds: Sequence[float]) -> ByteArray:
    if probe.probabilities is None:
        raise ValueError("a probe drawn at several thresholds must have probabilities, got none")
    background = darkened(probe.image)
    found = [probe.probabilities >= threshold for threshold in thresholds]
    maps = [painted(background, each, probe.valid) for each in (probe.truth, *found)]
    tiles = [resized(probe.image, cv2.INTER_AREA)]
    tiles += [resized(each, cv2.INTER_NEAREST) for each in maps]
    ious = [picture_iou(each, probe.truth, probe.valid) for each in found]
    words = ["nothing to find" if iou is None else f"IoU {iou:.2f}" for iou in ious]
    return np.concatenate([side_by_side(tiles), _line(["", "", *words])])


def _line(texts: Sequence[str]) -> ByteArray:
    line = np.zeros((HEADING, len(texts) * (TILE + GAP), 3), np.uint8)
    for column, text in enumerate(texts):
        write(line, text, column * (TILE + GAP) + 4)
    return line
