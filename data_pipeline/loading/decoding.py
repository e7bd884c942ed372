"""From an item on disk to a sample that can be kept: decoded, and at one size.

Nothing in here is random, so it can be done once for all trials.
"""

from dataclasses import dataclass, replace

import numpy as np

from data_pipeline.datasets.dataset import Item, VideoItem
from data_pipeline.loading.resizing import Policy, resized
from data_pipeline.samples import CHANNELS_WITH_FLOW, COLOURS, ClipSample, Sample
from data_pipeline.video.flow import ClipFlow

# Of a whole video in memory, of which each builder has one: at 25 frames a second and a shorter
# side of 128 four minutes, and one and a half with flow. Of a longer one a clip is a small part.
MOST_KEPT_BYTES = 384 * 10**6
WIDEST = 4  # times as wide as high; frames that would fit even so need not be looked at


@dataclass(frozen=True, slots=True)
class ImageDecoder:
    """Images at the network's input size."""

    items: tuple[Item, ...]
    policy: Policy
    image_size: int

    def __len__(self) -> int:
        return len(self.items)

    def decode(self, index: int) -> Sample:
        """Decode and resize one.

        Raises:
            DataError: A file is missing or damaged; the message names it.
        """
        return resized(self.items[index].read(), self.policy, self.image_size)

    def part(self, indices: range) -> "ImageDecoder":
        """Return a decoder of these images alone."""
        return ImageDecoder(self.items[indices.start : indices.stop], self.policy, self.image_size)


@dataclass(frozen=True, slots=True)
class VideoDecoder:
    """Whole videos at a shorter side, from which any clip can be cut."""

    items: tuple[VideoItem, ...]
    shorter_side: int
    flow: ClipFlow | None = None  # None: colours alone

    def __len__(self) -> int:
        return len(self.items)

    def decode(self, index: int) -> ClipSample | None:
        """Decode all frames of one; None: it is too long to be kept.

        Raises:
            DataError: A file is missing or damaged; the message names it.
        """
        item = self.items[index]
        count = item.frame_count()
        if not self._fits(item, count):
            return None
        frames = item.frames(np.arange(count), self.shorter_side)
        if self.flow is not None:
            frames = self.flow.of_video(frames)
        return ClipSample(item.image_id, frames, item.label)

    def _fits(self, item: VideoItem, count: int) -> bool:
        """Tell whether all frames of a video may be in memory at once."""
        # Flow is added to a copy, beside the frames that it is estimated from.
        channels = COLOURS if self.flow is None else COLOURS + CHANNELS_WITH_FLOW
        most_pixels = MOST_KEPT_BYTES // (channels * max(1, count))
        if WIDEST * self.shorter_side**2 <= most_pixels:
            return True
        height, width = item.frames(np.arange(1), self.shorter_side).shape[1:3]
        return bool(height * width <= most_pixels)

    def part(self, indices: range) -> "VideoDecoder":
        """Return a decoder of these videos alone."""
        return replace(self, items=self.items[indices.start : indices.stop])
