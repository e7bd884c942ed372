"""One video file: which frames it holds, and decoding them from any keyframe.

Containers announce frames that are not there, and timestamps that are not those of the frames.
`frame_index` therefore goes through the packets, which costs about a millisecond, and decodes
only where packets tell too little: AVI has no presentation times for B-frames, and MPEG-4 hides
"no new frame" in packets of a few bytes.

One thread decodes: the loader's processes are the parallelism, and 64 frames of 320 x 240 took
one thread 4.6 ms and all of them 6.6 ms (Xvid), 19 and 18 ms (H.264).
"""

from __future__ import annotations  # PyAV's packets are generic in its stubs alone

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import av
import numpy as np
from av.container import InputContainer
from av.error import FFmpegError
from av.packet import Packet
from av.video.frame import VideoFrame
from av.video.stream import VideoStream
from numpy.typing import NDArray

from data_pipeline.errors import InvalidDataError, MissingDataError

MAX_SIDE = 8192  # pixels, stored
MAX_ASPECT = 8  # longer side to shorter side
EMPTY_PACKET_BYTES = 20  # FFmpeg takes MPEG-4 packets of up to 19 bytes for "no new frame"
REMEMBERED_VIDEOS = 16_384  # more than UCF101 has; some kB each
# Only containers of videos: a playlist under another name would open files it names.
CONTAINERS = "avi,mov,mp4,matroska,webm,mpeg,mpegts,ogg,flv,asf,gif"


@dataclass(frozen=True, slots=True, eq=False)
class FrameIndex:
    """The frames of a video in the order they are shown.

    Without timestamps a frame is known only by its place: decoding begins at the first one.
    """

    count: int
    size_hw: tuple[int, int]  # height, width as stored, pixels
    announced: int  # frames that the container says there are; 0: it does not say
    packets: int  # that the file holds for them
    timestamps: NDArray[np.int64]  # (count,) ascending, in the stream's time base; or (0,)
    keyframes: NDArray[np.int64]  # (k,) frames that decoding may begin at, ascending
    key_positions: NDArray[np.int64]  # (k,) byte of the file where each one's packet begins

    def key_before(self, frame: int) -> int:
        """Return the last keyframe up to a frame; -1: decoding begins at the start."""
        place = int(np.searchsorted(self.keyframes, frame, side="right")) - 1
        return int(self.keyframes[place]) if place >= 0 else -1


@contextmanager
def opened(file: Path) -> Iterator[tuple[InputContainer, VideoStream]]:
    """Open a video's first stream of pictures; sound is ignored.

    Raises:
        MissingDataError: There is no such file, or it cannot be read.
        InvalidDataError: It is no video, or of a size that no dataset has.
    """
    options = {"format_whitelist": CONTAINERS, "protocol_whitelist": "file"}
    options["max_pixels"] = str(MAX_SIDE * MAX_SIDE)  # also when the size changes in the middle
    try:
        container = av.open(str(file.absolute()), metadata_errors="ignore", options=options)
    except OSError as error:
        raise MissingDataError(
            f"cannot read video {file}: {error.strerror}; restore it"
        ) from error
    except (FFmpegError, ValueError) as error:
        raise _no_video(file, getattr(error, "strerror", None) or str(error)) from error
    with container:
        if not container.streams.video:
            raise _no_video(file, "it has no stream of pictures")
        stream = container.streams.video[0]
        # PyAV's stubs promise a decoder, and there is none for a codec that FFmpeg does not know
        if getattr(stream, "codec_context", None) is None:
            raise _no_video(file, "its codec is unknown")
        _check_size(file, stream)
        stream.codec_context.options = {"max_pixels": options["max_pixels"]}
        stream.codec_context.thread_count = 1
        yield container, stream


def _no_video(file: Path, reason: str) -> InvalidDataError:
    return InvalidDataError(
        f"cannot decode video {file} ({file.stat().st_size} bytes): it is damaged or no video "
        f"({reason}); restore it from the dataset's archive"
    )


def _check_size(file: Path, stream: VideoStream) -> None:
    width, height = stream.codec_context.width, stream.codec_context.height
    short, long = sorted((width, height))
    if short < 1 or long > MAX_SIDE or long > MAX_ASPECT * short:
        raise InvalidDataError(
            f"frames of video {file} must have sides of 1 to {MAX_SIDE} pixels, the longer at "
            f"most {MAX_ASPECT} times the shorter, got {width} x {height}; restore the file"
        )


def frame_index(file: Path) -> FrameIndex:
    """Find the frames of a video; remembered as long as its size and time of change are the same.

    Raises:
        MissingDataError: There is no such file.
        InvalidDataError: It is no video, or holds no frame.
    """
    try:
        stat = file.stat()
    except OSError as error:
        raise MissingDataError(
            f"cannot read video {file}: {error.strerror}; restore it"
        ) from error
    return _remembered_index(file, stat.st_size, stat.st_mtime_ns)


@lru_cache(maxsize=REMEMBERED_VIDEOS)
def _remembered_index(file: Path, size: int, changed_ns: int) -> FrameIndex:  # noqa: ARG001
    with opened(file) as (container, stream):
        packets = [packet for packet in packets_of(container, stream) if packet.size]
        context = stream.codec_context
        # The parser's guesses at the order of B-frames in AVI are wrong for packed bitstreams.
        is_guessed = "avi" in container.format.name and context.has_b_frames
        size_hw, announced = (context.height, context.width), stream.frames
    shown = [packet for packet in packets if not packet.is_discard]
    timed = [] if is_guessed else _timed(shown)
    keys = [(place, p.pos or 0) for place, (_, p) in enumerate(timed) if p.is_keyframe]
    count = len(timed) or sum(1 for _ in _in_order_of_decoding(file))
    if not count:
        raise _no_video(file, "it holds no frame")
    return FrameIndex(
        count=count,
        size_hw=size_hw,
        announced=announced,
        packets=len(packets),
        timestamps=np.array([stamp for stamp, _ in timed], dtype=np.int64),
        keyframes=np.array([place for place, _ in keys], dtype=np.int64),
        key_positions=np.array([position for _, position in keys], dtype=np.int64),
    )


def _timed(packets: list[Packet[VideoStream]]) -> list[tuple[int, Packet[VideoStream]]]:
    """Order packets by when they are shown; empty where they do not tell for sure."""
    timed = [(packet.pts, packet) for packet in packets if packet.pts is not None]
    is_whole = len(packets) == len({stamp for stamp, _ in timed})
    if not is_whole or any(packet.size < EMPTY_PACKET_BYTES for packet in packets):
        return []
    return sorted(timed, key=lambda pair: pair[0])


def packets_of(container: InputContainer, stream: VideoStream) -> Iterator[Packet[VideoStream]]:
    """Yield the packets up to the end, or to where the file cannot be read on."""
    try:
        yield from container.demux(stream)
    except FFmpegError:
        return


def good_frames(file: Path, index: FrameIndex, start: int) -> Iterator[tuple[int, VideoFrame]]:
    """Decode from the keyframe of a frame on; may begin earlier, never later.

    What does not decode is left out: a damaged frame, and all that follow a damaged keyframe up
    to the next one. How decoders patch over damage depends on what they decoded before, so what
    comes after it is as it is when decoded from the start.

    Yields:
        Places from 0, ascending, and frames as stored.
    """
    last, key = -1, index.key_before(start)
    if key > 0:
        for last, frame in _whole_run(file, index, key):
            yield last, frame
    if last + 1 < index.count:
        yield from (pair for pair in _all_good(file, index) if pair[0] > last)


def _whole_run(file: Path, index: FrameIndex, key: int) -> Iterator[tuple[int, VideoFrame]]:
    """Yield the frames from a keyframe up to the first damage."""
    with opened(file) as (container, stream):
        expected = key
        for frame in _decoded(_sought(container, stream, index=index, key=key)):
            place = _place(frame, index)
            if frame is not None and 0 <= place < expected:
                continue  # of the group before, shown before the keyframe and decoded after it
            if frame is None or frame.is_corrupt or place != expected:
                return
            yield place, frame
            expected += 1


def _all_good(file: Path, index: FrameIndex) -> Iterator[tuple[int, VideoFrame]]:
    last = good_key = -1
    for number, frame in enumerate(_in_order_of_decoding(file)):
        place = _place(frame, index) if index.timestamps.size else number
        if frame is None or frame.is_corrupt or place <= last:
            continue
        key = index.key_before(place)
        if key in (place, good_key):
            good_key, last = key, place
            yield place, frame


def _place(frame: VideoFrame | None, index: FrameIndex) -> int:
    """Return which frame it is; -1: none that the packets announced."""
    if frame is None or frame.pts is None:
        return -1
    place = int(np.searchsorted(index.timestamps, frame.pts))
    return place if place < index.count and index.timestamps[place] == frame.pts else -1


def _in_order_of_decoding(file: Path) -> Iterator[VideoFrame | None]:
    with opened(file) as (container, stream):
        yield from _decoded(packets_of(container, stream))


def _sought(
    container: InputContainer, stream: VideoStream, *, index: FrameIndex, key: int
) -> Iterator[Packet[VideoStream]]:
    """Yield the packets from a keyframe or one before it; none where the container misleads.

    Its own table may be damaged, so where it led to is looked up.
    """
    try:
        container.seek(int(index.timestamps[key]), stream=stream)
    except FFmpegError:
        return
    packets = packets_of(container, stream)
    first = next(packets, None)
    if first is None:
        return
    known = zip(index.keyframes, index.key_positions, strict=True)
    if any(
        place <= key and index.timestamps[place] == first.pts and position == first.pos
        for place, position in known
    ):
        yield first
        yield from packets


def _decoded(packets: Iterator[Packet[VideoStream]]) -> Iterator[VideoFrame | None]:
    """Yield frames as they come out, and None for a packet that cannot be decoded."""
    for packet in packets:
        try:
            yield from packet.decode()
        except FFmpegError:
            yield None
