"""Actions that only motion tells apart: what a frame shows of them, and what two frames show."""

from collections import Counter
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray
from sklearn.decomposition import PCA  # type: ignore[import-untyped]
from sklearn.ensemble import RandomForestClassifier  # type: ignore[import-untyped]
from sklearn.model_selection import GroupKFold, StratifiedKFold, cross_val_score  # type: ignore[import-untyped]
from sklearn.pipeline import make_pipeline  # type: ignore[import-untyped]

from data_pipeline.catalog import label_names
from data_pipeline.datasets.settings.generated import StreetActionsData
from data_pipeline.datasets.street_actions import SETS, build
from data_pipeline.scenes.actions import film
from data_pipeline.scenes.balloons import COLUMN_M, ROW_M, WAYS, places_m
from data_pipeline.scenes.moments import FilmShape, Motion

ACTIONS = SETS["motion_only"]
CHANCE = 1 / len(ACTIONS)
GROUPS, CLIPS = 8, 3
SHAPE = FilmShape(width=96, height=72, frames=16, rate=6)
MOTION = Motion(turning_point=0.5, pace=1, phase=0.3, to_the_left=False, offset=0.1)


@pytest.fixture(scope="module")
def films() -> NDArray[np.uint8]:
    """Films (actions, groups, clips, t, h, w) in grey."""
    drawn = [
        [
            cv2.cvtColor(frame, cv2.COLOR_RGB2GRAY)
            for frame in film(action, seed=0, group=group, clip=clip, shape=SHAPE)
        ]
        for action in ACTIONS
        for group in range(GROUPS)
        for clip in range(CLIPS)
    ]
    return np.array(drawn, np.uint8).reshape(len(ACTIONS), GROUPS, CLIPS, *np.shape(drawn)[1:])


def accuracy(values: NDArray[np.float64], *, cuts_streets: bool = False) -> float:
    """Score what a forest makes of values (films, n), of streets that it has not seen or has."""
    labels = np.repeat(np.arange(len(ACTIONS)), GROUPS * CLIPS)
    streets = None if cuts_streets else np.repeat(np.arange(len(ACTIONS) * GROUPS), CLIPS)
    forest = RandomForestClassifier(100, random_state=0)
    model = make_pipeline(PCA(20, random_state=0), forest) if values.shape[1] > 20 else forest
    cv = StratifiedKFold(4, shuffle=True, random_state=0) if cuts_streets else GroupKFold(4)
    return float(cross_val_score(model, values, labels, groups=streets, cv=cv).mean())


@pytest.fixture(scope="module")
def frames(films: NDArray[np.uint8]) -> list[NDArray[np.float64]]:
    """One frame of each film, (films, pixels) in [0, 1], at three moments."""
    flat = films.reshape(-1, *films.shape[3:])
    return [
        np.array([cv2.resize(film[t], (24, 18)).ravel() / 255 for film in flat])
        for t in (0, 8, 15)
    ]


def test_a_single_frame_does_not_tell_the_actions_apart(
    frames: list[NDArray[np.float64]],
) -> None:
    assert np.mean([accuracy(each) for each in frames]) < CHANCE + 0.12


def test_a_single_frame_tells_an_action_by_a_street_that_was_seen_before(
    frames: list[NDArray[np.float64]],
) -> None:
    assert accuracy(frames[1], cuts_streets=True) > 2 * CHANCE


def test_what_changes_from_frame_to_frame_tells_them_apart(films: NDArray[np.uint8]) -> None:
    flat = films.reshape(-1, *films.shape[3:]).astype(float)
    change, (down, across) = np.diff(flat, axis=1), np.gradient(flat[:, :-1], axis=(2, 3))
    # Lucas and Kanade's speed of a whole picture, down and across, from one frame to the next
    speeds = [
        (change * slope).sum(axis=(2, 3)) / (slope**2).sum(axis=(2, 3)) for slope in (down, across)
    ]
    values = np.concatenate([-speeds[0], np.abs(speeds[1])], axis=1)

    assert accuracy(np.sort(values.reshape(len(flat), 2, -1)).reshape(len(flat), -1)) > 0.9


@pytest.mark.parametrize("action", ACTIONS)
@pytest.mark.parametrize("second", [0.0, 0.7, 1.3, 2.5])
def test_every_shift_stays_as_probable_as_any_other(action: str, second: float) -> None:
    """What an action adds to the shift doesn't depend on the shift that a film starts with."""
    other = replace(MOTION, phase=0.8, offset=-0.6)

    assert WAYS[action](MOTION, second) == WAYS[action](other, second)


@pytest.mark.parametrize("cells", [(0, 0), (1, 0), (-2, 3)])
def test_a_lattice_shifted_by_whole_cells_is_the_same(cells: tuple[int, int]) -> None:
    def seen(across: float, up: float) -> Counter[tuple[float, float]]:
        found = places_m((across, up), half_view_m=4, heights_m=(-2, 4))
        return Counter((round(x, 6), round(y, 6)) for x, y in found)

    skew = cells[0] * 1.0  # a column hangs higher than the one to its left
    there = seen(0.4, 0.9)
    assert len(there) >= 6
    assert seen(0.4 + cells[0] * COLUMN_M, 0.9 + skew + cells[1] * ROW_M) == there


def test_balloons_go_where_their_action_says() -> None:
    def ways(action: str) -> NDArray[np.float64]:
        return np.diff([WAYS[action](MOTION, s) for s in np.arange(0, 2.5, 0.25)], axis=0)

    assert (ways("BalloonsRising")[:, 1] > 0).all()
    assert (ways("BalloonsSinking")[:, 1] < 0).all()
    assert (ways("BalloonsDrifting") != 0).any(axis=0).tolist() == [True, False]
    assert set(np.sign(ways("BalloonsBobbing")[:, 1])) == {-1, 1}
    assert np.allclose([np.abs(ways(action)).sum(axis=1) for action in ACTIONS], 0.3)


def test_they_are_read_as_the_four_classes_of_a_set(tmp_path: Path) -> None:
    fields = {"groups": 3, "videos_per_group": 1, "video_frames": 2, "video_width": 64}
    settings = StreetActionsData.model_validate(
        {"drawn_in": tmp_path, "actions": "motion_only", "video_height": 64, **fields}
    )
    train = build(settings, "action_recognition", "train")

    assert label_names(settings, "action_recognition") == ACTIONS
    assert train is not None
    assert Counter(item.classes[0] for item in train.items) == dict.fromkeys(ACTIONS, 2)
