"""A video from its first frame to its last, one at a time: memory does not grow with its length.

For one pass over all of a video; single clips are `reading.read_frames`'s. In place of a damaged
frame stands the last good one, at the start the first. A packet from which nothing comes out, and
no error either, is left out: the frame before it stays longer. Where the file cannot be read on,
the stream ends; `FrameStream.note` says so. Pixels are taken as square.
"""

from __future__ import annotations  # PyAV's packets are generic in its stubs alone

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from fractions import Fraction
from heapq import heappop, heappush
from itertools import chain, pairwise
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
Stamp = int | None  # of a frame in the container's ticks; None: it has none


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


class _Clock:
    """Gives frames their times, which ascend whatever the container says."""

    def __init__(self, step: int) -> None:
        self._step = step  # ticks from frame to frame, on average
        self._start: Stamp = None  # what the container calls 0
        self._last = -step
        self.wrong = 0  # stamps that were not believed

    def ticks(self, stamp: Stamp, following: Stamp) -> int:
        """Return when a frame is shown, in ticks from the first one.

        Args:
            stamp: What the container says of it.
            following: And of the frame after it. Where that is later than all before and yet
                earlier than `stamp`, `stamp` is wrong: believed, it would shift the rest.
        """
        if self._start is None and stamp is not None:
            is_late = following is not None and following < stamp
            first = following - self._step if following is not None and is_late else stamp
            self._start = first - (self._last + self._step)
        own, after = self._from_start(stamp), self._from_start(following)
        if own is not None and after is not None and self._last < after < own:
            self.wrong += 1
            own = None
        if own is None or own <= self._last:
            own = self._last + self._step
            if after is not None and self._last < after <= own:
                own = max(self._last + 1, after - 1)
        self._last = own
        return own

    def _from_start(self, stamp: Stamp) -> Stamp:
        return None if stamp is None or self._start is None else stamp - self._start


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
        # Of B-frames AVI has the times, but whose each is FFmpeg guesses: wrong if they are packed
        self._is_guessed = "avi" in container.format.name and bool(context.has_b_frames)
        self._rate = stream.average_rate or stream.guessed_rate or UNSAID_RATE
        self._time_base = stream.time_base or 1 / self._rate
        self._clock = _Clock(max(1, round(1 / (self._rate * self._time_base))))
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
        if wrong := self._clock.wrong:
            stamps = "1 time stamp is" if wrong == 1 else f"{wrong} time stamps are"
            notes.append(f"{stamps} wrong; such a frame comes a step after the one before")
        if self._has_error or is_cut_short(self._file):
            notes.append("the file ends too early; what was decoded before is kept")
        return "; ".join(notes) or None

    def __iter__(self) -> Iterator[StreamedFrame]:
        """Yield the frames; their times ascend whatever the container says."""
        shown = pairwise(chain(self._frames, [None]))
        for number, (this, following) in enumerate(shown):
            if this is None:
                return
            frame, stamp = this
            ticks = self._clock.ticks(stamp, following[1] if following else None)
            time_s = float(ticks * self._time_base)
            yield StreamedFrame(number, ticks, time_s, frame, self._stored_hw)

    def _good(self) -> Iterator[tuple[VideoFrame, Stamp]]:
        """Yield frames with, at the time of one that is damaged, one that stands in."""
        good: VideoFrame | None = None
        waiting: list[Stamp] = []  # of those before the first good one
        for frame, stamp in self._in_order():
            if frame is None or frame.is_corrupt:
                self._damaged += 1
            else:
                good = frame
            waiting.append(stamp)
            if good is not None:
                yield from ((good, each) for each in waiting)
                waiting.clear()

    def _in_order(self) -> Iterator[tuple[VideoFrame | None, Stamp]]:
        """Yield frames as shown, with None in the place of one that does not decode.

        An error comes with the packet, but the frames before it may still be in the decoder.
        """
        lost: list[int] = []  # a heap
        for frame, stamp in self._timed():
            if stamp is None or (frame is None and self._is_guessed):
                yield frame, stamp
            elif frame is None:
                heappush(lost, stamp)
            else:
                while lost and lost[0] <= stamp:
                    if (place := heappop(lost)) < stamp:
                        yield None, place
                yield frame, stamp
        yield from ((None, stamp) for stamp in sorted(lost))

    def _timed(self) -> Iterator[tuple[VideoFrame | None, Stamp]]:
        """Decode; None stands for a packet that does not, and has its time."""
        context = self._stream.codec_context
        due: list[int] = []  # a heap of times, which belong to the frames in the order shown
        for packet in chain(self._packets(), [None]):
            stamp = packet.pts if packet else None
            if packet and self._is_guessed:
                at = packet.dts if stamp is None else stamp
                if at is not None:
                    heappush(due, at)
            for frame in decoded(context, packet):
                if self._is_guessed:
                    yield frame, heappop(due) if due else None
                else:
                    yield frame, frame.pts if frame else stamp

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
