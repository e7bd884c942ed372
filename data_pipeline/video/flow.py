"""Optical flow beside the colours of a clip's frames: motion until the clip's next frame.

    (t, h, w, 3) RGB ──► (t, h, w, 5) RGB, motion right, motion down; STILL and above: 128 … 255

Motion is in pixels of the frames given, cut at the bound and kept in 127 steps each way. Where
the clip ends, or the video starts anew, a frame has no next one: it repeats the motion of the
frame before it, and is still where there is none. A frame's motion depends on the two frames
alone, so that what is kept of a video equals what is decoded for a clip.
"""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from types import MappingProxyType

import cv2
import numpy as np
from numpy.typing import NDArray

from data_pipeline.datasets.settings.flow import Flow
from data_pipeline.samples import CHANNELS_WITH_FLOW, COLOURS, STEPS, STILL

LEAST_SIDE = 16  # pixels that DIS's patches of 8 at half the size need

Frames = NDArray[np.uint8]
Grey = NDArray[np.uint8]  # (h, w)
Motion = NDArray[np.float32]  # (h, w, 2) right and down, pixels


@dataclass(frozen=True, slots=True)
class ClipFlow:
    """The flow of clips of one stride; may be sent to another process."""

    settings: Flow
    stride: int  # frames of the video from one of the clip to the next

    def of_video(self, frames: Frames) -> Frames:
        """Add to every frame of a video its motion to the one a stride later, if there is one."""
        return self._added(frames, np.arange(len(frames)) + self.stride < len(frames), self.stride)

    def of_clip(self, frames: Frames, indices: NDArray[np.int64]) -> Frames:
        """Add to the frames of a clip their motion to the next one.

        Args:
            frames: (t, h, w, 3) as the clip has them.
            indices: (t,) which frames of the video they are.
        """
        return self._added(frames, self._goes_on(indices), 1)

    def closed(self, frames: Frames, indices: NDArray[np.int64]) -> Frames:
        """Give frames of a clip that have no next one the motion of the one before.

        Args:
            frames: (t, h, w, 5) of `of_video` or `of_clip`.
            indices: (t,) which frames of the video they are.

        Returns:
            A copy.
        """
        closed, goes_on = frames.copy(), self._goes_on(indices)
        for place in np.flatnonzero(~goes_on):
            has_before = place > 0 and goes_on[place - 1]
            before = closed[place - 1, ..., COLOURS:] if has_before else STILL
            closed[place, ..., COLOURS:] = before
        return closed

    def key(self) -> str:
        """Name everything that decides the flow of a video, versions of the libraries included.

        Raises:
            MissingDataError: RAFT's file of weights is not there.
        """
        version = cv2.__version__
        if self.settings.method == "raft":
            # Takes torchvision's networks along, which no other method needs.
            from data_pipeline.video.raft import raft_version

            version = raft_version(self.settings.weights)
        chosen = f"{self.settings.method} {self.settings.bound:g}"
        return f"flow {chosen} stride {self.stride} by {version}"

    def _goes_on(self, indices: NDArray[np.int64]) -> NDArray[np.bool_]:
        """Tell which frames of a clip are followed by the one a stride later."""
        return np.append(np.diff(indices) == self.stride, False)

    def _added(self, frames: Frames, has_next: NDArray[np.bool_], step: int) -> Frames:
        whole = np.full((*frames.shape[:3], CHANNELS_WITH_FLOW), STILL, np.uint8)
        whole[..., :COLOURS] = frames
        for place in np.flatnonzero(has_next):
            motion = moved_between(frames[place], frames[place + step], self.settings)
            whole[place, ..., COLOURS:] = quantised(motion, self.settings.bound)
        return whole


def moved_between(frame: Frames, later: Frames, settings: Flow) -> Motion:
    """Estimate how far each pixel of a frame moves until a later one.

    Args:
        frame: (h, w, 3) RGB.
        later: (h, w, 3) RGB.
        settings: Of the method.

    Returns:
        (h, w, 2) float32: right and down, pixels.
    """
    with one_thread():
        if settings.method == "raft":
            # Takes torchvision's networks along, which no other method needs.
            from data_pipeline.video.raft import raft_motion

            return raft_motion(frame, later, settings.weights)
        return _ESTIMATES[settings.method](_grey(frame), _grey(later))


def quantised(motion: Motion, bound: float) -> NDArray[np.uint8]:
    """Keep motion up to the bound as bytes, STILL being none."""
    steps = np.rint(np.clip(motion / bound, -1, 1) * STEPS)
    return np.asarray(steps + STILL, np.uint8)


@contextmanager
def one_thread() -> Iterator[None]:
    """Have OpenCV work in this thread alone: how many there are would decide DIS's last bits."""
    before = cv2.getNumThreads()
    cv2.setNumThreads(1)
    try:
        yield
    finally:
        cv2.setNumThreads(before)


def _grey(frame: Frames) -> Grey:
    return np.asarray(cv2.cvtColor(frame, cv2.COLOR_RGB2GRAY), np.uint8)


def _dis(frame: Grey, later: Grey) -> Motion:
    height, width = frame.shape
    missing = [max(0, LEAST_SIDE - side) for side in (height, width)]
    if any(missing):  # OpenCV refuses so small a frame
        frame, later = (np.pad(each, [(0, n) for n in missing], "edge") for each in (frame, later))
    search = cv2.DISOpticalFlow.create(cv2.DISOPTICAL_FLOW_PRESET_MEDIUM)
    motion = search.calc(frame, later, None)  # type: ignore[call-overload]  # None: begin anew
    return np.asarray(motion[:height, :width], np.float32)


def _farneback(frame: Grey, later: Grey) -> Motion:
    motion = cv2.calcOpticalFlowFarneback(
        frame,
        later,
        np.zeros((*frame.shape, 2), np.float32),  # written to
        pyr_scale=0.5,
        levels=4,
        winsize=15,
        iterations=3,
        poly_n=5,
        poly_sigma=1.1,
        flags=0,
    )
    return np.asarray(motion, np.float32)


_ESTIMATES: Mapping[str, Callable[[Grey, Grey], Motion]] = MappingProxyType(
    {"dis": _dis, "farneback": _farneback}
)
