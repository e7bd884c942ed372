"""Pictures to a video file: AVI with MPEG-4, as UCF101 has it."""

from collections.abc import Iterable
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
from av.codec.context import Flags
from numpy.typing import NDArray

QUANTISER = "3"  # 1 best to 31 worst; about the quality of UCF101
KEYFRAME_EVERY = 12  # frames, as most of UCF101 has it


def write_video(
    file: Path, frames: Iterable[NDArray[np.uint8]], *, size_hw: tuple[int, int], rate: int
) -> None:
    """Write a video; the same frames give the same bytes with the same version of FFmpeg.

    Args:
        file: To write; its folder exists.
        frames: (h, w, 3) RGB, each of the size.
        size_hw: Height and width, pixels, both even.
        rate: Frames per second.
    """
    with av.open(str(file), "w", format="avi") as container:
        stream = container.add_stream("mpeg4", rate=Fraction(rate), options={"qscale": QUANTISER})
        stream.height, stream.width = size_hw
        stream.pix_fmt = "yuv420p"
        stream.codec_context.gop_size = KEYFRAME_EVERY
        stream.codec_context.thread_count = 1  # how many there are must not decide the bytes
        stream.codec_context.flags |= Flags.bitexact | Flags.qscale
        for pixels in frames:
            container.mux(stream.encode(av.VideoFrame.from_ndarray(pixels, format="rgb24")))
        container.mux(stream.encode(None))
