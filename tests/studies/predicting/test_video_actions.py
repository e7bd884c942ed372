"""Windows of actions: the clips of the study, each told to the frames around its middle."""

import csv
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import cast

import numpy as np
import pytest
import torch

from data_pipeline.datasets.dataset import VideoItem
from data_pipeline.datasets.settings.videos import Clip, UCF101Data
from data_pipeline.loading.decoding import VideoDecoder
from data_pipeline.loading.prepared_videos import VideoSplit
from data_pipeline.loading.unlabelled import clip_inputs
from data_pipeline.source import open_data
from data_pipeline.video.clips import clip_indices, shorter_side, view_starts
from data_pipeline.video.flow import ClipFlow
from data_pipeline.video.reading import frame_count, read_frames
from data_pipeline.video.writing import write_video
from models.predictions import ClassProbabilities
from studies.predicting.choosing import ChosenRun
from studies.predicting.networks import open_networks
from studies.predicting.video_actions import ActionTimeline, ActionWindow, NetworkActions
from studies.predicting.video_wishes import Cast, VideoWishes
from studies.predicting.videos import Hooks, predict_videos

CPU = torch.device("cpu")
Runs = Callable[[str], ChosenRun]


@pytest.fixture
def actions(untrained: Runs) -> NetworkActions:
    """Return a network of clips of 8 frames, every other one: windows of 15."""
    run = untrained("action_recognition")
    settings = run.members[0].settings.data
    assert isinstance(settings, UCF101Data)
    return NetworkActions(open_networks(run, CPU).applied[0], settings)


def noise(folder: Path, count: int) -> Path:
    """Write a video that is never twice the same."""
    random = np.random.default_rng(0)
    frames = (random.integers(0, 256, (48, 64, 3), np.uint8) for _ in range(count))
    write_video(folder / f"{count}.avi", frames, size_hw=(48, 64), rate=25)
    return folder / f"{count}.avi"


@pytest.mark.parametrize("flow", [None, {"method": "farneback"}])
def test_a_window_is_the_clip_that_the_study_scores(
    real_data: Path, flow: dict[str, str] | None
) -> None:
    clip = Clip.model_validate(
        {"frames": 4, "stride": 3, "shorter_side": 40, "crops": 3, "flow": flow}
    )
    settings = UCF101Data(root=real_data / "ucf101_mini", image_size=32, clip=clip)
    item = open_data(settings, "action_recognition", 0).dataset("train").items[0]
    motion = None if clip.flow is None else ClipFlow(clip.flow, clip.stride)
    decoder = VideoDecoder((cast("VideoItem", item),), shorter_side(settings), motion)
    split = VideoSplit(decoder, clip, 32, is_scored=True)
    total = frame_count(item.files[0])
    [start] = view_starts(total, frames=4, stride=3, views=1)
    indices = clip_indices(total, frames=4, stride=3, start=start)
    frames = read_frames(item.files[0], indices, shorter_side(settings))
    inputs = clip_inputs(frames, indices, settings)
    assert len(inputs) == 3
    for crop, pixels in enumerate(inputs):
        scored = split.decode((crop, 0)).frames
        assert np.array_equal(pixels.permute(1, 2, 3, 0).numpy(), scored)


def test_windows_are_what_reading_their_frames_gives(
    actions: NetworkActions, tmp_path: Path
) -> None:
    file = noise(tmp_path, 40)
    windows = list(actions.windows(file, 10))
    assert [(each.start_frame, each.end_frame) for each in windows] == [
        (0, 14),
        (10, 24),
        (20, 34),
    ]
    assert windows[1].start_s == pytest.approx(10 / 25)
    for window in windows:
        indices = np.arange(window.start_frame, window.end_frame + 1, 2)
        frames = read_frames(file, indices, 36)
        [said] = actions.network.predict(clip_inputs(frames, indices, actions.settings))
        assert isinstance(said, ClassProbabilities)
        assert window.probabilities == pytest.approx(said.values.numpy(), abs=1e-6)
        assert window.probabilities.sum() == pytest.approx(1)


def test_a_video_shorter_than_a_window_is_looped(actions: NetworkActions, tmp_path: Path) -> None:
    file = noise(tmp_path, 9)
    [window] = actions.windows(file, 5)
    assert (window.start_frame, window.end_frame) == (0, 8)
    indices = clip_indices(9, frames=8, stride=2, start=0)
    frames = read_frames(file, indices, 36)
    [said] = actions.network.predict(clip_inputs(frames, indices, actions.settings))
    assert isinstance(said, ClassProbabilities)
    assert window.probabilities == pytest.approx(said.values.numpy(), abs=1e-6)


def test_a_frame_is_told_the_window_whose_middle_is_nearest() -> None:
    def windows() -> Iterator[ActionWindow]:
        for start in (0, 10, 20):
            yield ActionWindow(start, start + 14, 0, 0, probabilities=np.zeros(1))

    timeline = ActionTimeline(windows())
    told = [timeline.at(number).start_frame for number in range(45)]
    expected = [min((0, 10, 20), key=lambda s: (abs(s + 7 - n), -s)) for n in range(45)]
    assert told == expected


def test_a_study_of_actions_alone_predicts_a_video(untrained: Runs, tmp_path: Path) -> None:
    file = noise(tmp_path, 40)
    [done] = predict_videos(
        Cast(actions=untrained("action_recognition")),
        [str(file)],
        tmp_path / "out",
        wishes=VideoWishes(),
        device=CPU,
        hooks=Hooks(lambda *_: None),
    )
    folder = tmp_path / "out" / "40"
    with (folder / "actions.csv").open(newline="") as stream:
        table = list(csv.DictReader(stream))
    starts = sorted({int(row["start_frame"]) for row in table})
    assert starts == [0, 7, 14, 21]  # a window of 15 every 7
    assert [row["rank"] for row in table[:3]] == ["1", "2", "3"]
    assert sum(float(row["probability"]) for row in table[:3]) == pytest.approx(1, abs=1e-5)
    record = json.loads((folder / "prediction.json").read_text())
    shares = record["found"]["actions"]["mean_probabilities"]
    assert record["found"]["actions"]["windows"] == 4
    assert list(shares.values()) == sorted(shares.values(), reverse=True)
    assert set(shares) == {"walking", "waving", "falling"}
    assert done.record is not None
    assert done.record.frames == 40


@pytest.mark.parametrize(("frames", "starts"), [(12, []), (25, [0, 7])])
def test_a_stopped_video_has_no_action_past_its_end(
    untrained: Runs, tmp_path: Path, frames: int, starts: list[int]
) -> None:
    is_stopped = iter([*[False] * frames, True]).__next__
    [done] = predict_videos(
        Cast(actions=untrained("action_recognition")),
        [str(noise(tmp_path, 40))],
        tmp_path / "out",
        wishes=VideoWishes(),
        device=CPU,
        hooks=Hooks(lambda *_: None, is_stopped),
    )
    assert done.record is not None
    assert (done.record.frames, done.record.was_stopped) == (frames, True)
    with (tmp_path / "out" / "40" / "actions.csv").open(newline="") as stream:
        assert sorted({int(row["start_frame"]) for row in csv.DictReader(stream)}) == starts
    found = done.record.content["found"]["actions"]
    assert found["windows"] == len(starts)
    assert bool(found["mean_probabilities"]) == bool(starts)
