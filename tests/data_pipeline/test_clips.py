"""Which frames and squares make a clip."""

import numpy as np
import pytest
from pydantic import ValidationError

from data_pipeline.datasets.settings.generated import StreetActionsData
from data_pipeline.video.clips import (
    clip_indices,
    cut_square,
    random_corner,
    random_start,
    shorter_side,
    view_corners,
    view_starts,
)


@pytest.mark.parametrize(
    ("frame_count", "frames", "stride", "start", "expected"),
    [
        (10, 3, 1, 0, [0, 1, 2]),
        (10, 3, 2, 5, [5, 7, 9]),
        (10, 1, 64, 9, [9]),
        (3, 7, 1, 0, [0, 1, 2, 0, 1, 2, 0]),
        (5, 4, 2, 0, [0, 2, 4, 1]),
        (1, 3, 4, 0, [0, 0, 0]),
    ],
)
def test_a_clip_is_every_so_many_frames_and_short_videos_loop(
    frame_count: int, frames: int, stride: int, start: int, expected: list[int]
) -> None:
    indices = clip_indices(frame_count, frames=frames, stride=stride, start=start)
    assert indices.tolist() == expected
    assert indices.dtype == np.int64


@pytest.mark.parametrize("wrong", [{"frames": 0}, {"stride": 0}, {"start": -1}])
def test_a_clip_that_cannot_be_is_refused(wrong: dict[str, int]) -> None:
    with pytest.raises(ValueError, match="a clip needs a video with a frame"):
        clip_indices(10, **({"frames": 2, "stride": 1, "start": 0} | wrong))
    with pytest.raises(ValueError, match="frame_count=0"):
        clip_indices(0, frames=1, stride=1, start=0)


def test_random_starts_are_all_places_where_the_clip_fits() -> None:
    random = np.random.default_rng(0)
    starts = {random_start(12, frames=3, stride=4, random=random) for _ in range(200)}
    assert starts == {0, 1, 2, 3}


def test_a_video_that_loops_starts_at_its_start() -> None:
    random = np.random.default_rng(0)
    assert {random_start(8, frames=3, stride=4, random=random) for _ in range(20)} == {0}
    assert view_starts(8, frames=3, stride=4, views=3) == (0, 0, 0)


@pytest.mark.parametrize(
    ("frame_count", "views", "expected"),
    [
        (100, 1, (42,)),
        (100, 2, (0, 84)),
        (100, 4, (0, 28, 56, 84)),
        (17, 3, (0, 0, 1)),
        (16, 1, (0,)),
    ],
)
def test_views_are_spread_evenly_and_one_is_in_the_middle(
    frame_count: int, views: int, expected: tuple[int, ...]
) -> None:
    assert view_starts(frame_count, frames=16, stride=1, views=views) == expected


@pytest.mark.parametrize(
    ("size_hw", "crops", "expected"),
    [
        ((128, 171), 1, ((8, 29),)),
        ((128, 171), 3, ((8, 0), (8, 30), (8, 59))),
        ((171, 128), 3, ((0, 8), (30, 8), (59, 8))),
        ((112, 112), 3, ((0, 0), (0, 0), (0, 0))),
    ],
)
def test_scored_squares_are_in_the_middle_or_along_the_longer_side(
    size_hw: tuple[int, int], crops: int, expected: tuple[tuple[int, int], ...]
) -> None:
    assert view_corners(size_hw, 112, crops=crops) == expected


def test_random_squares_reach_every_corner_and_stay_inside() -> None:
    random = np.random.default_rng(0)
    corners = [random_corner((10, 12), 8, random=random) for _ in range(300)]
    assert {top for top, _ in corners} == {0, 1, 2}
    assert {left for _, left in corners} == {0, 1, 2, 3, 4}


def test_a_square_larger_than_the_frames_is_refused() -> None:
    with pytest.raises(ValueError, match="must fit into frames of 100 x 120 pixels, got side 112"):
        view_corners((100, 120), 112, crops=1)


def test_a_cut_square_is_that_part_of_every_frame() -> None:
    frames = np.arange(2 * 4 * 5 * 3, dtype=np.uint8).reshape(2, 4, 5, 3)
    cut = cut_square(frames, (1, 2), 3)
    assert cut.shape == (2, 3, 3, 3)
    assert np.array_equal(cut[1], frames[1, 1:4, 2:5])


def test_frames_are_scaled_to_an_eighth_more_than_the_square() -> None:
    assert shorter_side(StreetActionsData(image_size=112)) == 128
    chosen = StreetActionsData.model_validate({"image_size": 112, "clip": {"shorter_side": 112}})
    assert shorter_side(chosen) == 112


def test_frames_smaller_than_the_square_are_refused() -> None:
    with pytest.raises(
        ValidationError, match=r"clip\.shorter_side must be at least image_size 112"
    ):
        StreetActionsData.model_validate({"image_size": 112, "clip": {"shorter_side": 100}})
