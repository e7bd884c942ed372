"""An object that DeepSORT follows: where it is, and what it looked like.

A track is tentative until it was detected in its first frames in a row, then confirmed.
"""

from collections import deque

import numpy as np

from models.tracking import deepsort_motion
from models.tracking.detections import Detections
from models.tracking.settings import DeepSortSettings
from models.tracking.tracker import Numbers, TrackedBox


class DeepSortTrack:
    """A track, from its first detection on."""

    def __init__(
        self, track_id: int, found: Detections, detection: int, settings: DeepSortSettings
    ) -> None:
        self.track_id = track_id
        self.label = int(found.labels[detection])
        self.state = deepsort_motion.started(found.boxes_xyxy[detection])
        self.time_since_update = 0  # steps since its last detection
        self._hits = 0
        self._n_init = settings.n_init
        self._gallery: deque[Numbers] = deque(maxlen=settings.gallery_size)
        self._remember(found, detection)

    @property
    def is_confirmed(self) -> bool:
        """Whether it was detected often enough to be shown."""
        return self._hits >= self._n_init

    def move(self, frames: int) -> None:
        """Let frames pass."""
        for _ in range(frames):
            self.state = deepsort_motion.moved(self.state)

    def take(self, found: Detections, detection: int) -> None:
        """Take one of the detections of this frame as its own."""
        self.state = deepsort_motion.seen(self.state, found.boxes_xyxy[detection])
        self.time_since_update = 0
        self._remember(found, detection)

    def cosine_distances(self, appearance: Numbers) -> Numbers:
        """Return how unlike descriptors (n, d) are to the most similar that it had, (n,).

        Equation 2 of Wojke et al. 2017.
        """
        distances: Numbers = (1 - np.stack(self._gallery) @ appearance.T).min(axis=0)
        return distances

    def shown(self) -> TrackedBox:
        """Return where it is."""
        x1, y1, x2, y2 = deepsort_motion.box_of(self.state).tolist()
        return TrackedBox(
            self.track_id, (x1, y1, x2, y2), self.label, self._score, self.time_since_update
        )

    def _remember(self, found: Detections, detection: int) -> None:
        self._hits += 1
        self._score = float(found.scores[detection])
        if found.appearance is not None:
            self._gallery.append(found.appearance[detection])
