"""What is done in a video, by a network of actions over a window that slides along it.

A window is a clip of the network's study: as many frames, one in every so many, scaled and cut as
those it was scored with. A second pass over the file runs ahead by half a window, so that a frame
is told what the window around it shows. Of a video shorter than a window there is one, looped.
"""

from collections import deque
from collections.abc import Generator, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from data_pipeline.datasets.settings.videos import VideoFields
from data_pipeline.loading.unlabelled import clip_inputs
from data_pipeline.video.clips import clip_indices, shorter_side
from data_pipeline.video.streaming import streamed
from models.predicting import AppliedNetwork
from models.predictions import ClassProbabilities

Frames = NDArray[np.uint8]  # (t, h, w, 3)


@dataclass(frozen=True, slots=True)
class ActionWindow:
    """What a network says of a stretch of a video."""

    start_frame: int
    end_frame: int  # the last one
    start_s: float
    end_s: float
    probabilities: NDArray[np.float64]  # (classes,)

    @property
    def middle(self) -> float:
        """Return the frame in the middle."""
        return (self.start_frame + self.end_frame) / 2


@dataclass(frozen=True, slots=True)
class NetworkActions:
    """A network of actions, that is given clips as in its study."""

    network: AppliedNetwork
    settings: VideoFields

    @property
    def span(self) -> int:
        """Return how many frames of a video a window reaches over."""
        clip = self.settings.clip
        return (clip.frames - 1) * clip.stride + 1

    def __call__(self, frames: Frames, indices: NDArray[np.int64]) -> NDArray[np.float64]:
        """Return (classes,) probabilities of a clip, the mean over its squares."""
        said = self.network.predict(clip_inputs(frames, indices, self.settings))
        values = [each.values for each in said if isinstance(each, ClassProbabilities)]
        return np.asarray(torch.stack(values).double().mean(dim=0).numpy(), np.float64)

    def windows(self, file: Path, stride: int) -> Generator[ActionWindow]:
        """Yield the windows of a video, one beginning every `stride` frames; at least one.

        Raises:
            DataError: It is no video.
            OutOfMemory: The device's memory does not hold a clip.
        """
        clip, span = self.settings.clip, self.span
        side = shorter_side(self.settings)
        held: deque[_Held] = deque(maxlen=span)
        is_found = False
        with streamed(file) as frames:
            for frame in frames:
                held.append(_Held(frame.scaled(side), frame.number, frame.time_s))
                start = frame.number - span + 1
                if start >= 0 and start % stride == 0:
                    yield self._window(held, np.arange(span, step=clip.stride))
                    is_found = True
        if not is_found:
            looped = clip_indices(len(held), frames=clip.frames, stride=clip.stride, start=0)
            yield self._window(held, looped)

    def _window(self, held: Sequence["_Held"], places: NDArray[np.int64]) -> ActionWindow:
        frames = np.stack([held[place].pixels for place in places])
        first, last = held[0], held[-1]
        return ActionWindow(
            first.number,
            last.number,
            first.time_s,
            last.time_s,
            probabilities=self(frames, places + first.number),
        )


@dataclass(frozen=True, slots=True)
class _Held:
    """A frame that a window may still need."""

    pixels: Frames  # (h, w, 3), scaled
    number: int
    time_s: float


class ActionTimeline:
    """Tells each frame the window whose middle is nearest; keeps two windows."""

    def __init__(self, windows: Iterator[ActionWindow]) -> None:
        self._windows = windows
        self._now = next(windows)
        self._next = next(windows, None)

    def at(self, number: int) -> ActionWindow:
        """Return the window of a frame; frames are asked for in order."""
        while self._next and self._next.middle - number <= number - self._now.middle:
            self._now, self._next = self._next, next(self._windows, None)
        return self._now
