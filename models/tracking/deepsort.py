"""DeepSORT: boxes are matched by what they look like, where motion allows it, then by overlap.

Wojke et al. 2017. Confirmed tracks choose first, those that were seen last before the others
(the paper's cascade, Listing 1); what is left over is matched by IoU with new tracks and with
those that were seen in the last frame.
"""

from collections.abc import Callable, Sequence
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from models.tracking import deepsort_motion
from models.tracking.clock import Clock
from models.tracking.deepsort_track import DeepSortTrack
from models.tracking.detections import Detections, checked_detections
from models.tracking.matching import cheapest_pairs, overlaps, same_label
from models.tracking.settings import DeepSortSettings
from models.tracking.tracker import Labels, Numbers, TrackedBox

Tracks: TypeAlias = Sequence[DeepSortTrack]
# (tracks, detections) -> costs (tracks, detections), and the largest that may be
Comparison: TypeAlias = Callable[[Tracks, Detections], tuple[Numbers, float]]


class DeepSortTracker:
    """Follows boxes by motion and appearance.

    Frames between two steps are ones that nobody looked at: boxes move on over them, and no
    track grows old by them.
    """

    def __init__(self, settings: DeepSortSettings) -> None:
        self._settings = settings
        self._clock = Clock()
        self._tracks: list[DeepSortTrack] = []
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
        found = checked_detections(boxes_xyxy, scores=scores, labels=labels, appearance=appearance)
        self._check_appearance(found)
        found = found.scored(self._settings.least_score)
        frames = self._clock.tick(frame_index)
        for track in self._tracks:
            track.move(frames)
        left = self._update(found)
        self._forget_old()
        for detection in left:
            self._start(found, detection)
        return tuple(
            each.shown()
            for each in self._tracks
            if each.is_confirmed and each.time_since_update <= self._settings.shown_age
        )

    def _check_appearance(self, found: Detections) -> None:
        wanted = self._settings.use_appearance
        if wanted and found.appearance is None and len(found):
            raise ValueError(
                "deepsort must be given appearance with every detection; describe the boxes, or "
                "set use_appearance: false"
            )
        if not wanted and found.appearance is not None:
            raise ValueError(
                "appearance has no effect with use_appearance: false; leave it out, or set "
                "use_appearance: true"
            )

    def _update(self, found: Detections) -> list[int]:
        """Give tracks their detections; return the detections that are no track's."""
        for track in self._tracks:
            track.time_since_update += 1
        left = list(range(len(found)))
        confirmed = [each for each in self._tracks if each.is_confirmed]
        for age in range(1, self._settings.max_age + 1):
            left = self._match(_unseen_for(age, confirmed), found, left=left, by=self._likeness)
        # New tracks are among these: one that was missed once is gone.
        return self._match(_unseen_for(1, self._tracks), found, left=left, by=self._overlap)

    def _match(
        self, tracks: Tracks, found: Detections, *, left: list[int], by: Comparison
    ) -> list[int]:
        """Give tracks their detections of those that are left; return those that still are."""
        if not tracks or not left:
            return left
        some = found.chosen(left)
        costs, limit = by(tracks, some)
        labels = np.array([each.label for each in tracks])
        allowed = (costs <= limit) & same_label(labels, some.labels)
        # To leave two alone costs a little more than the worst pair.
        pairs = cheapest_pairs(np.where(allowed, costs, limit * 1.001), allowed)
        for row, column in pairs:
            tracks[row].take(found, left[column])
        taken = {left[column] for _, column in pairs}
        return [each for each in left if each not in taken]

    def _likeness(self, tracks: Tracks, found: Detections) -> tuple[Numbers, float]:
        """Return costs of the cascade (tracks, detections), and the largest that may be.

        Equations 1 to 6 of the paper with lambda 0; with lambda 1 where nothing is described.
        """
        motion = np.stack(
            [deepsort_motion.squared_distances(each.state, found.boxes_xyxy) for each in tracks]
        )
        if found.appearance is None:
            return motion, self._settings.gate
        unlike = np.stack([each.cosine_distances(found.appearance) for each in tracks])
        within = np.where(motion <= self._settings.gate, unlike, np.inf)
        return within, self._settings.max_cosine_distance

    def _overlap(self, tracks: Tracks, found: Detections) -> tuple[Numbers, float]:
        """Return 1 - IoU (tracks, detections), and the largest that may be."""
        expected = np.stack([deepsort_motion.box_of(each.state) for each in tracks])
        return 1 - overlaps(expected, found.boxes_xyxy), self._settings.max_iou_distance

    def _forget_old(self) -> None:
        """Drop new tracks that were missed once, and others that were too often."""
        self._tracks = [
            each
            for each in self._tracks
            if each.time_since_update <= (self._settings.max_age if each.is_confirmed else 0)
        ]

    def _start(self, found: Detections, detection: int) -> None:
        self._tracks.append(DeepSortTrack(self._next_id, found, detection, self._settings))
        self._next_id += 1


def _unseen_for(age: int, tracks: Tracks) -> Tracks:
    return [each for each in tracks if each.time_since_update == age]
