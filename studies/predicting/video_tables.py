"""What was found in a video, as tables that are written row by row: nothing is gathered.

objects.csv     a row per frame and object       tracks.txt     the same of tracks, MOT format
actions.csv     a row per window and class       distances.csv  a row per event
"""

import csv
from collections.abc import Iterable, Sequence
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType
from typing import TextIO

import numpy as np
from numpy.typing import NDArray

from studies.predicting.distances import NearEvent
from studies.predicting.video_actions import ActionWindow
from studies.predicting.video_objects import VideoObject
from studies.tracking.mot_text import LEAST_SIDE

OBJECTS, TRACKS, ACTIONS, DISTANCES = "objects.csv", "tracks.txt", "actions.csv", "distances.csv"
COLUMNS = {
    OBJECTS: (
        *("frame", "time_s", "track", "class", "score"),
        *("left", "top", "right", "bottom", "age_frames", "ground_x_m", "ground_y_m"),
    ),
    ACTIONS: ("start_frame", "end_frame", "start_s", "end_s", "rank", "class", "probability"),
    DISTANCES: (
        *("first_track", "second_track", "start_frame", "end_frame", "start_s", "end_s"),
        *("least_distance_m", "least_frame"),
    ),
}
PIXEL_DIGITS, SHARE_DIGITS, TIME_DIGITS, METRE_DIGITS = 2, 6, 6, 3  # decimals kept
TOP_ACTIONS = 5  # of a window
FIRST = 1  # frame and pixel of the MOT format


class VideoTables:
    """The open tables of one video."""

    def __init__(self, folder: Path, wanted: Iterable[str], names: Sequence[str]) -> None:
        """Open the tables.

        Args:
            folder: Exists.
            wanted: Names of files.
            names: Classes of the objects, by label.

        Raises:
            OSError: One cannot be written.
        """
        self._names = names
        self._closing = ExitStack()
        self._files: dict[str, TextIO] = {}
        for name in wanted:
            file = (folder / name).open("w", encoding="utf-8", newline="")
            self._files[name] = self._closing.enter_context(file)
            if name in COLUMNS:
                self._add(name, COLUMNS[name])

    def __enter__(self) -> "VideoTables":
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._closing.close()

    def add_objects(
        self,
        number: int,
        time_s: float,
        objects: Sequence[VideoObject],
        *,
        positions_m: NDArray[np.float64] | None,
    ) -> None:
        """Write the objects of a frame.

        Args:
            number: Of the frame, from 0.
            time_s: When it is shown.
            objects: In it.
            positions_m: (n, 2) on the ground, NaN where unknown; None: of no object.
        """
        for place, each in enumerate(objects):
            track = "" if each.track is None else each.track
            ground = ("", "") if positions_m is None else _metres(positions_m[place])
            box = [round(value, PIXEL_DIGITS) for value in each.box_xyxy]
            score, name = round(each.score, SHARE_DIGITS), self._names[each.label]
            seconds = round(time_s, TIME_DIGITS)
            self._add(OBJECTS, (number, seconds, track, name, score, *box, each.age, *ground))
            if TRACKS in self._files:
                self._add(TRACKS, _mot_line(number, each))

    def add_window(self, window: ActionWindow, names: Sequence[str]) -> None:
        """Write the most probable classes of a window."""
        seconds = (round(window.start_s, TIME_DIGITS), round(window.end_s, TIME_DIGITS))
        best = np.argsort(-window.probabilities, kind="stable")[:TOP_ACTIONS]
        for rank, label in enumerate(best, start=1):
            share = round(float(window.probabilities[label]), SHARE_DIGITS)
            frames = (window.start_frame, window.end_frame)
            self._add(ACTIONS, (*frames, *seconds, rank, names[label], share))

    def add_events(self, events: Iterable[NearEvent]) -> None:
        """Write events that are over."""
        for each in events:
            seconds = (round(each.start_s, TIME_DIGITS), round(each.end_s, TIME_DIGITS))
            least = (round(each.least_m, METRE_DIGITS), each.least_frame)
            self._add(DISTANCES, (*each.ids, each.start_frame, each.end_frame, *seconds, *least))

    def _add(self, name: str, cells: Sequence[object]) -> None:
        csv.writer(self._files[name], lineterminator="\n").writerow(cells)


def _metres(position_m: NDArray[np.float64]) -> tuple[object, object]:
    if np.isnan(position_m).any():
        return ("", "")
    x, y = (round(float(value), METRE_DIGITS) for value in position_m)
    return (x, y)


def _mot_line(number: int, each: VideoObject) -> tuple[object, ...]:
    """Return frame, id, left, top, width, height, score, and -1 thrice for a place in space."""
    left, top, right, bottom = each.box_xyxy
    sides = (max(right - left, LEAST_SIDE), max(bottom - top, LEAST_SIDE))
    box = (left + FIRST, top + FIRST, *sides)
    score = round(each.score, SHARE_DIGITS)
    rounded = (round(value, PIXEL_DIGITS) for value in box)
    return (number + FIRST, each.track, *rounded, score, -1, -1, -1)
