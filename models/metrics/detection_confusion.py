"""Which class detectors take for which: a matrix of objects, with the background as a class.

Detections from a score on are held against objects at one IoU, in two rounds. First each
detection may find an object of its own class, as COCO has it; so the diagonal is the number of
right detections at this score. Of what is left, the pairs whose IoU suffices are taken one after
the other from the highest IoU down, each detection and object once: another class was seen. What
still has no partner was seen in the background, or missed.

Ignored objects are in no cell, and neither are detections that lie in one of their own class.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from models.metrics.detection_decisions import from_score
from models.metrics.matching import NONE, Matches, box_overlaps, coco_matches
from models.metrics.names import BACKGROUND
from models.metrics.scored_images import ScoredImage


@dataclass(frozen=True, slots=True)
class DetectionConfusion:
    """Objects by true and by detected class; the last row and column are the background."""

    threshold: float  # least score
    iou: float
    counts: NDArray[np.int64]  # (classes + 1, classes + 1); rows truth, columns detection

    def to_json(self, class_names: Sequence[str]) -> dict[str, Any]:
        """Return what JSON can hold."""
        return {
            "threshold": self.threshold,
            "iou": self.iou,
            "labels": [*class_names, BACKGROUND],
            "counts": self.counts.tolist(),
        }


def detection_confusion(
    images: Sequence[ScoredImage], classes: int, *, threshold: float, iou: float = 0.5
) -> DetectionConfusion:
    """Count which class was detected as which.

    Args:
        images: Of a split; each once.
        classes: How many there are.
        threshold: Score from which on a detection counts.
        iou: From which a detection is of an object, in (0, 1].
    """
    counts = np.zeros((classes + 1, classes + 1), np.int64)
    for image in images:
        shown = from_score(image, threshold)
        true, found = _pairs(shown, coco_matches(shown, iou), iou, background=classes)
        np.add.at(counts, (true, found), 1)
    return DetectionConfusion(threshold, iou, counts)


def _pairs(
    image: ScoredImage, matches: Matches, iou: float, *, background: int
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return the true and the detected class of each detection and each missed object."""
    truth_of = matches.truth.copy()
    _pair_others(image, matches, iou, truth_of=truth_of)
    counted = ~matches.is_ignored
    partners, labels = truth_of[counted], image.found.labels[counted]
    missed = ~image.is_ignored
    missed[partners[partners != NONE]] = False
    padded = np.append(image.truth.labels, background)  # NONE is its last place
    nobody = np.full(int(missed.sum()), background)
    true = np.concatenate([padded[partners], image.truth.labels[missed]])
    return true, np.concatenate([labels, nobody])


def _pair_others(
    image: ScoredImage, matches: Matches, iou: float, *, truth_of: NDArray[np.int64]
) -> None:
    """Give detections without an object one of another class, from the highest IoU down."""
    left = (truth_of == NONE) & ~matches.is_ignored
    free = ~image.is_ignored
    free[truth_of[truth_of != NONE]] = False
    if not left.any() or not free.any():
        return
    overlaps = box_overlaps(image, as_regions=np.zeros_like(image.is_ignored))
    overlaps = np.where(left[:, np.newaxis] & free, overlaps, NONE)
    found, true = np.nonzero(overlaps >= iou)
    order = np.lexsort((-image.scores[found], -overlaps[found, true]))
    for detection, thing in zip(found[order].tolist(), true[order].tolist(), strict=True):
        if truth_of[detection] == NONE and free[thing]:
            truth_of[detection] = thing
            free[thing] = False
