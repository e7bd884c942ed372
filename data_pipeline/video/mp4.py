"""Pictures to an MP4 file as they come, each at its own time; plays after a kill too.

Until it is closed the file is written in fragments, each complete in itself; closing makes an
ordinary MP4 of them. There are no B-frames: what was given is in the file in that order. The file
says how its colours were made of RGB: players guess differently where one does not.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from fractions import Fraction
from pathlib import Path
from typing import Final

import av
import cv2
import numpy as np
from av.container import OutputContainer
from av.error import FFmpegError
from av.video.reformatter import ColorRange, Colorspace, VideoReformatter
from numpy.typing import NDArray

CODEC: Final = "h264"
OPTIONS = {"preset": "veryfast", "crf": "20"}  # of x264; 0 lossless to 51 worst
FORMAT: Final = "yuv420p"
HD_LINES = 720  # from here on colours are of BT.709, below of BT.601
FRAGMENT_FRAMES = 48  # from keyframe to keyframe; a kill loses fewer than twice as many


class MP4Writer:
    """An MP4 file that is being written."""

    def __init__(
        self,
        file: Path,
        container: OutputContainer,
        size_hw: tuple[int, int],
        *,
        rate: Fraction,
        tick: Fraction,
    ) -> None:
        self._file = file
        self._container = container
        self._size_hw = size_hw
        self._tick = tick
        self._stream = container.add_stream(CODEC, rate=rate, options=OPTIONS)
        height, width = size_hw
        self._stream.width, self._stream.height = width + width % 2, height + height % 2
        self._stream.pix_fmt = FORMAT
        is_hd = height >= HD_LINES
        self._colours = Colorspace.ITU709 if is_hd else Colorspace.ITU601
        self._reformatter = VideoReformatter()
        context = self._stream.codec_context
        context.colorspace, context.color_range = self._colours, ColorRange.MPEG
        context.time_base = tick
        context.gop_size = FRAGMENT_FRAMES
        context.max_b_frames = 0

    def add(self, pixels: NDArray[np.uint8], ticks: int) -> None:
        """Add a picture.

        Args:
            pixels: (h, w, 3) RGB of the file's size.
            ticks: When it is shown, in ticks; larger than that of the one before.
        """
        height, width = self._size_hw
        if height % 2 or width % 2:  # yuv420p has one colour for two by two pixels
            border = cv2.BORDER_REPLICATE
            pixels = np.asarray(
                cv2.copyMakeBorder(pixels, 0, height % 2, 0, width % 2, border), np.uint8
            )
        frame = av.VideoFrame.from_ndarray(pixels, format="rgb24")
        frame = self._reformatter.reformat(
            frame,
            format=FORMAT,
            dst_colorspace=self._colours,
            dst_color_range=ColorRange.MPEG,
            threads=1,
        )
        frame.colorspace, frame.color_range = self._colours, ColorRange.MPEG
        frame.pts, frame.time_base = ticks, self._tick
        self._encode(frame)

    def finish(self) -> None:
        """Write what the encoder still holds."""
        self._encode(None)

    def _encode(self, frame: av.VideoFrame | None) -> None:
        with _as_errors_of_the_system(self._file):
            self._container.mux(self._stream.encode(frame))


@contextmanager
def mp4_writer(
    file: Path, size_hw: tuple[int, int], *, rate: Fraction, tick: Fraction
) -> Iterator[MP4Writer]:
    """Open a file to write; whatever ends the block, it holds what was added.

    Args:
        file: To write; its folder exists.
        size_hw: Height and width of the pictures, pixels; an odd side gets its last line twice.
        rate: Frames per second, on average.
        tick: Seconds; the unit of the pictures' times.

    Raises:
        OSError: It cannot be written.
    """
    options = {"movflags": "+hybrid_fragmented"}
    with _as_errors_of_the_system(file):
        # absolute: FFmpeg takes what is before a colon in a relative path for a protocol
        container = av.open(str(file.absolute()), "w", format="mp4", options=options)
    with container:
        with _as_errors_of_the_system(file):
            writer = MP4Writer(file, container, size_hw, rate=rate, tick=tick)
        try:
            yield writer
        finally:
            writer.finish()


@contextmanager
def _as_errors_of_the_system(file: Path) -> Iterator[None]:
    """Turn FFmpeg's own errors, which are none of the system, into such.

    Raises:
        OSError: The file cannot be written.
    """
    try:
        yield
    except FFmpegError as error:
        if isinstance(error, OSError):
            raise
        raise OSError(error.errno, error.strerror, str(file)) from error
