"""What is drawn over a video, layer by layer, and noted in its tables and its record.

A layer is of one video and sees its frames in order. It remembers what it still needs alone.
"""

from collections import Counter, deque
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from data_pipeline.video.streaming import StreamedFrame
from studies.predicting.colours import Colour, class_colours
from studies.predicting.distances import NearEvent, NearEvents, by_ids, near_pairs
from studies.predicting.ground_plane import Calibration, GroundPlane
from studies.predicting.video_actions import ActionTimeline, ActionWindow, NetworkActions
from studies.predicting.video_drawing import FAR_ENOUGH, draw_actions, draw_near, draw_objects
from studies.predicting.video_objects import VideoObject, VideoObjects
from studies.predicting.video_tables import ACTIONS, DISTANCES, OBJECTS, TRACKS, VideoTables

EDGE = 1.0  # pixels; a box that comes so near to the lower edge hides where the feet are
Bytes = NDArray[np.uint8]


class Layer(Protocol):
    """One thing that is seen in a video."""

    @property
    def tables(self) -> Sequence[str]:
        """Which tables it writes."""

    def draw(self, frame: StreamedFrame, pixels: Bytes, tables: VideoTables) -> None:
        """Draw over a frame in place, and note what is in it.

        Args:
            frame: The frame.
            pixels: (h, w, 3) RGB; of the first layer nothing is drawn over it yet.
            tables: To write to.
        """

    def end(self, tables: VideoTables) -> dict[str, Any]:
        """Note what the end of the video ends; return what the record says."""


class Distances:
    """Watches who is too near to whom."""

    def __init__(
        self, calibration: Calibration, ground: GroundPlane, people: frozenset[int]
    ) -> None:
        self._limit_m = calibration.limit_m
        self._ground = ground
        self.people = people
        self._events = NearEvents(calibration.gap_s)
        self._ended, self._least_m = 0, np.inf

    def positions(self, objects: Sequence[VideoObject], height: int) -> NDArray[np.float64]:
        """Return (n, 2) metres on the ground.

        NaN of what is no person, of feet below the picture and above the horizon.
        """
        boxes = np.array([each.seen_xyxy for each in objects], np.float64).reshape(-1, 4)
        feet = np.column_stack([(boxes[:, 0] + boxes[:, 2]) / 2, boxes[:, 3]])
        found = self._ground.positions(feet)
        found[boxes[:, 3] >= height - EDGE] = np.nan
        found[[each.label not in self.people for each in objects]] = np.nan
        return found

    def draw(
        self,
        frame: StreamedFrame,
        pixels: Bytes,
        tables: VideoTables,
        *,
        objects: Sequence[VideoObject],
        positions_m: NDArray[np.float64],
    ) -> None:
        """Draw who is too near, and note what is over."""
        pairs = near_pairs(positions_m, self._limit_m)
        draw_near(pixels, objects, pairs)
        near = by_ids(pairs, [each.track or 0 for each in objects])
        self._note(tables, self._events.step(frame.number, frame.time_s, near))

    def end(self, tables: VideoTables) -> dict[str, Any]:
        """Note the events that are not over."""
        self._note(tables, self._events.end())
        least = float(self._least_m) if self._ended else None
        return {"limit_m": self._limit_m, "events": self._ended, "least_distance_m": least}

    def _note(self, tables: VideoTables, events: Sequence[NearEvent]) -> None:
        tables.add_events(events)
        self._ended += len(events)
        self._least_m = min([self._least_m, *(each.least_m for each in events)])


class ObjectLayer:
    """Boxes, their identities, and the distances between people."""

    def __init__(
        self,
        objects: VideoObjects,
        names: Sequence[str],
        *,
        distances: Distances | None,
    ) -> None:
        self._objects = objects
        self._names = names
        self._colours: list[Colour] = list(class_colours(names))
        self._distances = distances
        for label in distances.people if distances else ():
            self._colours[label] = (
                FAR_ENOUGH  # people are red elsewhere, which means too near here
            )
        self._tracks: dict[str, set[int]] = {}  # grows by a number for each track
        self._boxes: Counter[str] = Counter()

    @property
    def tables(self) -> Sequence[str]:
        """Of objects, of tracks where there are any, and of distances."""
        tracked = (TRACKS,) if self._objects.are_tracked else ()
        return (OBJECTS, *tracked, *((DISTANCES,) if self._distances else ()))

    def draw(self, frame: StreamedFrame, pixels: Bytes, tables: VideoTables) -> None:
        """Draw boxes, and who is too near to whom."""
        objects = self._objects.at(frame.number, pixels)
        self._count(objects)
        draw_objects(pixels, objects, self._names, self._colours)
        positions = None
        if self._distances is not None:
            positions = self._distances.positions(objects, pixels.shape[0])
            self._distances.draw(frame, pixels, tables, objects=objects, positions_m=positions)
        tables.add_objects(frame.number, frame.time_s, objects, positions_m=positions)

    def end(self, tables: VideoTables) -> dict[str, Any]:
        """Return how many boxes and tracks of each class there were, and the distances."""
        found: dict[str, Any] = {"objects": {"boxes": dict(self._boxes)}}
        if self._objects.are_tracked:
            counts = {name: len(tracks) for name, tracks in self._tracks.items()}
            found["objects"]["tracks"] = counts
        if self._distances is not None:
            found["distances"] = self._distances.end(tables)
        return found

    def _count(self, objects: Sequence[VideoObject]) -> None:
        for each in objects:
            name = self._names[each.label]
            self._boxes[name] += 1
            if each.track is not None:
                self._tracks.setdefault(name, set()).add(each.track)


class ActionLayer:
    """What is done, window by window."""

    tables: Sequence[str] = (ACTIONS,)

    def __init__(
        self, network: NetworkActions, names: Sequence[str], file: Path, *, stride: int
    ) -> None:
        self._names = names
        self._windows = network.windows(file, stride)
        self._timeline: ActionTimeline | None = None
        self._ahead: deque[ActionWindow] = deque()  # read; their last frames are not drawn yet
        self._sum: NDArray[np.float64] = np.zeros(len(names))
        self._count = 0

    def draw(self, frame: StreamedFrame, pixels: Bytes, tables: VideoTables) -> None:
        """Write the most probable actions of the window around the frame."""
        if self._timeline is None:
            self._timeline = ActionTimeline(self._read())
        window = self._timeline.at(frame.number)
        self._note(frame.number, tables)
        draw_actions(pixels, self._names, window.probabilities)

    def end(self, tables: VideoTables) -> dict[str, Any]:  # noqa: ARG002  # of every layer
        """Return the mean over the windows that lie in what was drawn; none: of no action."""
        self._windows.close()
        mean = self._sum / max(1, self._count)
        best = np.argsort(-mean, kind="stable") if self._count else ()
        shares = {self._names[label]: round(float(mean[label]), 6) for label in best}
        return {"actions": {"windows": self._count, "mean_probabilities": shares}}

    def _read(self) -> Iterator[ActionWindow]:
        for window in self._windows:
            self._ahead.append(window)
            yield window

    def _note(self, number: int, tables: VideoTables) -> None:
        """Note the windows that end with a frame; a video that is stopped has no others."""
        while self._ahead and self._ahead[0].end_frame <= number:
            window = self._ahead.popleft()
            tables.add_window(window, self._names)
            self._sum += window.probabilities
            self._count += 1
