"""From an item on disk to a sample that can be kept: decoded, and at one size.

Nothing in here is random, so it can be done once for all trials.
"""

from dataclasses import dataclass, replace

import numpy as np

from data_pipeline.datasets.dataset import Item, VideoItem
from data_pipeline.loading.resizing import Policy, resized
from data_pipeline.samples import ClipSample, Sample
from data_pipeline.video.flow import ClipFlow

# A longer one, over a minute, would take a builder's memory; of it a clip is a small part anyway.
MOST_KEPT_FRAMES = 2048


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
        if count > MOST_KEPT_FRAMES:
            return None
        frames = item.frames(np.arange(count), self.shorter_side)
        if self.flow is not None:
            frames = self.flow.of_video(frames)
        return ClipSample(item.image_id, frames, item.label)

    def part(self, indices: range) -> "VideoDecoder":
        """Return a decoder of these videos alone."""
        return replace(self, items=self.items[indices.start : indices.stop])
