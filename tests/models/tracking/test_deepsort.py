"""DeepSORT's own rules: what a track is, what the cascade prefers, what the gates allow."""

import numpy as np
import pytest
from numpy.typing import NDArray

from models.tracking.deepsort import DeepSortTracker
from models.tracking.settings import DeepSortSettings, SortSettings
from models.tracking.sort import SortTracker

BOX = np.array([80.0, 160.0, 120.0, 240.0])
RIGHT = np.array([1.0, 0.0, 1.0, 0.0])
NOTHING, UNSEEN = np.zeros((0, 4)), np.zeros((0, 2))
RED, GREEN = np.array([1.0, 0.0]), np.array([0.0, 1.0])


def at(*places: float) -> NDArray[np.float64]:
    return np.stack([BOX + x * RIGHT for x in places])


def turned(degrees: float) -> NDArray[np.float64]:
    """Return a descriptor whose cosine with RED is that of the angle."""
    return np.array([np.cos(np.deg2rad(degrees)), np.sin(np.deg2rad(degrees))])


def confirmed(*places: float, looks: NDArray[np.float64], **settings: int) -> DeepSortTracker:
    """Return a tracker that saw objects in frames 0, 1 and 2."""
    tracker = DeepSortTracker(DeepSortSettings(**settings))
    for frame in range(3):
        tracker.step(frame, at(*places), appearance=looks)
    return tracker


def ids(tracker: DeepSortTracker, frame: int, x: float, look: NDArray[np.float64]) -> list[int]:
    return [each.track_id for each in tracker.step(frame, at(x), appearance=look[None])]


def test_a_track_is_shown_from_its_third_frame() -> None:
    tracker = DeepSortTracker(DeepSortSettings())
    assert [ids(tracker, frame, 0, RED) for frame in range(4)] == [[], [], [1], [1]]


def test_a_new_track_that_is_missed_once_is_forgotten() -> None:
    tracker = DeepSortTracker(DeepSortSettings())
    for frame in (0, 1):
        ids(tracker, frame, 0, RED)
    tracker.step(2, NOTHING, appearance=UNSEEN)
    assert [ids(tracker, frame, 0, RED) for frame in (3, 4, 5)] == [[], [], [2]]


@pytest.mark.parametrize(("missed", "expected"), [(29, [1]), (30, [])])
def test_a_confirmed_track_is_known_again_within_its_age(missed: int, expected: list[int]) -> None:
    tracker = confirmed(0, looks=RED[None], max_age=30)
    for frame in range(3, 3 + missed):
        tracker.step(frame, NOTHING, appearance=UNSEEN)
    assert ids(tracker, 3 + missed, 0, RED) == expected


def test_what_was_seen_last_chooses_first() -> None:
    tracker = confirmed(0, 30, looks=np.stack([RED, turned(20)]))
    for frame in range(3, 6):  # the first is hidden
        tracker.step(frame, at(30), appearance=turned(20)[None])
    # Both may have it: cosine distances 0 of the first, 1 - cos 20° = 0.06 of the second.
    assert ids(tracker, 6, 15, RED) == [2]


def test_appearance_tells_apart_what_overlap_confuses() -> None:
    looks = np.stack([RED, GREEN])
    deep, plain = confirmed(0, 24, looks=looks), SortTracker(SortSettings())
    for frame in range(3):
        plain.step(frame, at(0, 24))
    swapped = at(24, 0)  # the two change places within a frame
    tracks = deep.step(3, swapped, appearance=looks)
    assert {each.track_id: each.box_xyxy[0] > 92 for each in tracks} == {1: True, 2: False}
    boxes = plain.step(3, swapped)
    assert {each.track_id: each.box_xyxy[0] > 92 for each in boxes} == {1: False, 2: True}


def test_the_gate_of_motion_bars_what_looks_alike() -> None:
    assert ids(confirmed(0, looks=RED[None]), 3, 20, RED) == [1]
    assert ids(confirmed(0, looks=RED[None]), 3, 200, RED) == []


@pytest.mark.parametrize(("degrees", "expected"), [(36, [1]), (38, [])])
def test_the_gate_of_appearance_is_a_cosine_distance(degrees: float, expected: list[int]) -> None:
    # 1 - cos 36° = 0.191, 1 - cos 38° = 0.212. Two frames later overlap no longer counts.
    tracker = confirmed(0, looks=RED[None])
    tracker.step(3, NOTHING, appearance=UNSEEN)
    assert ids(tracker, 4, 0, turned(degrees)) == expected


def test_overlap_finds_what_changed_its_looks_in_the_last_frame() -> None:
    assert ids(confirmed(0, looks=RED[None]), 3, 2, GREEN) == [1]
    assert ids(confirmed(0, looks=RED[None]), 3, 25, GREEN) == []  # IoU 15 / 65 = 0.23 < 0.3


@pytest.mark.parametrize(("size", "expected"), [(1, []), (2, [1])])
def test_a_gallery_holds_the_last_looks(size: int, expected: list[int]) -> None:
    tracker = confirmed(0, looks=RED[None], gallery_size=size)
    ids(tracker, 3, 0, GREEN)
    tracker.step(4, NOTHING, appearance=UNSEEN)
    assert ids(tracker, 5, 0, RED) == expected


def test_descriptors_count_by_direction_alone() -> None:
    tracker = confirmed(0, looks=RED[None])
    tracker.step(3, NOTHING, appearance=UNSEEN)
    assert ids(tracker, 4, 0, 0.01 * RED) == [1]


def test_without_appearance_the_nearest_by_motion_is_taken() -> None:
    tracker = DeepSortTracker(DeepSortSettings(use_appearance=False))
    for frame in range(3):
        tracker.step(frame, at(0, 100))
    tracker.step(3, NOTHING)
    tracks = tracker.step(4, at(95, 5))
    assert [(each.track_id, each.box_xyxy[0] < 130) for each in tracks] == [(1, True), (2, False)]


def test_doubtful_detections_are_left_out() -> None:
    tracker = DeepSortTracker(DeepSortSettings(use_appearance=False, n_init=1))
    tracks = tracker.step(0, at(0, 200), scores=np.array([0.29, 0.3]))
    assert [each.box_xyxy[0] for each in tracks] == pytest.approx([280])


def test_a_missed_track_is_shown_where_it_is_expected_when_asked_for() -> None:
    tracker = confirmed(0, looks=RED[None], shown_age=1)
    shown = [tracker.step(frame, NOTHING, appearance=UNSEEN) for frame in (3, 4)]
    assert [[each.time_since_update for each in tracks] for tracks in shown] == [[1], []]


def test_appearance_is_given_if_and_only_if_it_is_compared() -> None:
    with pytest.raises(ValueError, match="must be given appearance with every detection"):
        DeepSortTracker(DeepSortSettings()).step(0, at(0))
    with pytest.raises(ValueError, match="no effect with use_appearance: false"):
        DeepSortTracker(DeepSortSettings(use_appearance=False)).step(
            0, at(0), appearance=RED[None]
        )


@pytest.mark.parametrize(
    ("looks", "message"),
    [
        (np.ones((2, 3)), r"appearance must be \(1, d\).*got \(2, 3\)"),
        (np.zeros((1, 3)), "must not be all 0 in a row"),
        (np.full((1, 3), np.inf), "appearance must be finite"),
    ],
)
def test_descriptors_that_cannot_be_are_refused(looks: NDArray[np.float64], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        DeepSortTracker(DeepSortSettings()).step(0, at(0), appearance=looks)
