"""Batches of images with a class each, as the task knows them."""

from typing import Protocol

from torch import Tensor


class ImageBatch(Protocol):
    """A frozen dataclass of images of one size with a class each."""

    @property
    def image_ids(self) -> tuple[str, ...]:
        """(b,)."""

    @property
    def images(self) -> Tensor:
        """(b, 3, h, w) uint8 RGB, or float32 where normalised."""

    @property
    def labels(self) -> Tensor:
        """(b,) int64."""
