"""Clips of the videos of a split, cut from what is kept of them or decoded alone.

Training: one clip per video and epoch, its start and its square drawn. Scoring: every view of
every video, crop by crop, as samples of the same video id.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from data_pipeline.cache.sample_cache import Progress, SampleCache
from data_pipeline.datasets.settings.videos import Clip
from data_pipeline.loading.decoding import VideoDecoder
from data_pipeline.loading.decoding_processes import Request
from data_pipeline.samples import ClipSample
from data_pipeline.video.clips import (
    clip_indices,
    cut_square,
    random_corner,
    random_start,
    view_corners,
    view_starts,
)

Frames = NDArray[np.uint8]  # (t, h, w, 3), or 5 with flow


@dataclass(frozen=True, slots=True)
class ClipPlan:
    """Which frames of a video a request is for, and which of its squares."""

    video: int
    indices: NDArray[np.int64]  # (t,) frames, in the clip's order
    crop: int | None  # which square of a scored clip; None: it is drawn
    random: np.random.Generator


class VideoSplit:
    """Clips of one split."""

    def __init__(
        self,
        decoder: VideoDecoder,
        clip: Clip,
        side: int,
        *,
        is_scored: bool,
        cache: SampleCache | None = None,
    ) -> None:
        """Prepare.

        Args:
            decoder: Of whole videos.
            clip: Its frames, views and crops.
            side: Of the square, pixels.
            is_scored: Whether every view and crop is a sample, or one drawn clip per video.
            cache: Of whole videos; None: clips are decoded each time.
        """
        self._decoder = decoder
        self._clip = clip
        self._side = side
        self._is_scored = is_scored
        self._cache = cache
        self._last: tuple[int, NDArray[np.int64], Frames] | None = None

    def __len__(self) -> int:
        return len(self._decoder) * self._per_video

    @property
    def _per_video(self) -> int:
        return self._clip.views * self._clip.crops if self._is_scored else 1

    def middles(self) -> "VideoSplit":
        """Return the same videos with one sample each: the middle square of the middle view."""
        clip = self._clip.model_copy(update={"views": 1, "crops": 1})
        return VideoSplit(self._decoder, clip, self._side, is_scored=True, cache=self._cache)

    def keep(self, *, processes: int, progress: Progress | None) -> None:
        """Build what is missing of the cache."""
        if self._cache is not None:
            self._cache.build(processes=processes, progress=progress)

    def are_kept(self) -> NDArray[np.bool_]:
        """Return for each clip whether the cache holds its video."""
        if self._cache is None:
            return np.zeros(len(self), np.bool_)
        return np.repeat(self._cache.are_kept(), self._per_video)

    def kept(self, request: Request) -> ClipSample | None:
        """Cut a clip from the cache; a view of the file where the frames are evenly spaced."""
        video = request[0] // self._per_video
        if self._cache is None or video not in self._cache:
            return None
        plan = self._planned(request, self._cache.frame_count(video))
        sample = self._cache.sample(video, rows=[int(index) for index in plan.indices])
        if not isinstance(sample, ClipSample):
            return None
        return self._cut(_taken(sample.frames, plan.indices), plan)

    def decode(self, request: Request) -> ClipSample:
        """Decode the frames of a clip and no others.

        Raises:
            DataError: The video is missing or damaged; the message names it.
        """
        video = request[0] // self._per_video
        item = self._decoder.items[video]
        plan = self._planned(request, item.frame_count())
        return self._cut(self._decoded(plan), plan)

    def _planned(self, request: Request, frame_count: int) -> ClipPlan:
        index, seed = request
        video, view = divmod(index, self._per_video)
        clip, random = self._clip, np.random.default_rng(seed)
        if self._is_scored:
            starts = view_starts(
                frame_count, frames=clip.frames, stride=clip.stride, views=clip.views
            )
            start, crop = starts[view // clip.crops], view % clip.crops
        else:
            start = random_start(
                frame_count, frames=clip.frames, stride=clip.stride, random=random
            )
            crop = None
        indices = clip_indices(frame_count, frames=clip.frames, stride=clip.stride, start=start)
        return ClipPlan(video, indices, crop, random)

    def _cut(self, frames: Frames, plan: ClipPlan) -> ClipSample:
        size_hw = (frames.shape[1], frames.shape[2])
        if plan.crop is None:
            corner = random_corner(size_hw, self._side, random=plan.random)
        else:
            corner = view_corners(size_hw, self._side, crops=self._clip.crops)[plan.crop]
        item, square = self._decoder.items[plan.video], cut_square(frames, corner, self._side)
        if self._decoder.flow is not None:
            square = self._decoder.flow.closed(square, plan.indices)
        return ClipSample(item.image_id, square, item.label)

    def _decoded(self, plan: ClipPlan) -> Frames:
        """Decode a clip's frames, unless the crop before this one was cut from the same."""
        last = self._last
        if last is None or last[0] != plan.video or not np.array_equal(last[1], plan.indices):
            wanted, places = np.unique(plan.indices, return_inverse=True)
            item = self._decoder.items[plan.video]
            frames = item.frames(wanted, self._decoder.shorter_side)
            is_in_order = np.array_equal(wanted, plan.indices)
            frames = frames if is_in_order else frames[places]
            if self._decoder.flow is not None:
                frames = self._decoder.flow.of_clip(frames, plan.indices)
            last = plan.video, plan.indices, frames
            self._last = last if self._clip.crops > 1 else None
        return last[2]

    def __getstate__(self) -> dict[str, Any]:
        """Leave the cache out of what a decoding process is sent."""
        return self.__dict__ | {"_cache": None, "_last": None}


def _taken(frames: Frames, indices: NDArray[np.int64]) -> Frames:
    """Return these frames, as a view where they are evenly spaced."""
    steps = np.diff(indices)
    step = int(steps[0]) if steps.size else 1
    if step > 0 and (steps == step).all():
        return frames[int(indices[0]) : int(indices[-1]) + 1 : step]
    return frames[indices]
