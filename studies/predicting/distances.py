"""Who is too near to whom, and for how long; on the ground, in metres."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.spatial.distance import pdist

Ids = tuple[int, int]  # of two tracks, the smaller first


@dataclass(frozen=True, slots=True)
class Nearness:
    """Two people who are nearer to each other than is allowed."""

    first: int  # place in the sequence of people
    second: int  # larger than `first`
    distance_m: float


@dataclass(frozen=True, slots=True)
class NearEvent:
    """Two people who were too near from one frame to another."""

    ids: Ids
    start_frame: int  # first in which they were; frames count from 0
    end_frame: int  # last in which they were
    start_s: float
    end_s: float
    least_m: float
    least_frame: int


def near_pairs(positions_m: NDArray[np.float64], limit_m: float) -> list[Nearness]:
    """Return the pairs below the limit.

    Args:
        positions_m: (n, 2) on the ground; NaN: not known, and near to nobody.
        limit_m: Distance that is allowed.
    """
    if len(positions_m) < 2:
        return []
    distances = pdist(positions_m)
    first, second = np.triu_indices(len(positions_m), k=1)
    return [
        Nearness(int(first[place]), int(second[place]), float(distances[place]))
        for place in np.flatnonzero(distances < limit_m)
    ]


class NearEvents:
    """Follows pairs from frame to frame; remembers only those that are near, or were just now."""

    def __init__(self, gap_s: float) -> None:
        self._gap_s = gap_s
        self._open: dict[Ids, NearEvent] = {}
        self._last_frame = -1

    def step(self, frame: int, time_s: float, near: Mapping[Ids, float]) -> list[NearEvent]:
        """Take the pairs of a frame; return the events that are over, in the order of their ids.

        Args:
            frame: Its number, larger than the last one.
            time_s: When it is shown, seconds.
            near: Ids, the smaller first -> distance, metres.
        """
        over = [
            ids
            for ids, event in self._open.items()
            if time_s - event.end_s > self._gap_s
            and not (ids in near and event.end_frame == self._last_frame)  # no gap at all
        ]
        ended = [self._open.pop(ids) for ids in sorted(over)]
        for ids, distance in near.items():
            self._open[ids] = self._gone_on(ids, frame, time_s, distance)
        self._last_frame = frame
        return ended

    def end(self) -> Sequence[NearEvent]:
        """Return the events that the end of the video ends."""
        ended = [event for _, event in sorted(self._open.items())]
        self._open.clear()
        return ended

    def _gone_on(self, ids: Ids, frame: int, time_s: float, distance: float) -> NearEvent:
        before = self._open.get(ids)
        if before is None:
            return NearEvent(ids, frame, frame, time_s, time_s, distance, frame)
        is_least = distance < before.least_m
        return NearEvent(
            ids,
            before.start_frame,
            frame,
            before.start_s,
            time_s,
            least_m=distance if is_least else before.least_m,
            least_frame=frame if is_least else before.least_frame,
        )


def by_ids(pairs: Sequence[Nearness], ids: Sequence[int]) -> Mapping[Ids, float]:
    """Name the people of pairs by their tracks.

    Args:
        pairs: Of people by their places.
        ids: (n,) track of each person.
    """
    return dict(_named(pairs, ids))


def _named(pairs: Sequence[Nearness], ids: Sequence[int]) -> Iterator[tuple[Ids, float]]:
    for pair in pairs:
        low, high = sorted((ids[pair.first], ids[pair.second]))
        yield (low, high), pair.distance_m
