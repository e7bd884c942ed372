"""A video from its first frame to its last, one at a time: memory does not grow with its length.

For one pass over all of a video; single clips are `reading.read_frames`'s. A frame that is damaged
is replaced by the last good one, and a packet from which nothing comes out is left out: the frame
before it stays longer. Where the file cannot be read on, the stream ends; `FrameStream.note` says
so. Pixels are taken as square.
"""

from __future__ import annotations  # PyAV's packets are generic in its stubs alone

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from fractions import Fraction
from itertools import chain
from pathlib import Path

import numpy as np
from av.container import InputContainer
from av.error import FFmpegError
from av.packet import Packet
from av.video.frame import VideoFrame
from av.video.reformatter import VideoReformatter
from av.video.stream import VideoStream
from numpy.typing import NDArray

from data_pipeline.errors import InvalidDataError
from data_pipeline.integrity.file_endings import is_cut_short
from data_pipeline.video.reading import FILTER, quarter_turns, scaled_size
from data_pipeline.video.video_file import decoded, opened

UNSAID_RATE = Fraction(25)  # frames per second, where a container does not say
Picture = NDArray[np.uint8]


@dataclass(frozen=True, slots=True)
class StreamFacts:
    """What is known of a video before it is gone through."""

    announced: int  # frames, by what the container says; 0: it does not say
    size_hw: tuple[int, int]  # height, width as shown, pixels
    rate: Fraction  # frames per second, on average
    time_base: Fraction  # seconds of a tick
    codec: str


@dataclass(frozen=True, slots=True)
class StreamedFrame:
    """A frame in the order shown."""

    number: int  # from 0
    ticks: int  # from the first frame's, of `StreamFacts.time_base`; ascending
    time_s: float
    stored: VideoFrame
    stored_hw: tuple[int, int]  # of the video's first frame

    def pixels(self) -> Picture:
        """Return (h, w, 3) RGB, upright, in the video's own size; new each time."""
        return self._picture(self.stored_hw)

    def scaled(self, shorter_side: int) -> Picture:
        """Return (h, w, 3) RGB, upright, exactly as `read_frames` returns it."""
        return self._picture(scaled_size(self.stored_hw, shorter_side))

    def _picture(self, size_hw: tuple[int, int]) -> Picture:
        height, width = size_hw
        picture = VideoReformatter().reformat(
            self.stored, width, height, format="rgb24", interpolation=FILTER, threads=1
        )
        pixels = np.asarray(picture.to_ndarray(), np.uint8)
        return np.ascontiguousarray(np.rot90(pixels, quarter_turns(self.stored)))


class FrameStream:
    """The frames of an open video, once."""

    def __init__(self, file: Path, container: InputContainer, stream: VideoStream) -> None:
        """Decode up to the first good frame.

        Raises:
            InvalidDataError: There is none.
        """
        self._file, self._container, self._stream = file, container, stream
        self._has_error = False  # the file cannot be read on
        self._damaged = 0  # frames and packets
        context = stream.codec_context
        self._stored_hw = (context.height, context.width)
        is_avi = "avi" in container.format.name
        self._is_counted = is_avi and bool(context.has_b_frames)  # its times are guesses
        self._rate = stream.average_rate or stream.guessed_rate or UNSAID_RATE
        self._time_base = stream.time_base or 1 / self._rate
        self._frames = self._good()
        first = next(self._frames, None)
        if first is None:
            raise InvalidDataError(
                f"a frame of video {file} must decode, but none does; restore the file"
            )
        turned = quarter_turns(first[0]) % 2
        self._frames = chain([first], self._frames)
        self.facts = StreamFacts(
            announced=stream.frames or self._implied(),
            size_hw=self._stored_hw[::-1] if turned else self._stored_hw,
            rate=self._rate,
            time_base=self._time_base,
            codec=context.name,
        )

    @property
    def note(self) -> str | None:
        """Say what of the video is not as it was, so far; None: nothing."""
        notes = []
        if self._damaged:
            frames = "1 frame is" if self._damaged == 1 else f"{self._damaged} frames are"
            notes.append(f"{frames} damaged; the last good one stands in")
        if self._has_error or is_cut_short(self._file):
            notes.append("the file ends too early; what was decoded before is kept")
        return "; ".join(notes) or None

    def __iter__(self) -> Iterator[StreamedFrame]:
        """Yield the frames; their times ascend whatever the container says."""
        start, last = None, -1
        step = max(1, round(1 / (self._rate * self._time_base)))
        for number, (frame, stamp) in enumerate(self._frames):
            start = stamp if start is None else start
            ticks = last + step if number else 0
            if number and stamp is not None and start is not None and not self._is_counted:
                ticks = stamp - start if stamp - start > last else ticks
            last = ticks
            time_s = float(ticks * self._time_base)
            yield StreamedFrame(number, ticks, time_s, frame, self._stored_hw)

    def _good(self) -> Iterator[tuple[VideoFrame, int | None]]:
        """Decode, with the last good frame at the time of one that is damaged."""
        good: VideoFrame | None = None
        for frame in self._decoded():
            if frame is None or frame.is_corrupt:
                self._damaged += 1
            else:
                good = frame
            if frame is not None and good is not None:
                yield good, frame.pts

    def _decoded(self) -> Iterator[VideoFrame | None]:
        for packet in self._packets():
            yield from decoded(self._stream.codec_context, packet)
        yield from decoded(self._stream.codec_context, None)

    def _packets(self) -> Iterator[Packet[VideoStream]]:
        try:
            yield from (each for each in self._container.demux(self._stream) if each.size)
        except FFmpegError:
            self._has_error = True

    def _implied(self) -> int:
        """Return how many frames its length and its rate make; 0: it has no length."""
        if self._stream.duration:
            seconds = self._stream.duration * self._time_base
        elif self._container.duration:
            seconds = Fraction(self._container.duration, 1_000_000)  # of AV_TIME_BASE
        else:
            return 0
        return round(seconds * self._rate)


@contextmanager
def streamed(file: Path) -> Iterator[FrameStream]:
    """Open a video to go through it once.

    Raises:
        MissingDataError: There is no such file, or it cannot be read.
        InvalidDataError: It is no video, or no frame of it can be decoded.
    """
    with opened(file) as (container, stream):
        yield FrameStream(file, container, stream)
