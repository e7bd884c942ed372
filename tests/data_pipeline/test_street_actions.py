"""Generated action videos: the same bytes for the same seed, and UCF101's reader reads them."""

import multiprocessing
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest

from data_pipeline.catalog import check_data, data_fingerprint, label_names
from data_pipeline.datasets.drawn_folder import MARKER
from data_pipeline.datasets.settings.generated import StreetActionsData
from data_pipeline.datasets.street_actions import SETS, build, drawn_videos, write_videos
from data_pipeline.errors import InvalidDataError
from data_pipeline.scenes.actions import car_place, film
from data_pipeline.scenes.moments import FilmShape, Motion

TASK = "action_recognition"
EVERYDAY = SETS["everyday"]
SHAPE = FilmShape(width=96, height=72, frames=9, rate=4)


def small(folder: Path, **changes: int | str) -> StreetActionsData:
    fields = {
        "groups": 3,
        "videos_per_group": 2,
        "video_frames": 3,
        "video_width": 64,
        "video_height": 64,
    }
    return StreetActionsData.model_validate({"drawn_in": folder, **fields, **changes})


def contents(root: Path) -> dict[str, bytes]:
    files = (file for file in sorted(root.rglob("*")) if file.is_file() and file.name != MARKER)
    return {str(file.relative_to(root)): file.read_bytes() for file in files}


@pytest.fixture(scope="module")
def drawn(tmp_path_factory: pytest.TempPathFactory) -> StreetActionsData:
    """A few small videos of every action."""
    settings = small(tmp_path_factory.mktemp("actions"))
    drawn_videos(settings)
    return settings


def test_same_seed_writes_the_same_bytes(drawn: StreetActionsData, tmp_path: Path) -> None:
    write_videos(tmp_path / "again", drawn)
    assert contents(tmp_path / "again") == contents(drawn_videos(drawn))
    write_videos(tmp_path / "other", drawn.model_copy(update={"video_seed": 1}))
    assert contents(tmp_path / "other") != contents(drawn_videos(drawn))


def test_videos_are_read_as_ucf101_in_whole_groups(drawn: StreetActionsData) -> None:
    assert check_data(drawn) == []
    assert label_names(drawn, TASK) == EVERYDAY
    train, test = build(drawn, TASK, "train"), build(drawn, TASK, "test")
    assert train is not None
    assert test is not None
    assert (len(train), len(test)) == (7 * 2 * 2, 7 * 1 * 2)
    assert not train.faults
    assert not test.faults
    assert not {i.group for i in train.items} & {i.group for i in test.items}
    assert {i.classes[0] for i in test.items} == set(EVERYDAY)
    assert build(drawn, TASK, "val") is None
    for item in test.items:
        assert item.frame_count() == 3  # type: ignore[attr-defined]
        frames = item.frames(np.arange(3), 64)  # type: ignore[attr-defined]
        assert frames.shape == (3, 64, 64, 3)
        assert frames.std() > 10


def test_chosen_classes_alone_are_listed(drawn: StreetActionsData) -> None:
    chosen = drawn.model_copy(update={"classes": ["LightTurnsRed", "CarPassing"]})
    train = build(chosen, TASK, "train")
    assert train is not None
    assert {i.classes[0]: i.label for i in train.items} == {  # type: ignore[attr-defined]
        "LightTurnsRed": 0,
        "CarPassing": 1,
    }


@pytest.mark.parametrize("action", [*EVERYDAY, *SETS["motion_only"]])
def test_something_moves_in_front_of_a_street_that_does_not(action: str) -> None:
    frames = np.stack(list(film(action, seed=0, group=1, clip=1, shape=SHAPE))).astype(int)
    changed = np.abs(np.diff(frames, axis=0)).max(axis=(0, 3)) > 25
    assert 0.001 < changed.mean() < 0.75
    assert frames.shape == (9, 72, 96, 3)


def test_clips_of_a_group_share_their_street_and_others_do_not() -> None:
    first, second, other = (
        next(iter(film("PersonWaving", seed=0, group=group, clip=clip, shape=SHAPE)))
        for group, clip in ((1, 1), (1, 2), (2, 1))
    )
    edges = [
        np.abs(np.diff(f.astype(int).mean(axis=2), axis=0)) > 12 for f in (first, second, other)
    ]
    same = (edges[0] & edges[1]).sum() / (edges[0] | edges[1]).sum()
    different = (edges[0] & edges[2]).sum() / (edges[0] | edges[2]).sum()
    assert same > 2 * different


def test_lights_change_once_and_each_the_other_way() -> None:
    def greenness(action: str, group: int) -> list[float]:
        frames = film(action, seed=0, group=group, clip=1, shape=SHAPE)
        return [float((f[..., 1].astype(int) - f[..., 0]).max()) for f in frames]

    for group in (1, 2, 3):
        to_green = greenness("LightTurnsGreen", group)
        to_red = greenness("LightTurnsRed", group)
        assert to_green[-1] > to_green[0] + 30
        assert to_red[0] > to_red[-1] + 30
        for series in (to_green, to_red):
            steps = [abs(after - before) for before, after in pairwise(series)]
            assert sum(step > 30 for step in steps) == 1


def test_a_stopping_car_comes_in_fast_and_then_stands() -> None:
    motion = Motion(turning_point=0.5, pace=1, phase=0, to_the_left=False, offset=0)
    places = [car_place(motion, share) for share in np.linspace(0, 1, 11)]
    steps = np.diff(places)
    assert (steps >= 0).all()
    assert steps[0] > 0.1
    assert not steps[-3:].any()


def test_frames_of_both_car_actions_show_the_car_at_the_same_places_on_average() -> None:
    motion = Motion(turning_point=0.5, pace=1, phase=0, to_the_left=False, offset=0)
    offsets, shares = np.linspace(-1, 1, 21), np.linspace(0, 1, 33)
    stopping = [
        car_place(replace(motion, offset=float(o), turning_point=float(t)), float(s))
        for o in offsets for t in np.linspace(0.35, 0.65, 7) for s in shares
    ]  # fmt: skip
    assert abs(np.mean(stopping)) < 0.05  # a starting car's places are these, negated


def test_videos_are_drawn_once_and_other_settings_elsewhere(
    drawn: StreetActionsData, tmp_path: Path
) -> None:
    folder = drawn_videos(drawn)
    before = (folder / "complete").stat().st_mtime_ns
    assert drawn_videos(drawn) == folder
    assert (folder / "complete").stat().st_mtime_ns == before
    assert [entry.name for entry in folder.parent.iterdir()] == [folder.name]
    others = [drawn, *(small(tmp_path, **{name: 4}) for name in ("groups", "video_frames"))]
    others += [small(tmp_path, video_width=66), small(tmp_path, actions="motion_only")]
    assert len({data_fingerprint(settings) for settings in others}) == len(others)
    chosen = drawn.model_copy(update={"classes": ["CarPassing"], "image_size": 32})
    assert data_fingerprint(chosen) == data_fingerprint(drawn)


def test_unfinished_folder_is_named(tmp_path: Path) -> None:
    settings = small(tmp_path, videos_per_group=1, video_frames=2)
    folder = drawn_videos(settings)
    (folder / "complete").unlink()
    with pytest.raises(InvalidDataError, match=r"has no file 'complete'; delete the folder"):
        drawn_videos(settings)


def test_two_processes_that_draw_at_once_agree(tmp_path: Path) -> None:
    settings = small(tmp_path, videos_per_group=1, video_frames=2)
    with multiprocessing.get_context("spawn").Pool(2) as pool:
        first, second = pool.map(drawn_videos, [settings] * 2, chunksize=1)
    assert first == second
    assert list(tmp_path.iterdir()) == [first]


def test_unknown_class_is_named_and_nothing_is_drawn(tmp_path: Path) -> None:
    settings = small(tmp_path).model_copy(update={"classes": ["CarPasing"]})
    [problem] = check_data(settings)
    assert "'CarPasing'; did you mean 'CarPassing'?" in problem
    assert list(tmp_path.iterdir()) == []
