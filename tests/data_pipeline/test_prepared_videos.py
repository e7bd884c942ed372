"""Clips: which frames and squares, kept or decoded alone."""

from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from data_pipeline.cache.sample_cache import SampleCache
from data_pipeline.datasets.settings.flow import Flow
from data_pipeline.datasets.settings.videos import Clip
from data_pipeline.faults import Fault
from data_pipeline.loading import decoding
from data_pipeline.loading.decoding import VideoDecoder
from data_pipeline.loading.loaders import EpochLoader, Shuffle
from data_pipeline.loading.prepared_videos import VideoSplit
from data_pipeline.samples import ClipBatch
from data_pipeline.video.flow import ClipFlow

HEIGHT, WIDTH = 12, 16


@dataclass
class Numbered:
    """A video whose frame n has the value n, its columns their number; it notes its reads."""

    image_id: str
    count: int
    label: int = 0
    read: list[int] = field(default_factory=list)
    files: tuple[Path, ...] = ()
    classes: tuple[str, ...] = ()

    @property
    def group(self) -> str:
        return self.image_id

    def faults(self) -> tuple[Fault, ...]:
        return ()

    def frame_count(self) -> int:
        return self.count

    def frames(self, indices: NDArray[np.int64], shorter_side: int) -> NDArray[np.uint8]:
        assert shorter_side == HEIGHT
        assert (np.diff(indices) > 0).all()
        self.read += [int(index) for index in indices]
        pixels = np.zeros((len(indices), HEIGHT, WIDTH, 3), np.uint8)
        pixels[..., 0] = indices[:, None, None]
        pixels[..., 1] = np.arange(WIDTH)
        pixels[..., 2] = np.arange(HEIGHT)[:, None]
        return pixels


def split_of(
    videos: list[Numbered], clip: Clip, *, is_scored: bool, folder: Path | None = None
) -> VideoSplit:
    decoder = VideoDecoder(tuple(videos), HEIGHT)
    cache = None
    if folder is not None:
        cache = SampleCache(folder / "samples" / "key", decoder, is_bounded=True)
    return VideoSplit(decoder, clip, 8, is_scored=is_scored, cache=cache)


def epoch(split: VideoSplit, number: int = 1, *, seed: int | None = None) -> list[ClipBatch]:
    shuffle = None if seed is None else Shuffle(seed)
    batches = list(EpochLoader(split, 2, shuffle=shuffle).epoch(number))
    assert all(isinstance(batch, ClipBatch) for batch in batches)
    return batches  # type: ignore[return-value]  # just checked


def starts(batches: list[ClipBatch]) -> list[int]:
    return [int(clip[0, 0, 0, 0]) for batch in batches for clip in batch.clips]


@pytest.mark.parametrize("is_kept", [False, True])
def test_scored_clips_are_every_view_and_crop_in_order(is_kept: bool, tmp_path: Path) -> None:
    videos = [Numbered("a", 11, 3), Numbered("b", 21, 4)]
    clip = Clip(frames=3, stride=2, views=2, crops=3)
    split = split_of(videos, clip, is_scored=True, folder=tmp_path if is_kept else None)
    batches = epoch(split)
    assert [i for batch in batches for i in batch.video_ids] == ["a"] * 6 + ["b"] * 6
    assert [int(label) for batch in batches for label in batch.labels] == [3] * 6 + [4] * 6
    assert starts(batches) == [0] * 3 + [6] * 3 + [0] * 3 + [16] * 3
    lefts = [int(c[1, 0, 0, 0]) for batch in batches for c in batch.clips]
    assert lefts == [0, 4, 8] * 4
    first = batches[0].clips[0]
    assert first.shape == (3, 3, 8, 8)
    assert first[0, :, 0, 0].tolist() == [0, 2, 4]
    assert len(split) == 12


@pytest.mark.parametrize("is_kept", [False, True])
def test_middles_are_what_one_view_and_crop_score(is_kept: bool, tmp_path: Path) -> None:
    videos = [Numbered(f"{count}", count) for count in (4, 9, 40)]
    clip = Clip(frames=4, stride=2, views=3, crops=3)
    folder = tmp_path if is_kept else None
    drawn = split_of(videos, clip, is_scored=False, folder=folder)
    single = clip.model_copy(update={"views": 1, "crops": 1})
    scored = split_of(videos, single, is_scored=True, folder=folder)
    for found, expected in zip(epoch(drawn.middles()), epoch(scored), strict=True):
        assert found.video_ids == expected.video_ids
        assert torch.equal(found.clips, expected.clips)


def test_only_the_frames_of_a_clip_are_decoded_and_once_for_its_crops() -> None:
    video = Numbered("a", 50)
    epoch(split_of([video], Clip(frames=4, stride=2, crops=3), is_scored=True))
    assert video.read == [21, 23, 25, 27]


def test_training_clips_are_drawn_anew_each_epoch_from_the_seed() -> None:
    videos = [Numbered(f"{n:02d}", 60) for n in range(12)]
    clip = Clip(frames=4, stride=3)

    def drawn(number: int, seed: int) -> dict[str, tuple[int, int, int]]:
        batches = epoch(split_of(videos, clip, is_scored=False), number, seed=seed)
        return {
            video_id: (int(c[0, 0, 0, 0]), int(c[1, 0, 0, 0]), int(c[2, 0, 0, 0]))
            for batch in batches
            for video_id, c in zip(batch.video_ids, batch.clips, strict=True)
        }

    first = drawn(1, 0)
    assert first == drawn(1, 0)
    assert first != drawn(2, 0)
    assert first != drawn(1, 1)
    for index in range(3):  # start, left, top
        assert len({each[index] for each in first.values()}) > 2
    assert max(start for start, _, _ in first.values()) <= 60 - 10


@pytest.mark.parametrize("count", [2, 5, 40])
def test_kept_clips_equal_decoded_ones(count: int, tmp_path: Path) -> None:
    videos = [Numbered(f"{n}", count + n) for n in range(3)]
    clip = Clip(frames=6, stride=2)  # loops in the short ones
    for is_scored, seed in ((True, None), (False, 7)):
        decoded = epoch(split_of(videos, clip, is_scored=is_scored), seed=seed)
        kept = split_of(videos, clip, is_scored=is_scored, folder=tmp_path)
        for one, other in zip(decoded, epoch(kept, seed=seed), strict=True):
            assert one.video_ids == other.video_ids
            assert (one.clips == other.clips).all()
        assert kept.are_kept().all()


def test_kept_videos_are_decoded_once(tmp_path: Path) -> None:
    video = Numbered("a", 30)
    for number in (1, 2):
        split = split_of([video], Clip(frames=4), is_scored=False, folder=tmp_path)
        epoch(split, number, seed=0)
    assert sorted(set(video.read)) == list(range(30))
    assert len(video.read) == 2 * 30  # once more to learn its size


@pytest.mark.parametrize(("flow", "most"), [(None, 200), (ClipFlow(Flow(), 1), 75)])
def test_frames_of_a_kept_video_are_bound_by_their_bytes(
    flow: ClipFlow | None, most: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(decoding, "MOST_KEPT_BYTES", 200 * HEIGHT * WIDTH * 3)
    videos = (Numbered("a", most), Numbered("b", most + 1))
    kept = [VideoDecoder(videos, HEIGHT, flow).decode(index) for index in range(2)]
    assert [sample is not None for sample in kept] == [True, False]
    assert videos[1].read == [0]


def test_very_long_video_is_decoded_clip_by_clip(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(decoding, "MOST_KEPT_BYTES", 200 * HEIGHT * WIDTH * 3)
    videos = [Numbered("a", 200), Numbered("b", 201)]
    split = split_of(videos, Clip(frames=4), is_scored=True, folder=tmp_path)
    batches = epoch(split)
    assert split.are_kept().tolist() == [True, False]
    assert len(videos[1].read) == 4 + 1  # whose size decides
    assert batches[0].video_ids == ("a", "b")
