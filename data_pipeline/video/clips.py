"""Which frames and which square of a video make a clip; arithmetic only, nothing is decoded.

A clip is `frames` frames, one in every `stride`. A video that is too short for it is looped: the
frame after its last one is its first. In training, start and square are drawn; when scored they
are in the middle, or spread evenly.
"""

import numpy as np
from numpy.typing import NDArray

from data_pipeline.datasets.settings.videos import VideoFields

Corner = tuple[int, int]  # top, left of a square, pixels


def shorter_side(settings: VideoFields) -> int:
    """Return the side that frames are scaled to before a square is cut, pixels."""
    return settings.clip.shorter_side or round(settings.image_size * 8 / 7)


def clip_indices(frame_count: int, *, frames: int, stride: int, start: int) -> NDArray[np.int64]:
    """Return which frames of a video a clip has.

    Returns:
        (frames,) places from 0, in the clip's order; ascending unless the video is looped.
    """
    if min(frame_count, frames, stride) < 1 or start < 0:
        raise ValueError(
            "a clip needs a video with a frame, frames, stride >= 1 and start >= 0, got "
            f"{frame_count=}, {frames=}, {stride=}, {start=}"
        )
    return (start + stride * np.arange(frames, dtype=np.int64)) % frame_count


def random_start(
    frame_count: int, *, frames: int, stride: int, random: np.random.Generator
) -> int:
    """Draw the first frame of a training clip: any from which it fits; 0 if it has to loop."""
    return int(random.integers(_last_start(frame_count, frames, stride) + 1))


def view_starts(frame_count: int, *, frames: int, stride: int, views: int) -> tuple[int, ...]:
    """Return the first frames of the clips that score a video.

    One is in the middle; several reach from the start to the end. They repeat where the video
    has fewer places for them.
    """
    last = _last_start(frame_count, frames, stride)
    if views == 1:
        return (last // 2,)
    return tuple(round(view * last / (views - 1)) for view in range(views))


def _last_start(frame_count: int, frames: int, stride: int) -> int:
    return max(0, frame_count - ((frames - 1) * stride + 1))


def random_corner(size_hw: tuple[int, int], side: int, *, random: np.random.Generator) -> Corner:
    """Draw a square of `side` pixels in frames of a size."""
    down, across = _room(size_hw, side)
    return int(random.integers(down + 1)), int(random.integers(across + 1))


def view_corners(size_hw: tuple[int, int], side: int, *, crops: int) -> tuple[Corner, ...]:
    """Return the squares that score a clip: the middle, or several along the longer side."""
    down, across = _room(size_hw, side)
    if crops == 1:
        return ((down // 2, across // 2),)
    shares = [crop / (crops - 1) for crop in range(crops)]
    if across >= down:
        return tuple((down // 2, round(share * across)) for share in shares)
    return tuple((round(share * down), across // 2) for share in shares)


def _room(size_hw: tuple[int, int], side: int) -> tuple[int, int]:
    """Return by how many pixels a square can be moved down and across."""
    height, width = size_hw
    if not 1 <= side <= min(height, width):
        raise ValueError(
            f"a square must fit into frames of {height} x {width} pixels, got side {side}"
        )
    return height - side, width - side


def cut_square(frames: NDArray[np.uint8], corner: Corner, side: int) -> NDArray[np.uint8]:
    """Cut (t, h, w, 3) frames to the (t, side, side, 3) at a corner; a view, not a copy."""
    top, left = corner
    return frames[:, top : top + side, left : left + side]
