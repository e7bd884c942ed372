"""What a tracker is: frame after frame it gives the boxes of a detector an identity.

    tracker = build_tracker(SortSettings())
    for frame_index, found in enumerate(detections):
        tracks = tracker.step(frame_index, found.boxes_xyxy, scores=found.scores)

A tracker is online: what it said of a frame does not change later. It holds the state of one
video. `ValueError` is what input ends in that cannot be.
"""

from dataclasses import dataclass
from types import MappingProxyType
from typing import Protocol, TypeAlias

import numpy as np
from numpy.typing import NDArray

from models.resolve import resolve
from models.tracking.settings import DeepSortSettings, SortSettings

Numbers: TypeAlias = NDArray[np.float64]
Labels: TypeAlias = NDArray[np.int64]
BUILDERS = MappingProxyType(
    {
        "sort": "models.tracking.sort:SortTracker",
        "deepsort": "models.tracking.deepsort:DeepSortTracker",
    }
)  # name in the settings -> (settings) -> Tracker


@dataclass(frozen=True, slots=True)
class TrackedBox:
    """Where a track is in a frame."""

    track_id: int  # from 1, never given to another
    box_xyxy: tuple[float, float, float, float]  # pixels, as the filter estimates it
    label: int  # of its detections
    score: float  # of its last detection
    time_since_update: int  # frames since that one; 0: it has a detection in this frame


class Tracker(Protocol):
    """Follows the objects of one video."""

    def step(
        self,
        frame_index: int,
        boxes_xyxy: Numbers,
        *,
        scores: Numbers | None = None,
        labels: Labels | None = None,
        appearance: NDArray[np.floating] | None = None,
    ) -> tuple[TrackedBox, ...]:
        """Take the detections of a frame; return the tracks that are shown there, by number.

        Args:
            frame_index: After that of the step before. Frames between them are ones that nobody
                looked at: boxes move on, no track grows old. A frame in which nothing was found
                is a step with no boxes.
            boxes_xyxy: (n, 4) float, pixels; n may be 0. Boxes without area are left out.
            scores: (n,) in [0, 1]; None: all 1.
            labels: (n,) class of each; a track has detections of one label alone. None: all 0.
            appearance: (n, d) descriptors, of any length but 0; None where the tracker compares
                none.

        Raises:
            ValueError: Frames go backwards, shapes do not fit each other, numbers are not
                finite, or descriptors are missing, or there and not compared.
        """
        ...


def build_tracker(settings: SortSettings | DeepSortSettings) -> Tracker:
    """Return a tracker that has seen no frame."""
    tracker: Tracker = resolve(BUILDERS[settings.name])(settings)
    return tracker
