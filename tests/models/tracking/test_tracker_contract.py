"""What holds of every tracker."""

import numpy as np
import pytest
from numpy.typing import NDArray

from models.tracking.settings import DeepSortSettings, SortSettings
from models.tracking.tracker import BUILDERS, Tracker, build_tracker

SETTINGS = (SortSettings(max_age=3), DeepSortSettings(use_appearance=False))
WALK = np.array([10.0, 20.0, 50.0, 100.0])
NOTHING = np.zeros((0, 4))
RIGHT = np.array([1.0, 0.0, 1.0, 0.0])


@pytest.fixture(params=SETTINGS, ids=lambda each: each.name)
def tracker(request: pytest.FixtureRequest) -> Tracker:
    return build_tracker(request.param)


def walked(frame: int, *offsets: float) -> NDArray[np.float64]:
    """Return boxes that go 2 pixels a frame to the right."""
    return np.stack([WALK + (2 * frame + x) * RIGHT for x in offsets])


def test_every_tracker_is_tested() -> None:
    assert {each.name for each in SETTINGS} == set(BUILDERS)


def test_objects_keep_their_numbers(tracker: Tracker) -> None:
    for frame in range(12):
        tracks = tracker.step(frame, walked(frame, 0, 200))
    assert [each.track_id for each in tracks] == [1, 2]
    assert [each.time_since_update for each in tracks] == [0, 0]
    np.testing.assert_allclose([each.box_xyxy for each in tracks], walked(11, 0, 200), atol=2)


def test_detections_may_come_in_any_order(tracker: Tracker) -> None:
    for frame in range(12):
        boxes = walked(frame, 0, 200)[:: -1 if frame % 2 else 1]
        tracks = tracker.step(frame, boxes)
    assert [each.track_id for each in tracks] == [1, 2]
    assert tracks[0].box_xyxy[0] < tracks[1].box_xyxy[0]


def test_scores_and_labels_are_those_of_the_last_detection(tracker: Tracker) -> None:
    for frame in range(5):
        tracks = tracker.step(
            frame, walked(frame, 0), scores=np.array([0.5 + frame / 10]), labels=np.array([7])
        )
    assert [each.score for each in tracks] == pytest.approx([0.9])
    assert [each.label for each in tracks] == [7]


def test_a_detection_of_another_label_is_another_object(tracker: Tracker) -> None:
    for frame in range(5):
        tracker.step(frame, walked(frame, 0), labels=np.array([0]))
    for frame in range(5, 10):
        tracks = tracker.step(frame, walked(frame, 0), labels=np.array([1]))
    assert [(each.track_id, each.label) for each in tracks] == [(2, 1)]


def test_an_object_that_is_missed_for_a_frame_keeps_its_number(tracker: Tracker) -> None:
    for frame in range(14):
        is_missed = frame == 8
        tracks = tracker.step(frame, NOTHING if is_missed else walked(frame, 0))
        assert not (is_missed and tracks)
    assert [each.track_id for each in tracks] == [1]


def test_a_number_is_never_given_again(tracker: Tracker) -> None:
    for frame in range(5):
        tracker.step(frame, walked(frame, 0))
    for frame in range(5, 50):
        tracker.step(frame, NOTHING)
    for frame in range(50, 55):
        tracks = tracker.step(frame, walked(frame, 0))
    assert [each.track_id for each in tracks] == [2]


def test_frames_that_nobody_looked_at_make_no_track_older(tracker: Tracker) -> None:
    for frame in range(0, 400, 40):
        tracks = tracker.step(frame, walked(frame // 40, 0))
    assert [each.track_id for each in tracks] == [1]


def test_boxes_without_area_are_left_out(tracker: Tracker) -> None:
    for frame in range(5):
        flat = np.array([[3.0, 3.0, 3.0, 9.0], [9.0, 9.0, 5.0, 12.0]])
        tracks = tracker.step(frame, np.vstack([flat, walked(frame, 0)]))
    assert [each.track_id for each in tracks] == [1]


def test_a_video_without_detections_has_no_tracks(tracker: Tracker) -> None:
    assert [tracker.step(frame, NOTHING) for frame in range(3)] == [(), (), ()]


@pytest.mark.parametrize(
    ("boxes", "given", "message"),
    [
        (np.zeros((2, 3)), {}, r"boxes_xyxy must be \(n, 4\), got \(2, 3\)"),
        (WALK[None] * np.nan, {}, "boxes_xyxy must be finite"),
        (WALK[None], {"scores": np.ones(2)}, r"scores must be \(1,\).*got \(2,\)"),
        (WALK[None], {"labels": np.ones((1, 1), np.int64)}, r"labels must be \(1,\)"),
    ],
)
def test_what_cannot_be_is_refused(
    tracker: Tracker,
    boxes: NDArray[np.float64],
    given: dict[str, NDArray[np.float64]],
    message: str,
) -> None:
    with pytest.raises(ValueError, match=message):
        tracker.step(0, boxes, **given)  # type: ignore[arg-type]  # one of them is wrong


def test_frames_go_forward(tracker: Tracker) -> None:
    tracker.step(4, NOTHING)
    with pytest.raises(ValueError, match="after that of the last step, 4, got 4"):
        tracker.step(4, NOTHING)
