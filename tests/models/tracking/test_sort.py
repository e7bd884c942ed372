"""SORT's own rules."""

import numpy as np
import pytest
from numpy.typing import NDArray

from models.tracking.settings import SortSettings
from models.tracking.sort import SortTracker

BOX = np.array([[10.0, 20.0, 50.0, 100.0]])
NOTHING = np.zeros((0, 4))


def moved(x: float) -> NDArray[np.float64]:
    """Return the box so many pixels further right."""
    box: NDArray[np.float64] = BOX + np.array([x, 0, x, 0])
    return box


def test_a_track_is_shown_at_once_in_the_first_frames_and_later_after_min_hits() -> None:
    early = SortTracker(SortSettings())
    assert [len(early.step(frame, BOX)) for frame in range(5)] == [1, 1, 1, 1, 1]
    late = SortTracker(SortSettings())
    for frame in range(3):
        late.step(frame, NOTHING)
    assert [len(late.step(frame, BOX)) for frame in range(3, 8)] == [0, 0, 0, 1, 1]


def test_a_track_ends_when_it_is_missed_more_often_than_max_age() -> None:
    for missed, expected in ((1, 1), (2, 2)):
        tracker = SortTracker(SortSettings(max_age=1))
        for frame in range(5):
            tracker.step(frame, BOX)
        for frame in range(5, 5 + missed):
            tracker.step(frame, NOTHING)
        for frame in range(10, 15):
            tracks = tracker.step(frame, BOX)
        assert [each.track_id for each in tracks] == [expected]


def test_a_track_that_was_missed_is_shown_again_after_min_hits() -> None:
    tracker = SortTracker(SortSettings(max_age=1, min_hits=3))
    for frame in range(5):
        tracker.step(frame, BOX)
    tracker.step(5, NOTHING)
    assert [len(tracker.step(frame, BOX)) for frame in range(6, 10)] == [0, 0, 1, 1]


def test_boxes_that_overlap_too_little_are_of_another_object() -> None:
    tracker = SortTracker(SortSettings(least_iou=0.3, min_hits=0))
    tracker.step(0, BOX)
    # Moved by 22 of 40 pixels: IoU 18 / 62 = 0.29; by 21: 19 / 61 = 0.31.
    assert [each.track_id for each in tracker.step(1, moved(22))] == [2]
    other = SortTracker(SortSettings(least_iou=0.3, min_hits=0))
    other.step(0, BOX)
    assert [each.track_id for each in other.step(1, moved(21))] == [1]


def test_pairs_overlap_most_in_all() -> None:
    tracker = SortTracker(SortSettings(min_hits=0))
    tracker.step(0, np.vstack([BOX, moved(20)]))
    # The first detection overlaps both tracks alike; the second only the first of them.
    tracks = tracker.step(1, np.vstack([moved(10), moved(-10)]))
    left, right = sorted(tracks, key=lambda each: each.box_xyxy[0])
    assert (left.track_id, right.track_id) == (1, 2)


def test_a_missed_track_is_shown_where_it_is_expected_when_asked_for() -> None:
    tracker = SortTracker(SortSettings(max_age=5, shown_age=2))
    for frame in range(6):
        tracker.step(frame, moved(4 * frame))
    shown = [tracker.step(frame, NOTHING) for frame in range(6, 9)]
    assert [[each.time_since_update for each in tracks] for tracks in shown] == [[1], [2], []]
    assert shown[1][0].box_xyxy[0] == pytest.approx(10 + 4 * 7, abs=1)


def test_detections_below_the_least_score_are_left_out() -> None:
    tracker = SortTracker(SortSettings(least_score=0.5, min_hits=0))
    tracks = tracker.step(0, np.vstack([BOX, BOX + 100]), scores=np.array([0.49, 0.5]))
    assert [each.box_xyxy[0] for each in tracks] == pytest.approx([110])


def test_appearance_is_refused() -> None:
    with pytest.raises(ValueError, match="sort compares no appearance; leave it out"):
        SortTracker(SortSettings()).step(0, BOX, appearance=np.ones((1, 3)))
