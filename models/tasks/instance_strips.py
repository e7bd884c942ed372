"""A picture of found objects: image, truth and detections side by side."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from models.metrics.coco_ap import Objects, ScoredImage, decoded
from models.tasks.strips import (
    GAP,
    HEADING,
    PALETTE,
    TILE,
    ByteArray,
    resized,
    save_rows,
    side_by_side,
    write,
)

COLUMNS = ("image", "truth", "found")
LEAST_SCORE = 0.5  # of a detection that is drawn
OPACITY = 0.55  # of a mask over the darkened image
TEXT_SIZE = 0.35
WHITE = (255, 255, 255)


@dataclass(frozen=True, slots=True)
class InstanceProbe:
    """One image whose objects are drawn."""

    image: ByteArray  # (h, w, 3) RGB
    objects: ScoredImage


def save_instance_strip(file: Path, probes: Sequence[InstanceProbe]) -> None:
    """Write one row per probe; detections are drawn from a score of 0.5 on, as PNG."""
    heading = np.zeros((HEADING, len(COLUMNS) * (TILE + GAP), 3), np.uint8)
    for column, title in enumerate(COLUMNS):
        words = f"{title}, score >= {LEAST_SCORE:g}" if title == "found" else title
        write(heading, words, column * (TILE + GAP) + 4)
    save_rows(file, [heading, *(_row(probe) for probe in probes)])


def _row(probe: InstanceProbe) -> ByteArray:
    scored = probe.objects
    is_shown = scored.scores >= LEAST_SCORE
    # The lowest score first, so that the highest is on top.
    order = [int(index) for index in np.flatnonzero(is_shown)[::-1]]
    truth = [int(index) for index in np.flatnonzero(~scored.is_ignored)]
    return side_by_side(
        (
            resized(probe.image, cv2.INTER_AREA),
            _drawn(probe, scored.truth, truth, None),
            _drawn(probe, scored.found, order, scored.scores),
        )
    )


def _drawn(
    probe: InstanceProbe,
    objects: Objects,
    order: Sequence[int],
    scores: NDArray[np.float64] | None,
) -> ByteArray:
    """Draw objects in the colours of their classes, the last one on top."""
    tile = (resized(probe.image, cv2.INTER_AREA) // 2).astype(np.uint8)
    masks = decoded(objects.masks or (), probe.objects.size_hw)
    scale = TILE / np.array(probe.objects.size_hw[::-1] * 2, dtype=np.float64)
    for index in order:
        colour = PALETTE[int(objects.labels[index]) % len(PALETTE)]
        mask = resized(masks[index].astype(np.uint8), cv2.INTER_NEAREST)
        where = mask.astype(np.bool_)
        tile[where] = (OPACITY * np.array(colour) + (1 - OPACITY) * tile[where]).astype(np.uint8)
        outlines, _ = cv2.findContours(mask, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
        cv2.drawContours(tile, outlines, -1, colour, 1)
        left, top, right, bottom = (int(v) for v in objects.boxes_xyxy[index] * scale)
        cv2.rectangle(tile, (left, top), (right, bottom), colour, 1)
        if scores is not None:
            place = (left + 2, max(10, top + 10))
            text = f"{scores[index]:.2f}"
            cv2.putText(tile, text, place, cv2.FONT_HERSHEY_SIMPLEX, TEXT_SIZE, WHITE, 1)
    return tile
