"""The detections of a frame, checked."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from models.tracking.tracker import Labels, Numbers


@dataclass(frozen=True, slots=True)
class Detections:
    """What a detector found in a frame."""

    boxes_xyxy: Numbers  # (n, 4) pixels, of some area
    scores: Numbers  # (n,)
    labels: Labels  # (n,)
    appearance: Numbers | None  # (n, d), of length 1

    def __len__(self) -> int:
        return len(self.boxes_xyxy)

    def scored(self, least: float | None) -> "Detections":
        """Return those with at least this score; None: all."""
        return self if least is None else self.chosen(np.flatnonzero(self.scores >= least))

    def chosen(self, indices: Sequence[int] | NDArray[np.int64]) -> "Detections":
        """Return some of them, in the order of the indices."""
        at = np.asarray(indices, dtype=np.int64)
        described = None if self.appearance is None else self.appearance[at]
        return Detections(self.boxes_xyxy[at], self.scores[at], self.labels[at], described)


def checked_detections(
    boxes_xyxy: Numbers,
    *,
    scores: Numbers | None,
    labels: Labels | None,
    appearance: NDArray[np.floating] | None,
) -> Detections:
    """Return the detections whose boxes have an area: nothing can follow the others.

    Raises:
        ValueError: Shapes do not fit each other, or numbers are not finite.
    """
    boxes = _numbers("boxes_xyxy", boxes_xyxy)
    if boxes.size == 0:
        boxes = boxes.reshape(0, 4)
    count = len(boxes)
    if boxes.shape != (count, 4):
        raise ValueError(f"boxes_xyxy must be (n, 4), got {boxes.shape}; give a row per box")
    known_scores = np.ones(count) if scores is None else _numbers("scores", scores)
    known_labels = np.zeros(count, np.int64) if labels is None else np.asarray(labels, np.int64)
    for name, values in (("scores", known_scores), ("labels", known_labels)):
        if values.shape != (count,):
            raise ValueError(
                f"{name} must be ({count},), one for each of the boxes, got {values.shape}"
            )
    described = None if appearance is None else _of_length_one(appearance, count)
    has_area = (boxes[:, 2:] > boxes[:, :2]).all(axis=1)
    found = Detections(boxes, known_scores, known_labels, described)
    return found.chosen(np.flatnonzero(has_area))


def _numbers(name: str, values: NDArray[np.floating]) -> Numbers:
    numbers = np.asarray(values, dtype=np.float64)
    odd = numbers[~np.isfinite(numbers)]
    if odd.size:
        raise ValueError(
            f"{name} must be finite, got {odd[0]} ({odd.size} of {numbers.size} numbers are not); "
            "leave such detections out"
        )
    return numbers


def _of_length_one(appearance: NDArray[np.floating], count: int) -> Numbers:
    described = _numbers("appearance", appearance)
    if count == 0 and described.size == 0:
        return np.zeros((0, 1))
    if described.ndim != 2 or len(described) != count:
        raise ValueError(
            f"appearance must be ({count}, d), a row for each of the boxes, got {described.shape}"
        )
    lengths = np.linalg.norm(described, axis=1, keepdims=True)
    if not (lengths > 0).all():
        raise ValueError("appearance must not be all 0 in a row; such a descriptor says nothing")
    scaled: Numbers = described / lengths
    return scaled
