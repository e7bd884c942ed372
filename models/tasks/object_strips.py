"""A picture of found objects: image, truth and detections side by side.

Where there are boxes alone, those of objects that were missed and of detections that are wrong
are crossed out, at IoU 0.5 and with the detections that are drawn.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from models.metrics.coco_ap import decoded
from models.metrics.detection_decisions import from_score
from models.metrics.matching import NONE, coco_matches
from models.metrics.scored_images import Objects, ScoredImage
from models.tasks.object_probes import ObjectProbe
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

OPACITY = 0.55  # of a mask over the darkened image
TEXT_SIZE = 0.35
WHITE = (255, 255, 255)
IOU = 0.5  # from which a detection finds an object


@dataclass(frozen=True, slots=True)
class Drawing:
    """Objects of a tile."""

    objects: Objects
    texts: Sequence[str]  # of each object
    is_shown: NDArray[np.bool_]  # (n,)
    is_crossed: NDArray[np.bool_]  # (n,)


def save_object_strip(
    file: Path, probes: Sequence[ObjectProbe], *, class_names: Sequence[str], least_score: float
) -> None:
    """Write one row per probe, as PNG.

    Args:
        file: Where to.
        probes: Of a split.
        class_names: In label order.
        least_score: Of a detection that is drawn.
    """
    has_masks = any(probe.objects.truth.masks is not None for probe in probes)
    found = f"found >= {least_score:g}"
    titles = ("truth", found) if has_masks else ("truth, x missed", f"{found}, x false")
    heading = np.zeros((HEADING, 3 * (TILE + GAP), 3), np.uint8)
    for column, title in enumerate(("image", *titles)):
        write(heading, title, column * (TILE + GAP) + 4)
    rows = [_row(probe, class_names, least_score) for probe in probes]
    save_rows(file, [heading, *rows])


def _row(probe: ObjectProbe, class_names: Sequence[str], least_score: float) -> ByteArray:
    scored = from_score(probe.objects, least_score)
    missed, wrong = _mistakes(scored)
    words = [class_names[label] for label in scored.found.labels]
    scores = [f"{word} {score:.2f}" for word, score in zip(words, scored.scores, strict=True)]
    truth = Drawing(scored.truth, [""] * len(scored.truth.labels), ~scored.is_ignored, missed)
    found = Drawing(scored.found, scores, np.ones(len(scores), np.bool_), wrong)
    return side_by_side(
        (resized(probe.pixels, cv2.INTER_AREA), _drawn(probe, truth), _drawn(probe, found))
    )


def _mistakes(scored: ScoredImage) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """Return which objects were missed and which detections are wrong; with masks, none."""
    missed = np.zeros(len(scored.truth.labels), np.bool_)
    wrong = np.zeros(len(scored.found.labels), np.bool_)
    if scored.truth.masks is not None:
        return missed, wrong
    matches = coco_matches(scored, IOU)
    missed[:] = ~scored.is_ignored
    missed[matches.truth[matches.truth != NONE]] = False
    wrong[:] = (matches.truth == NONE) & ~matches.is_ignored
    return missed, wrong


def _drawn(probe: ObjectProbe, drawing: Drawing) -> ByteArray:
    """Draw objects in the colours of their classes, the first one on top."""
    tile = (resized(probe.pixels, cv2.INTER_AREA) // 2).astype(np.uint8)
    objects, size_hw = drawing.objects, probe.objects.size_hw
    masks = None if objects.masks is None else decoded(objects.masks, size_hw)
    corners = objects.boxes_xyxy * (TILE / np.array(size_hw[::-1] * 2, dtype=np.float64))
    for index in np.flatnonzero(drawing.is_shown)[::-1]:
        colour = PALETTE[int(objects.labels[index]) % len(PALETTE)]
        if masks is not None:
            _paint(tile, masks[index], colour)
        left, top, right, bottom = (int(value) for value in corners[index])
        cv2.rectangle(tile, (left, top), (right, bottom), colour, 1)
        if drawing.is_crossed[index]:
            cv2.line(tile, (left, top), (right, bottom), colour, 1)
            cv2.line(tile, (left, bottom), (right, top), colour, 1)
        place = (left + 2, max(10, top + 10))
        text = drawing.texts[index]
        cv2.putText(tile, text, place, cv2.FONT_HERSHEY_SIMPLEX, TEXT_SIZE, WHITE, 1)
    return tile


def _paint(tile: ByteArray, mask: NDArray[np.bool_], colour: tuple[int, int, int]) -> None:
    """Tint a mask, and draw its outline."""
    small = resized(mask.astype(np.uint8), cv2.INTER_NEAREST)
    where = small.astype(np.bool_)
    tile[where] = (OPACITY * np.array(colour) + (1 - OPACITY) * tile[where]).astype(np.uint8)
    outlines, _ = cv2.findContours(small, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
    cv2.drawContours(tile, outlines, -1, colour, 1)
