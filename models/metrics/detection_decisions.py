"""Precision, recall and F1 of the detections from a score on: what a user of them would see.

Objects are found as COCO has it, at one IoU. Micro values add counts up over classes before they
are divided; what is 0 / 0 is None. Detections below the score take no object from others.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from models.metrics.matching import NONE, Matches, box_overlaps, coco_matches
from models.metrics.precision_recall import count_truths
from models.metrics.scored_images import Objects, ScoredImage


@dataclass(frozen=True, slots=True)
class Decisions:
    """Counts, and what follows from them."""

    right: int  # detections that found an object
    wrong: int  # others
    missed: int  # objects that were not found

    @property
    def precision(self) -> float | None:
        """Return the share of detections that are right."""
        return _share(self.right, self.right + self.wrong)

    @property
    def recall(self) -> float | None:
        """Return the share of objects that were found."""
        return _share(self.right, self.right + self.missed)

    @property
    def f1(self) -> float | None:
        """Return the harmonic mean of precision and recall."""
        return _share(2 * self.right, 2 * self.right + self.wrong + self.missed)

    def to_json(self) -> dict[str, Any]:
        """Return what JSON can hold."""
        return {
            "right": self.right,
            "wrong": self.wrong,
            "missed": self.missed,
            "precision": self.precision,
            "recall": self.recall,
            "f1": self.f1,
        }


@dataclass(frozen=True, slots=True)
class DetectionDecisions:
    """The decisions of a split."""

    threshold: float  # least score
    iou: float
    all: Decisions  # micro
    classes: tuple[Decisions, ...]  # in label order
    mean_iou: float | None  # of the boxes of right detections and their objects

    def to_json(self, class_names: Sequence[str]) -> dict[str, Any]:
        """Return what JSON can hold; classes are named."""
        return {
            "threshold": self.threshold,
            "iou": self.iou,
            "mean_iou": self.mean_iou,
            **self.all.to_json(),
            "classes": [
                {"name": name, **each.to_json()}
                for name, each in zip(class_names, self.classes, strict=True)
            ],
        }


def detection_decisions(
    images: Sequence[ScoredImage], classes: int, *, threshold: float, iou: float = 0.5
) -> DetectionDecisions:
    """Count right and wrong detections, and objects that were missed.

    Args:
        images: Of a split; each once.
        classes: How many there are.
        threshold: Score from which on a detection counts.
        iou: From which an object is found, in (0, 1].
    """
    right, wrong = np.zeros(classes, np.int64), np.zeros(classes, np.int64)
    overlaps: list[float] = []
    for image in images:
        shown = from_score(image, threshold)
        matches = coco_matches(shown, iou)
        found = shown.found.labels[matches.truth != NONE]
        right += np.bincount(found, minlength=classes)
        others = (matches.truth == NONE) & ~matches.is_ignored
        wrong += np.bincount(shown.found.labels[others], minlength=classes)
        overlaps += _overlaps(shown, matches)
    missed = count_truths(images, classes) - right
    return DetectionDecisions(
        threshold,
        iou,
        Decisions(int(right.sum()), int(wrong.sum()), int(missed.sum())),
        tuple(
            Decisions(int(right[label]), int(wrong[label]), int(missed[label]))
            for label in range(classes)
        ),
        float(np.mean(overlaps)) if overlaps else None,
    )


def from_score(image: ScoredImage, threshold: float) -> ScoredImage:
    """Return the image with its detections from a score on."""
    kept = image.scores >= threshold
    if kept.all():
        return image
    masks = image.found.masks
    found = Objects(
        image.found.labels[kept],
        image.found.boxes_xyxy[kept],
        None if masks is None else tuple(masks[index] for index in np.flatnonzero(kept)),
    )
    return replace(image, found=found, scores=image.scores[kept])


def _overlaps(image: ScoredImage, matches: Matches) -> list[float]:
    found = np.flatnonzero(matches.truth != NONE)
    if not found.size:
        return []
    overlaps = box_overlaps(image, as_regions=np.zeros_like(image.is_ignored))
    values: list[float] = overlaps[found, matches.truth[found]].tolist()
    return values


def _share(part: int, whole: int) -> float | None:
    return part / whole if whole else None
