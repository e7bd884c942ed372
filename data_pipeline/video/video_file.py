"""One video file: which frames it holds, and which of its packets they are in.

Containers announce frames that are not there, and timestamps that are not those of the frames.
`frame_index` therefore goes through the packets, which costs about a millisecond, and decodes
only where packets tell too little: AVI has no presentation times for B-frames, and MPEG-4 hides
"no new frame" in packets of a few bytes.

One thread decodes: the loader's processes are the parallelism, and 64 frames of 320 x 240 took
one thread 4.6 ms and all of them 6.6 ms (Xvid), 19 and 18 ms (H.264).
"""

from __future__ import annotations  # PyAV's packets are generic in its stubs alone

import zlib
from bisect import bisect_right
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import lru_cache
from itertools import pairwise
from pathlib import Path

import av
import numpy as np
from av.container import InputContainer
from av.error import FFmpegError
from av.packet import Packet
from av.video.codeccontext import VideoCodecContext
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
    marks: NDArray[np.uint32]  # (packets,) `mark_of` each that the file holds, in its order
    timestamps: NDArray[np.int64]  # (count,) ascending, in the stream's time base; or (0,)
    keyframes: NDArray[np.int64]  # (k,) frames that decoding may begin at, ascending
    spans: NDArray[np.int32]  # (k + 1, 2) first packet and end of each group

    def group_of(self, frame: int) -> int:
        """Return a frame's group: keyframes 0, 1, … begin 1, 2, …, before the first one is 0."""
        return int(np.searchsorted(self.keyframes, frame, side="right"))

    def places_of(self, group: int) -> tuple[int, int]:
        """Return the first frame of a group and the first after it."""
        bounds = (0, *self.keyframes.tolist(), self.count)
        return bounds[group], bounds[group + 1]


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
        packets = list(packets_of(container, stream))
        context = stream.codec_context
        # The parser's guesses at the order of B-frames in AVI are wrong for packed bitstreams.
        is_guessed = "avi" in container.format.name and context.has_b_frames
        size_hw, announced = (context.height, context.width), stream.frames
    timed = [] if is_guessed else _timed(packets)
    keys = [place for place, (_, number) in enumerate(timed) if packets[number].is_keyframe]
    count = len(timed) or sum(1 for _ in in_order_of_decoding(file))
    if not count:
        raise _no_video(file, "it holds no frame")
    return FrameIndex(
        count=count,
        size_hw=size_hw,
        announced=announced,
        marks=np.array([mark_of(packet) for packet in packets], dtype=np.uint32),
        timestamps=np.array([stamp for stamp, _ in timed], dtype=np.int64),
        keyframes=np.array(keys, dtype=np.int64),
        spans=_spans([number for _, number in timed], keys),
    )


def _timed(packets: list[Packet[VideoStream]]) -> list[tuple[int, int]]:
    """Order packets by when they are shown; empty where they do not tell for sure.

    Returns:
        Timestamp and number of the packet of each frame.
    """
    shown = [(number, packet) for number, packet in enumerate(packets) if not packet.is_discard]
    timed = [(packet.pts, number) for number, packet in shown if packet.pts is not None]
    is_whole = len(shown) == len({stamp for stamp, _ in timed})
    if not is_whole or any(packet.size < EMPTY_PACKET_BYTES for _, packet in shown):
        return []
    return sorted(timed)


def _spans(numbers: list[int], keys: list[int]) -> NDArray[np.int32]:
    """Find the packets of each group: from its keyframe's to its last one.

    Frames shown before a keyframe may follow it in the file, but none follows the next but one:
    a damaged timestamp does not make a group long.
    """
    begins = [0, *(numbers[key] for key in keys)]
    later = [*sorted(begins[1:]), *2 * [max(numbers, default=-1) + 1]]
    spans = []
    for begin, (low, high) in zip(begins, pairwise([0, *keys, len(numbers)]), strict=True):
        next_but_one = later[bisect_right(later, begin) + 1] if later[-1] > begin else begin
        spans.append((begin, min(max(numbers[low:high], default=-1) + 1, next_but_one)))
    return np.array(spans, dtype=np.int32)


def packets_of(container: InputContainer, stream: VideoStream) -> Iterator[Packet[VideoStream]]:
    """Yield the packets that hold something, up to where the file cannot be read on."""
    try:
        yield from (packet for packet in container.demux(stream) if packet.size)
    except FFmpegError:
        return


def mark_of(packet: Packet[VideoStream]) -> int:
    """Hash a packet's content and time."""
    stamp = -1 if packet.pts is None else packet.pts
    return zlib.crc32(packet, stamp & 0xFFFFFFFF)


def in_order_of_decoding(file: Path) -> Iterator[VideoFrame | None]:
    """Decode all of a video; None stands for a packet that cannot be decoded."""
    with opened(file) as (container, stream):
        for packet in packets_of(container, stream):
            yield from decoded(stream.codec_context, packet)
        yield from decoded(stream.codec_context, None)


def decoded(
    context: VideoCodecContext, packet: Packet[VideoStream] | None
) -> Iterator[VideoFrame | None]:
    """Yield the frames that come out, or None for a packet that cannot be decoded.

    Args:
        context: The decoder.
        packet: What to decode; None: all that is left, after which it must be flushed.
    """
    try:
        yield from context.decode(packet)
    except FFmpegError:
        yield None
