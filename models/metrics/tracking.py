"""How well tracks follow true objects: CLEAR MOT and identity measures.

In every frame a track that went with an object keeps it where both are there and their IoU
suffices; what is left is paired, as many pairs as can be, at the largest sum of IoUs (Bernardin
and Stiefelhagen 2008, "Evaluating multiple object tracking performance: the CLEAR MOT metrics",
section 2.1.2). What an object last went with is remembered while it is not found. Identity
measures pair whole tracks with whole objects (Ristani et al. 2016, "Performance measures and a
data set for multi-target, multi-camera tracking", section 3).
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, fields

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import linear_sum_assignment

from models.metrics.ratios import ratio
from models.tracking.matching import overlaps

MOSTLY_TRACKED, MOSTLY_LOST = 0.8, 0.2  # share of an object's frames in which it is found
IntArray = NDArray[np.int64]
FloatArray = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class TrackTable:
    """Boxes with identities of one video; an identity is at most once in a frame."""

    frames: IntArray  # (n,)
    ids: IntArray  # (n,)
    boxes_xyxy: FloatArray  # (n, 4) pixels


@dataclass(frozen=True, slots=True)
class TrackCounts:
    """What was counted in one video, or summed over several."""

    frames: int  # with a true box or a track's
    true_boxes: int
    boxes: int
    objects: int
    tracks: int
    matches: int
    id_switches: int  # an object goes with another track than the last one it went with
    fragmentations: int  # an object that was found is not, and later is again
    mostly_tracked: int  # objects found in at least 80 % of their frames
    mostly_lost: int  # objects found in less than 20 %
    overlap: float  # sum of the matches' IoUs
    id_matches: int  # frames in which an object is with the one track that is its own (IDTP)

    @property
    def misses(self) -> int:
        """True boxes that no track is at (FN)."""
        return self.true_boxes - self.matches

    @property
    def false_positives(self) -> int:
        """Boxes of tracks that are at no object (FP)."""
        return self.boxes - self.matches

    def metrics(self) -> dict[str, float | int | None]:
        """Return what docs/tracking.md defines, by name; None where it is not defined."""
        wrong = self.misses + self.false_positives + self.id_switches
        all_boxes = self.true_boxes + self.boxes
        return {
            "mota": _share(self.true_boxes - wrong, self.true_boxes),
            "motp": _share(self.overlap, self.matches),
            "idf1": _share(2 * self.id_matches, all_boxes),
            "id_precision": _share(self.id_matches, self.boxes),
            "id_recall": _share(self.id_matches, self.true_boxes),
            "precision": _share(self.matches, self.boxes),
            "recall": _share(self.matches, self.true_boxes),
            "false_positives": self.false_positives,
            "misses": self.misses,
            "id_switches": self.id_switches,
            "fragmentations": self.fragmentations,
            "mostly_tracked": self.mostly_tracked,
            "partially_tracked": self.objects - self.mostly_tracked - self.mostly_lost,
            "mostly_lost": self.mostly_lost,
        }


def summed(counts: Sequence[TrackCounts]) -> TrackCounts:
    """Add up the counts of several videos: each box weighs the same."""
    names = [field.name for field in fields(TrackCounts)]
    return TrackCounts(**{name: sum(getattr(each, name) for each in counts) for name in names})


def count_tracks(truth: TrackTable, found: TrackTable, *, least_iou: float = 0.5) -> TrackCounts:
    """Compare the tracks of a video with its true objects.

    Args:
        truth: The objects.
        found: The tracks.
        least_iou: IoU of an object and of a track from which they may go together, in (0, 1].
    """
    going_with: dict[int, int] = {}  # object -> track that it last went with
    history: dict[int, list[bool]] = {int(each): [] for each in np.unique(truth.ids)}
    together: dict[tuple[int, int], int] = {}  # (object, track) -> frames with enough IoU
    matches, switches, overlap = 0, 0, 0.0
    frames = 0
    for objects, tracks, shares in _each_frame(truth, found):
        frames += 1
        pairs = _paired(objects, tracks, shares, going_with=going_with, least_iou=least_iou)
        for row, column in pairs.items():
            known, track = int(objects[row]), int(tracks[column])
            switches += going_with.get(known, track) != track
            going_with[known] = track
            overlap += float(shares[row, column])
        matches += len(pairs)
        for row, known in enumerate(objects.tolist()):
            history[known].append(row in pairs)
        for row, column in np.argwhere(shares >= least_iou).tolist():
            pair = int(objects[row]), int(tracks[column])
            together[pair] = together.get(pair, 0) + 1
    found_shares = [sum(each) / len(each) for each in history.values()]
    return TrackCounts(
        frames=frames,
        true_boxes=len(truth.ids),
        boxes=len(found.ids),
        objects=len(history),
        tracks=len(np.unique(found.ids)),
        matches=matches,
        id_switches=switches,
        fragmentations=sum(_gaps(each) for each in history.values()),
        mostly_tracked=sum(share >= MOSTLY_TRACKED for share in found_shares),
        mostly_lost=sum(share < MOSTLY_LOST for share in found_shares),
        overlap=overlap,
        id_matches=_id_matches(together),
    )


def _each_frame(
    truth: TrackTable, found: TrackTable
) -> Iterator[tuple[IntArray, IntArray, FloatArray]]:
    """Yield a frame's objects by number, its tracks by number, and their IoUs."""
    for frame in np.union1d(truth.frames, found.frames):
        objects, true_boxes = _in_frame(truth, frame)
        tracks, boxes = _in_frame(found, frame)
        yield objects, tracks, overlaps(true_boxes, boxes)


def _in_frame(table: TrackTable, frame: np.int64) -> tuple[IntArray, FloatArray]:
    rows = np.flatnonzero(table.frames == frame)
    rows = rows[np.argsort(table.ids[rows])]
    return table.ids[rows], table.boxes_xyxy[rows]


def _paired(
    objects: IntArray,
    tracks: IntArray,
    shares: FloatArray,
    *,
    going_with: dict[int, int],
    least_iou: float,
) -> dict[int, int]:
    """Return row -> column of `shares` (objects, tracks) of those that go together."""
    allowed = shares >= least_iou
    kept: dict[int, int] = {}
    for row, known in enumerate(objects.tolist()):
        columns = np.flatnonzero((tracks == going_with.get(known)) & allowed[row])
        if known in going_with and columns.size and int(columns[0]) not in kept.values():
            kept[row] = int(columns[0])
    allowed[list(kept)] = False
    allowed[:, list(kept.values())] = False
    # A pair that may not be costs more than all others together: it never stands in for one.
    dear = 2.0 * max(1, *shares.shape)
    rows, columns = linear_sum_assignment(np.where(allowed, 1 - shares, dear))
    new = zip(rows.tolist(), columns.tolist(), strict=True)
    return kept | {row: column for row, column in new if allowed[row, column]}


def _gaps(was_found: list[bool]) -> int:
    """Count the gaps between the first and the last frame in which an object is found."""
    at = np.flatnonzero(was_found)
    return int((np.diff(at) > 1).sum())


def _id_matches(together: dict[tuple[int, int], int]) -> int:
    """Pair objects with tracks, each with one at most, so that most frames agree."""
    if not together:
        return 0
    objects = {known: row for row, known in enumerate(sorted({pair[0] for pair in together}))}
    tracks = {track: row for row, track in enumerate(sorted({pair[1] for pair in together}))}
    counts = np.zeros((len(objects), len(tracks)), np.int64)
    for (known, track), count in together.items():
        counts[objects[known], tracks[track]] = count
    return int(counts[linear_sum_assignment(counts, maximize=True)].sum())


def _share(part: float, whole: float) -> float | None:
    value = float(ratio(part, whole))
    return None if np.isnan(value) else value
