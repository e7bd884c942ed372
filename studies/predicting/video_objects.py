"""The objects of a video: found every so many frames, held in between, or tracked.

frame ──every N──► detector ──► boxes ──► tracker, if one is wanted ──► objects
  └── in between: the objects of the last time, with their age
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from data_pipeline.loading.restoring import restored_boxes
from models.predictions import FoundObjects
from models.tracking.appearance import Appearance
from models.tracking.matching import cheapest_pairs, overlaps, same_label
from models.tracking.tracker import TrackedBox, Tracker
from studies.predicting.box_drawing import Box
from studies.predicting.networks import Networks

Bytes = NDArray[np.uint8]


@dataclass(frozen=True, slots=True)
class Boxes:
    """What a detector finds in a frame."""

    boxes_xyxy: NDArray[np.float64]  # (n, 4) pixels of the frame
    scores: NDArray[np.float64]  # (n,)
    labels: NDArray[np.int64]  # (n,) of the run's class names

    def only(self, chosen: NDArray[np.bool_]) -> "Boxes":
        """Return those that are chosen."""
        return Boxes(self.boxes_xyxy[chosen], self.scores[chosen], self.labels[chosen])


@dataclass(frozen=True, slots=True)
class VideoObject:
    """An object in a frame of a video."""

    box_xyxy: Box  # pixels; of a track, as its filter estimates it
    seen_xyxy: Box  # as the detector saw it last; of a track that it did not see, the same
    label: int
    score: float
    track: int | None  # from 1; None: objects are not tracked
    age: int  # frames since the detector saw it; 0: in this one


class Detect(Protocol):
    """Finds the objects of one frame."""

    def __call__(self, number: int, pixels: Bytes) -> Boxes:
        """Return the boxes of a frame.

        Args:
            number: Of the frame, from 0.
            pixels: (h, w, 3) RGB.
        """


@dataclass(frozen=True, slots=True)
class NetworkDetector:
    """A run's detector, that sees frames as it saw the pictures of its study."""

    networks: Networks
    least_score: float
    labels: frozenset[int]  # that are kept

    def __call__(self, number: int, pixels: Bytes) -> Boxes:  # noqa: ARG002  # of every detector
        """Return what the network finds from the least score on."""
        [[view]] = self.networks.views([pixels])
        found = view.prediction
        if not isinstance(found, FoundObjects):
            raise TypeError(f"objects must be found by a detector, got {type(found).__name__}")
        size_hw = (pixels.shape[0], pixels.shape[1])
        boxes = Boxes(
            restored_boxes(found.boxes_xyxy.numpy(), view.place, size_hw).astype(np.float64),
            found.scores.numpy().astype(np.float64),
            found.labels.numpy().astype(np.int64),
        )
        has_area = (boxes.boxes_xyxy[:, 2:] > boxes.boxes_xyxy[:, :2]).all(axis=1)
        is_chosen = np.isin(boxes.labels, list(self.labels))
        return boxes.only(has_area & is_chosen & (boxes.scores >= self.least_score))


class VideoObjects:
    """The objects of one video, frame by frame; keeps those of the last time alone."""

    def __init__(
        self,
        detect: Detect,
        *,
        every: int,
        tracker: Tracker | None = None,
        appearance: Appearance | None = None,
    ) -> None:
        """Prepare.

        Args:
            detect: The detector.
            every: Frames from one that it is asked about to the next.
            tracker: That has seen no frame; None: boxes get no identity.
            appearance: What describes boxes for the tracker; None: it compares none.
        """
        self._detect = detect
        self._every = every
        self._tracker = tracker
        self._appearance = appearance
        self._last: Sequence[VideoObject] = ()

    @property
    def are_tracked(self) -> bool:
        """Whether objects have identities."""
        return self._tracker is not None

    def at(self, number: int, pixels: Bytes) -> Sequence[VideoObject]:
        """Return the objects of a frame; frames are asked for in order, from 0.

        Args:
            number: Of the frame.
            pixels: (h, w, 3) RGB, nothing drawn on it.
        """
        age = number % self._every
        if age == 0:
            self._last = self._found(number, pixels)
        return [replace(each, age=each.age + age) for each in self._last]

    def _found(self, number: int, pixels: Bytes) -> Sequence[VideoObject]:
        boxes = self._detect(number, pixels)
        if self._tracker is not None:
            tracks = self._tracks(self._tracker, number, pixels, boxes)
            seen = _seen(tracks, boxes)
            return [self._tracked(*pair) for pair in zip(tracks, seen, strict=True)]
        return [
            VideoObject(box, box, int(label), float(score), track=None, age=0)
            for box, label, score in zip(
                boxes.boxes_xyxy.tolist(), boxes.labels, boxes.scores, strict=True
            )
        ]

    def _tracks(
        self, tracker: Tracker, number: int, pixels: Bytes, boxes: Boxes
    ) -> Sequence[TrackedBox]:
        describe = self._appearance
        return tracker.step(
            number,
            boxes.boxes_xyxy,
            scores=boxes.scores,
            labels=boxes.labels,
            appearance=None if describe is None else describe(pixels, boxes.boxes_xyxy),
        )

    def _tracked(self, track: TrackedBox, seen_xyxy: Box) -> VideoObject:
        return VideoObject(
            track.box_xyxy,
            seen_xyxy,
            track.label,
            track.score,
            track=track.track_id,
            age=track.time_since_update * self._every,
        )


def _seen(tracks: Sequence[TrackedBox], boxes: Boxes) -> Sequence[Box]:
    """Return the detection of each track: the one that it overlaps most, each of one track.

    A filter lags behind who turns round, which distances on the ground must not.
    """
    seen = [each.box_xyxy for each in tracks]
    fresh = [place for place, each in enumerate(tracks) if each.time_since_update == 0]
    estimated = np.array([seen[place] for place in fresh], np.float64).reshape(-1, 4)
    labels = np.array([tracks[place].label for place in fresh], np.int64)
    shares = overlaps(estimated, boxes.boxes_xyxy) * same_label(labels, boxes.labels)
    for row, column in cheapest_pairs(-shares, shares > 0):
        x1, y1, x2, y2 = boxes.boxes_xyxy[column].tolist()
        seen[fresh[row]] = (x1, y1, x2, y2)
    return seen
