"""SORT: boxes are matched to where a Kalman filter expects those of the last frame.

Bewley et al. 2016.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from models.tracking import sort_motion
from models.tracking.clock import Clock
from models.tracking.detections import Detections, checked_detections
from models.tracking.kalman import Gaussian
from models.tracking.matching import cheapest_pairs, overlaps, same_label
from models.tracking.settings import SortSettings
from models.tracking.tracker import Labels, Numbers, TrackedBox


@dataclass(slots=True)
class _Track:
    """An object that is followed."""

    track_id: int
    state: Gaussian
    label: int
    score: float
    hits: int = 0  # detections in a row, after the first
    time_since_update: int = 0
    is_shown: bool = False  # whether it was at its last detection


class SortTracker:
    """Follows boxes by their overlap alone.

    Frames between two steps are ones that nobody looked at: boxes move on over them, and no
    track grows old by them.
    """

    def __init__(self, settings: SortSettings) -> None:
        self._settings = settings
        self._clock = Clock()
        self._tracks: list[_Track] = []
        self._next_id = 1

    def step(
        self,
        frame_index: int,
        boxes_xyxy: Numbers,
        *,
        scores: Numbers | None = None,
        labels: Labels | None = None,
        appearance: NDArray[np.floating] | None = None,
    ) -> tuple[TrackedBox, ...]:
        """Take the detections of a frame; see `Tracker.step`."""
        if appearance is not None:
            raise ValueError(
                "sort compares no appearance; leave it out, or use deepsort, which does"
            )
        found = checked_detections(boxes_xyxy, scores=scores, labels=labels, appearance=None)
        found = found.scored(self._settings.least_score)
        self._move(self._clock.tick(frame_index))
        matched = self._match(found)
        for index, track in enumerate(self._tracks):
            self._update(track, found, matched.get(index))
        self._start(found.chosen(sorted(set(range(len(found))) - set(matched.values()))))
        self._tracks = [
            each for each in self._tracks if each.time_since_update <= self._settings.max_age
        ]
        shown_age = self._settings.shown_age
        return tuple(
            _shown(each)
            for each in self._tracks
            if each.is_shown and each.time_since_update <= shown_age
        )

    def _move(self, frames: int) -> None:
        for track in self._tracks:
            for _ in range(frames):
                track.state = sort_motion.moved(track.state)

    def _match(self, found: Detections) -> dict[int, int]:
        """Return track -> detection."""
        if not self._tracks or not len(found):
            return {}
        expected = np.stack([sort_motion.box_of(each.state) for each in self._tracks])
        known = np.array([each.label for each in self._tracks])
        shares = overlaps(expected, found.boxes_xyxy) * same_label(known, found.labels)
        return dict(cheapest_pairs(-shares, shares >= self._settings.least_iou))

    def _update(self, track: _Track, found: Detections, detection: int | None) -> None:
        if detection is None:
            track.hits = 0
            track.time_since_update += 1
            return
        track.state = sort_motion.seen(track.state, found.boxes_xyxy[detection])
        track.score = float(found.scores[detection])
        track.hits += 1
        track.time_since_update = 0
        track.is_shown = self._is_shown(track)

    def _start(self, found: Detections) -> None:
        for box, score, label in zip(found.boxes_xyxy, found.scores, found.labels, strict=True):
            track = _Track(self._next_id, sort_motion.started(box), int(label), float(score))
            track.is_shown = self._is_shown(track)
            self._tracks.append(track)
            self._next_id += 1

    def _is_shown(self, track: _Track) -> bool:
        least = self._settings.min_hits
        return track.hits >= least or self._clock.steps <= least


def _shown(track: _Track) -> TrackedBox:
    x1, y1, x2, y2 = sort_motion.box_of(track.state).tolist()
    return TrackedBox(
        track.track_id, (x1, y1, x2, y2), track.label, track.score, track.time_since_update
    )
