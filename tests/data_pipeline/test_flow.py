"""Optical flow of clips: what it is, where it is kept, what refuses it."""

from dataclasses import dataclass, field
from pathlib import Path

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray
from pydantic import ValidationError

from data_pipeline.cache.sample_cache import SampleCache
from data_pipeline.datasets.settings.flow import Flow
from data_pipeline.datasets.settings.videos import Clip, VideoFields
from data_pipeline.faults import Fault
from data_pipeline.loading.decoding import VideoDecoder
from data_pipeline.loading.loaders import EpochLoader, Shuffle
from data_pipeline.loading.prepared_videos import VideoSplit
from data_pipeline.samples import STILL, ClipBatch
from data_pipeline.video.flow import ClipFlow, moved_between, quantised
from data_pipeline.video.flow_colours import flow_colours

HEIGHT, WIDTH = 48, 64
STEP = (3, -2)  # right, down from one frame of the video to the next, pixels


def texture(height: int, width: int) -> NDArray[np.uint8]:
    noise = np.random.default_rng(0).integers(0, 256, (height, width, 3), dtype=np.uint8)
    smooth = cv2.GaussianBlur(noise, (0, 0), 2).astype(np.float32)
    scaled = (smooth - smooth.min()) / (smooth.max() - smooth.min())
    return np.asarray(scaled * 255, np.uint8)


@dataclass
class Moving:
    """A video of a texture that moves by STEP each frame, back and forth."""

    image_id: str
    count: int
    label: int = 0
    files: tuple[Path, ...] = ()
    classes: tuple[str, ...] = ()
    whole: NDArray[np.uint8] = field(default_factory=lambda: texture(HEIGHT + 80, WIDTH + 120))

    @property
    def group(self) -> str:
        return self.image_id

    def faults(self) -> tuple[Fault, ...]:
        return ()

    def frame_count(self) -> int:
        return self.count

    def frames(self, indices: NDArray[np.int64], shorter_side: int) -> NDArray[np.uint8]:
        assert shorter_side == HEIGHT
        return np.stack([self.frame(int(index)) for index in indices])

    def frame(self, index: int) -> NDArray[np.uint8]:
        left, top = 60 - STEP[0] * index, 10 - STEP[1] * index
        return self.whole[top : top + HEIGHT, left : left + WIDTH]


def split_of(
    videos: list[Moving], clip: Clip, *, is_scored: bool, folder: Path | None = None
) -> VideoSplit:
    assert clip.flow is not None
    decoder = VideoDecoder(tuple(videos), HEIGHT, ClipFlow(clip.flow, clip.stride))
    cache = None
    if folder is not None:
        cache = SampleCache(folder / "samples" / "key", decoder, is_bounded=True)
    return VideoSplit(decoder, clip, 40, is_scored=is_scored, cache=cache)


def epoch(split: VideoSplit, *, seed: int | None = None) -> list[ClipBatch]:
    shuffle = None if seed is None else Shuffle(seed)
    batches = [b for b in EpochLoader(split, 2, shuffle=shuffle).epoch(1)]
    assert all(isinstance(batch, ClipBatch) for batch in batches)
    return batches  # type: ignore[return-value]  # just checked


@pytest.mark.parametrize("method", ["dis", "farneback"])
@pytest.mark.parametrize("step", [(3, -2), (-5, 4), (0, 0)])
def test_a_texture_that_moves_has_its_displacement(method: str, step: tuple[int, int]) -> None:
    whole = texture(120, 140)
    right, down = step
    frame, later = whole[20:100, 20:120], whole[20 - down : 100 - down, 20 - right : 120 - right]
    motion = moved_between(frame, later, Flow.model_validate({"method": method}))
    assert motion.shape == (80, 100, 2)
    inner = motion[16:-16, 16:-16]
    assert np.abs(inner - np.array(step)).max() < 0.2


def test_flow_does_not_depend_on_the_threads_there_are() -> None:
    whole = texture(200, 240)
    before = cv2.getNumThreads()
    try:
        motions = []
        for threads in (1, 4):
            cv2.setNumThreads(threads)
            motions.append(moved_between(whole[9:], whole[:-9], Flow()))
            assert cv2.getNumThreads() == threads
    finally:
        cv2.setNumThreads(before)
    assert (motions[0] == motions[1]).all()


def test_motion_is_kept_in_steps_up_to_the_bound() -> None:
    motion = np.array([[[0, 20], [-20, 50], [-50, 10], [0.07, -0.09]]], np.float32)
    kept = quantised(motion, 20)
    assert kept.tolist() == [[[128, 255], [1, 255], [1, 128 + 64], [128, 127]]]


@pytest.mark.parametrize("side", [1, 9, 20])
def test_small_frames_have_flow_too(side: int) -> None:
    frame = texture(side, side + 1)
    assert moved_between(frame, frame, Flow()).shape == (side, side + 1, 2)


@pytest.mark.parametrize("stride", [1, 2])
def test_a_clip_has_motion_to_its_next_frame_and_repeats_the_last(stride: int) -> None:
    clip = Clip(frames=4, stride=stride, flow=Flow(bound=10))
    [batch] = epoch(split_of([Moving("a", 12)], clip, is_scored=True))
    assert batch.clips.shape == (1, 5, 4, 40, 40)
    right, down = (batch.clips[0, channel, :, 12:-12, 12:-12].float() for channel in (3, 4))
    assert abs(float(right.mean()) - STILL - 127 * STEP[0] * stride / 10) < 0.2 * 12.7
    assert abs(float(down.mean()) - STILL - 127 * STEP[1] * stride / 10) < 0.2 * 12.7
    assert (batch.clips[0, 3:, 3] == batch.clips[0, 3:, 2]).all()
    assert (batch.clips[0, 3:, 2] != batch.clips[0, 3:, 1]).any()


def test_where_a_video_starts_anew_there_is_no_motion_back() -> None:
    clip = Clip(frames=5, flow=Flow())
    [batch] = epoch(split_of([Moving("a", 3)], clip, is_scored=True))
    flow = batch.clips[0, 3:]
    assert (flow[:, 2] == flow[:, 1]).all()  # frames 0, 1, 2, 0, 1 of the video
    assert (flow[:, 3] == flow[:, 0]).all()
    assert (flow[:, 4] == flow[:, 3]).all()


def test_a_video_of_one_frame_is_still() -> None:
    [batch] = epoch(split_of([Moving("a", 1)], Clip(frames=3, flow=Flow()), is_scored=True))
    assert (batch.clips[0, 3:] == STILL).all()


@pytest.mark.parametrize("count", [1, 4, 9])
def test_kept_clips_equal_decoded_ones(count: int, tmp_path: Path) -> None:
    videos = [Moving(f"{n}", count + n) for n in range(2)]
    clip = Clip(frames=5, stride=2, flow=Flow(), crops=3)  # loops in the short ones
    for is_scored, seed in ((True, None), (False, 7)):
        decoded = epoch(split_of(videos, clip, is_scored=is_scored), seed=seed)
        kept = split_of(videos, clip, is_scored=is_scored, folder=tmp_path)
        for one, other in zip(decoded, epoch(kept, seed=seed), strict=True):
            assert one.video_ids == other.video_ids
            assert (one.clips == other.clips).all()
        assert kept.are_kept().all()


def test_the_key_of_what_is_kept_names_method_bound_and_stride() -> None:
    flows = [
        ClipFlow(Flow(), 1),
        ClipFlow(Flow(), 2),
        ClipFlow(Flow(bound=15), 1),
        ClipFlow(Flow(method="farneback"), 1),
    ]
    keys = {flow.key() for flow in flows}
    assert len(keys) == 4
    assert all(cv2.__version__ in key for key in keys)


def test_colours_of_flow_tell_direction_and_length() -> None:
    flow = np.array([[[128, 128], [255, 128], [1, 128], [64, 128]]], np.uint8)
    still, right, left, slower = flow_colours(flow)[0].tolist()
    assert still == [0, 0, 0]
    assert right == [255, 0, 0]
    assert left == [0, 255, 255]
    assert slower[0] == 0
    assert 120 < slower[1] < 135


@pytest.mark.parametrize("name", ["elastic", "local_warp"])
def test_changes_that_bend_a_picture_are_refused_with_flow(name: str) -> None:
    with pytest.raises(ValidationError, match=f"augment '{name}' bends a picture"):
        VideoFields(dataset="x", clip=Clip(flow=Flow()), augment=[{"name": name}])
    VideoFields(dataset="x", augment=[{"name": name}])


def test_one_frame_has_no_flow() -> None:
    with pytest.raises(ValidationError, match=r"clip\.frames of at least 2, got 1"):
        VideoFields(dataset="x", clip=Clip(frames=1, flow=Flow()))


def test_weights_are_of_raft_alone() -> None:
    with pytest.raises(ValidationError, match="weights has no effect with method 'dis'"):
        Flow(weights=Path("raft.pth"))
