"""Decoding a video group by group: each begins at a keyframe and knows nothing of the others.

How decoders patch over damage depends on what they decoded before, and what a damaged container
yields on where it was asked to go. So that a frame's pixels depend on neither, a group is by
definition what a decoder in its first state makes of the packets that are found by reading the
file from its start; seeking is only a faster way to the same packets.
"""

from __future__ import annotations  # PyAV's packets are generic in its stubs alone

from collections.abc import Generator, Iterator
from contextlib import ExitStack, closing, suppress
from itertools import chain, islice
from pathlib import Path
from typing import cast

import numpy as np
from av.codec.context import CodecContext
from av.container import InputContainer
from av.error import FFmpegError
from av.packet import Packet
from av.video.codeccontext import VideoCodecContext
from av.video.frame import VideoFrame
from av.video.stream import VideoStream

from data_pipeline.video.video_file import (
    FrameIndex,
    decoded,
    in_order_of_decoding,
    mark_of,
    opened,
    packets_of,
)

# Opening a file anew takes 0.2 to 1.4 ms, which counts where a group is a dozen frames.
RENEWABLE = "mpeg4"  # in AVI extradata is all that its decoder needs to know: 0.07 ms
STATELESS = "mjpeg"  # every frame is for itself
# Containers with tables of their keyframes. Others (MPEG, TS) search for one, and damage leads
# them astray; going through the packets before it is as quick.
SEEKABLE = frozenset({"avi", "mov", "mp4", "matroska", "webm"})


def good_frames(file: Path, index: FrameIndex, start: int) -> Iterator[tuple[int, VideoFrame]]:
    """Decode from the group of a frame on, or from an earlier one if that has no good frame.

    What does not decode is left out: a damaged frame, and all that follow a damaged keyframe up
    to the next one.

    Yields:
        Places from 0, ascending, and frames as stored.
    """
    if not index.timestamps.size:
        yield from _numbered(file)
        return
    with closing(_Groups(file, index)) as groups:
        first = index.group_of(start)
        for group in range(first, -1, -1):
            frames = groups.good(group)
            found = next(frames, None)
            if found is not None:
                yield found
                yield from frames
                break
        for group in range(first + 1, len(index.spans)):
            yield from groups.good(group)


def _numbered(file: Path) -> Iterator[tuple[int, VideoFrame]]:
    for number, frame in enumerate(in_order_of_decoding(file)):
        if frame is not None and not frame.is_corrupt:
            yield number, frame


class _Groups:
    """An open video of which groups are decoded; cheapest one after the other."""

    def __init__(self, file: Path, index: FrameIndex) -> None:
        self._file, self._index = file, index
        self._closing = ExitStack()
        self._opened: tuple[InputContainer, VideoStream] | None = None
        self._packets: Iterator[Packet[VideoStream]] = iter(())
        self._next = 0  # number of the packet that comes next

    def close(self) -> None:
        """Let go of the file and of the decoder with all it remembers."""
        self._closing.close()
        self._opened = None

    def good(self, group: int) -> Iterator[tuple[int, VideoFrame]]:
        """Yield the places and frames of a group.

        A keyframe from which nothing comes out, and no error either, may be one of H.264's
        recovery points, which refresh the picture bit by bit: the start of the file leads to it.
        """
        low, high = self._index.places_of(group)
        begin, end = self._index.spans[group].tolist()
        for start in (begin, 0):
            last, is_silent = low - 1, True
            for frame in self._decoded(start, end):
                place = place_of(frame, self._index)
                is_led = last >= low or place == low or group == 0
                if frame is None or frame.is_corrupt:
                    is_silent = False
                elif is_led and last < place < high:
                    last, is_silent = place, False
                    yield place, frame
            if not self._is_renewable():
                self.close()  # a flushed decoder remembers headers, or VP8's probabilities
            if not is_silent or start == 0:
                return

    def _is_renewable(self) -> bool:
        container, stream = self._open()
        name = stream.codec_context.name
        return name == STATELESS or (name == RENEWABLE and "avi" in container.format.name)

    def _decoder(self) -> VideoCodecContext:
        own = self._open()[1].codec_context
        if own.name != RENEWABLE or not self._is_renewable():
            return own
        new = cast("VideoCodecContext", CodecContext.create(own.name, "r"))
        new.extradata, new.codec_tag, new.options = own.extradata, own.codec_tag, own.options
        new.width, new.height, new.thread_count = own.width, own.height, 1
        return new

    def _decoded(self, start: int, end: int) -> Iterator[VideoFrame | None]:
        """Decode packets; a frame may come twice, and None is a packet that does not decode."""
        self._go_to(start)
        if not (yield from self._fed(start, end)):
            self.close()
            self._open()
            self._skip(start)
            yield from self._fed(start, end)

    def _fed(self, start: int, end: int) -> Generator[VideoFrame | None, None, bool]:
        """Decode from where the file stands; return whether the packets were the index's."""
        context = self._decoder()
        for number in range(start, end):
            packet = next(self._packets, None)
            if packet is None or mark_of(packet) != self._index.marks[number]:
                return False
            self._next = number + 1
            yield from decoded(context, packet)
        yield from decoded(context, None)
        context.flush_buffers()
        return True

    def _open(self) -> tuple[InputContainer, VideoStream]:
        if self._opened is None:
            self._opened = self._closing.enter_context(opened(self._file))
            self._packets, self._next = packets_of(*self._opened), 0
        return self._opened

    def _go_to(self, packet: int) -> None:
        """Seek the packet of a keyframe; a container that misleads shows by what it yields."""
        container, stream = self._open()
        if self._next == packet:
            return
        if SEEKABLE.isdisjoint(container.format.name.split(",")):
            self.close()
            self._open()
            self._skip(packet)
            return
        group = int(np.searchsorted(self._index.spans[1:, 0], packet))
        with suppress(FFmpegError):
            stamp = self._index.timestamps[self._index.keyframes[group]]
            container.seek(int(stamp), stream=stream)
        found = packets_of(container, stream)
        first = next(found, None)
        self._packets = iter(())
        if first is None:
            return
        numbers = np.flatnonzero(self._index.marks[: packet + 1] == mark_of(first))
        if numbers.size:
            self._packets = chain([first], found)
            self._skip(packet - int(numbers[0]))

    def _skip(self, count: int) -> None:
        next(islice(self._packets, count, count), None)


def place_of(frame: VideoFrame | None, index: FrameIndex) -> int:
    """Return which frame it is; -1: none that the packets announced."""
    if frame is None or frame.pts is None:
        return -1
    place = int(np.searchsorted(index.timestamps, frame.pts))
    return place if place < index.count and index.timestamps[place] == frame.pts else -1
