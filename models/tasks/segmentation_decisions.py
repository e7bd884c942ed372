"""What a network says of a batch of images, beside the truth."""

from dataclasses import dataclass
from typing import Protocol

from torch import Tensor


class SegmentationBatch(Protocol):
    """A frozen dataclass of images of one size with their label maps."""

    @property
    def image_ids(self) -> tuple[str, ...]:
        """(b,)."""

    @property
    def images(self) -> Tensor:
        """(b, 3, h, w) uint8 RGB, or float32 where they were normalised."""

    @property
    def masks(self) -> Tensor:
        """(b, h, w) uint8 class index or IGNORE."""


@dataclass(frozen=True, slots=True)
class Decisions:
    """What a network says of a batch, beside the truth."""

    losses: Tensor  # (b,) float32, of what is scored
    probabilities: Tensor  # (b, channels, h, w) float32
    found: Tensor  # (b, classes, h, w) bool, classes without the background
    truth: Tensor  # (b, classes, h, w) bool
    labels: Tensor  # (b, h, w) the labels scored
    valid: Tensor  # (b, h, w) bool
    auxiliary: Tensor | None = None  # (b,) loss of a second head times its weight; None: no such


def centre(maps: Tensor, like: Tensor) -> Tensor:
    """Cut (…, h, w) to the centre that a smaller output covers."""
    height, width = like.shape[-2:]
    top, left = (maps.shape[-2] - height) // 2, (maps.shape[-1] - width) // 2
    return maps[..., top : top + height, left : left + width]
