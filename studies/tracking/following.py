"""Follow the objects of a video from its detections.

tracks = follow(Wish(Path("det.txt"), SortSettings()))
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import repeat
from pathlib import Path

import numpy as np

from models.tracking.appearance import Appearance, build_appearance
from models.tracking.settings import (
    ColourAppearanceSettings,
    DeepSortSettings,
    NetworkAppearanceSettings,
    SortSettings,
)
from models.tracking.tracker import TrackedBox, build_tracker
from studies.tracking.frames import Picture, each_picture
from studies.tracking.mot_text import MotBoxes, UnusableTracksError, read_mot

Progress = Callable[[int, int], object]  # (frames done, frames in all)


@dataclass(frozen=True, slots=True)
class Wish:
    """Which detections are to be followed, and how."""

    detections: Path
    tracker: SortSettings | DeepSortSettings
    pictures: Path | None = None  # video, or folder of pictures; None: appearance is not compared
    appearance: ColourAppearanceSettings | NetworkAppearanceSettings | None = None


@dataclass(frozen=True, slots=True)
class Followed:
    """What came of it."""

    boxes: MotBoxes
    detections: int
    frames: int  # from the first of the video to the last with a detection
    best_score: float | None  # of a detection; None: there is none

    @property
    def tracks(self) -> int:
        """How many tracks there are."""
        return len(np.unique(self.boxes.ids))


def follow(wish: Wish, progress: Progress = lambda done, total: None) -> Followed:  # noqa: ARG005
    """Give detections identities, frame by frame.

    Raises:
        UnusableTracksError: A file cannot be read, or there are fewer pictures than frames.
    """
    found = read_mot(wish.detections, "detections")
    last = int(found.frames.max(initial=0))
    tracker, describe = build_tracker(wish.tracker), _appearance(wish)
    rows: list[tuple[int, TrackedBox]] = []
    with _pictures(wish.pictures) as pictures:
        for frame in range(1, last + 1):
            start, end = np.searchsorted(found.frames, [frame, frame + 1])
            boxes = found.boxes_xyxy[start:end]
            picture = next(pictures, None)
            if describe is not None and picture is None:
                raise UnusableTracksError(
                    f"{wish.pictures} must have a picture for each frame up to the last with a "
                    f"detection, {last}, got {frame - 1}; name the video of {wish.detections}"
                )
            described = None
            if describe is not None and picture is not None:
                described = describe(picture, boxes)
            shown = tracker.step(
                frame, boxes, scores=found.scores[start:end], appearance=described
            )
            rows += [(frame, each) for each in shown]
            progress(frame, last)
    best = float(found.scores.max()) if len(found) else None
    return Followed(_table(rows), detections=len(found), frames=last, best_score=best)


def _appearance(wish: Wish) -> Appearance | None:
    if wish.appearance is None or wish.pictures is None:
        return None
    try:
        return build_appearance(wish.appearance)
    except ValueError as error:
        raise UnusableTracksError(str(error)) from error


@contextmanager
def _pictures(source: Path | None) -> Iterator[Iterator[Picture | None]]:
    if source is None:
        yield repeat(None)
        return
    with each_picture(source) as pictures:
        yield pictures


def _table(rows: list[tuple[int, TrackedBox]]) -> MotBoxes:
    boxes = np.array([each.box_xyxy for _, each in rows], np.float64)
    return MotBoxes(
        frames=np.array([frame for frame, _ in rows], np.int64),
        ids=np.array([each.track_id for _, each in rows], np.int64),
        boxes_xyxy=boxes.reshape(-1, 4),
        scores=np.array([each.score for _, each in rows], np.float64),
    )
