"""Frames of videos by their number: a clip costs what decoding it takes, and no more memory.

    frame_count ── how many there are          read_frames ── these ones, scaled
    probe ── what it is                        video_faults ── what is damaged, by decoding all

A frame's pixels depend on the file, its number and the size alone: not on what else is read nor
on where decoding began. Where a frame is damaged, the last good one before it stands in, or at
the start the first good one after. Pixels are taken as square.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from av.video.frame import VideoFrame
from av.video.reformatter import Interpolation, VideoReformatter
from numpy.typing import NDArray

from data_pipeline.errors import DataError, InvalidDataError
from data_pipeline.faults import Fault
from data_pipeline.integrity.file_endings import is_cut_short
from data_pipeline.video.decoding import good_frames
from data_pipeline.video.video_file import FrameIndex, frame_index, opened

# One filter for all sizes. Without scaling, colours are those of OpenCV to the bit.
FILTER = Interpolation.BILINEAR


@dataclass(frozen=True, slots=True)
class VideoFacts:
    """What a video is."""

    frames: int
    size_hw: tuple[int, int]  # height, width as shown, pixels
    frames_per_second: float | None  # None: the container does not say
    codec: str

    @property
    def duration_s(self) -> float | None:
        """Return how long it takes to show, in seconds."""
        rate = self.frames_per_second
        return self.frames / rate if rate else None


def probe(file: Path) -> VideoFacts:
    """Find out what a video is; decodes its first frame.

    Raises:
        MissingDataError: There is no such file.
        InvalidDataError: It is no video, or no frame of it can be decoded.
    """
    index = frame_index(file)
    with opened(file) as (_, stream):
        rate, codec = stream.average_rate, stream.codec_context.name
    [first] = _frames_at(file, index, [0])
    height, width = index.size_hw
    size_hw = (width, height) if quarter_turns(first) % 2 else (height, width)
    return VideoFacts(index.count, size_hw, float(rate) if rate else None, codec)


def frame_count(file: Path) -> int:
    """Return how many frames a video holds, damaged ones included.

    Raises:
        MissingDataError: There is no such file.
        InvalidDataError: It is no video, or holds no frame.
    """
    return frame_index(file).count


def scaled_size(size_hw: tuple[int, int], shorter_side: int) -> tuple[int, int]:
    """Return height and width with the shorter side as given, the other in proportion."""
    height, width = size_hw
    short = min(height, width)
    return (
        max(1, round(height * shorter_side / short)),
        max(1, round(width * shorter_side / short)),
    )


def read_frames(file: Path, indices: NDArray[np.int64], shorter_side: int) -> NDArray[np.uint8]:
    """Decode some frames of a video.

    Args:
        file: The video.
        indices: (t,) places of frames from 0, at least one, in any order; may repeat.
        shorter_side: Frames are scaled to it, pixels.

    Returns:
        (t, h, w, 3) RGB, upright.

    Raises:
        MissingDataError: There is no such file.
        InvalidDataError: It is no video, has too few frames, or no good one.
    """
    index = frame_index(file)
    wanted, places = np.unique(indices, return_inverse=True)
    if not wanted.size or wanted[0] < 0 or wanted[-1] >= index.count:
        asked = f"{wanted[0]} to {wanted[-1]}" if wanted.size else "none"
        raise InvalidDataError(
            f"frames of video {file} must be asked for from 0 to {index.count - 1}, got {asked}; "
            "was the file replaced while it was read?"
        )
    height, width = scaled_size(index.size_hw, shorter_side)
    pictures = np.empty((wanted.size, height, width, 3), dtype=np.uint8)
    reformatter, turns = VideoReformatter(), 0
    for place, frame in enumerate(_frames_at(file, index, [int(i) for i in wanted])):
        # threads: a frame is too small to be cut up, and the loader's processes are enough
        scaled = reformatter.reformat(
            frame, width, height, format="rgb24", interpolation=FILTER, threads=1
        )
        pictures[place] = scaled.to_ndarray()
        turns = quarter_turns(frame)
    upright = np.rot90(pictures, turns, axes=(1, 2)) if turns else pictures
    is_as_asked = np.array_equal(places, np.arange(wanted.size))
    return upright if is_as_asked else upright[places]


def damaged_frames(file: Path) -> tuple[int, ...]:
    """Decode all of a video, and return the places of the frames that another stands in for.

    Raises:
        MissingDataError: There is no such file.
        InvalidDataError: It is no video, or holds no frame.
    """
    index = frame_index(file)
    good = {place for place, _ in good_frames(file, index, 0)}
    return tuple(place for place in range(index.count) if place not in good)


def video_faults(file: Path, where: str | None = None) -> tuple[Fault, ...]:
    """Decode all of a video, and return what is wrong with it.

    Args:
        file: The video.
        where: What the faults call it; None: the file's name.
    """
    where = where or file.name
    try:
        index, damaged = frame_index(file), damaged_frames(file)
    except DataError as error:
        return (Fault("undecodable", where, str(error), "sample"),)
    if len(damaged) == index.count:
        message = f"none of the {index.count} frames of video {file} can be decoded; restore it"
        return (Fault("undecodable", where, message, "sample"),)
    # What a file that ends too early would have held is no damage to the frames it holds.
    missing = 0 if is_cut_short(file) else max(0, index.announced - len(index.marks))
    lost = missing + len(damaged)
    if not lost:
        return ()
    first = f", the first is frame {damaged[0]}" if damaged else ""
    message = (
        f"all {index.count + missing} frames of video {file} must decode, but {lost} are damaged "
        f"or not there{first}; restore the file, else their neighbours stand in"
    )
    return (Fault("corrupt_frames", where, message, "nothing", lost),)


class _Pass:
    """One decoding from some keyframe on; holds two frames at most."""

    def __init__(self, frames: Iterator[tuple[int, VideoFrame]]) -> None:
        self._frames = frames
        self._good: tuple[int, VideoFrame] | None = None  # the last one not after what was asked
        self._next: tuple[int, VideoFrame] | None = None  # already decoded, after it

    @property
    def reached(self) -> int:
        """Place of the last frame decoded; -1: none yet."""
        newest = self._next or self._good
        return newest[0] if newest else -1

    def at(self, place: int) -> VideoFrame | None:
        """Return the last good frame up to a place, else the first one; places must ascend."""
        while self._good is None or self._good[0] < place:
            self._next = self._next or next(self._frames, None)
            if self._next is None or self._next[0] > place:
                break
            self._good, self._next = self._next, None
        standing = self._good or self._next
        return standing[1] if standing else None


def _frames_at(file: Path, index: FrameIndex, wanted: list[int]) -> Iterator[VideoFrame]:
    """Yield the frame that stands at each place, decoding only the groups these are in."""
    running: _Pass | None = None
    for place in wanted:
        if running is None or index.places_of(index.group_of(place))[0] > running.reached + 1:
            running = _Pass(good_frames(file, index, place))
        frame = running.at(place)
        if frame is None:
            raise InvalidDataError(
                f"none of the {index.count} frames of video {file} can be decoded; restore it "
                "from the dataset's archive"
            )
        yield frame


def quarter_turns(frame: VideoFrame) -> int:
    """Return by how many quarters counterclockwise a frame is to be turned to be upright."""
    return round(frame.rotation / 90) % 4
