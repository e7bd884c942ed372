"""Default boxes of SSD (Liu et al. 2016, section 2.2), by torchvision."""

from collections.abc import Sequence
from dataclasses import dataclass

from torch import Tensor
from torchvision.models.detection.anchor_utils import (  # type: ignore[import-untyped]
    DefaultBoxGenerator,
)
from torchvision.models.detection.image_list import ImageList  # type: ignore[import-untyped]


@dataclass(frozen=True, slots=True)
class DefaultBoxes:
    """Boxes of a few shapes around every place of every map.

    Of a map with scale s they are squares of s and sqrt(s s'), s' the scale of the next map, and
    for each ratio a a lying and a standing box with sides s sqrt(a) and s / sqrt(a), all as
    shares of the image's side.
    """

    ratios: tuple[tuple[float, ...], ...]  # of each map
    scales: tuple[float, ...]  # of each map, and one more
    strides: tuple[int | None, ...]  # of each map, pixels; None: places spread evenly

    @property
    def of_a_place(self) -> list[int]:
        """Return how many boxes every place of each map has."""
        return [2 + 2 * len(ratios) for ratios in self.ratios]

    def __call__(self, batch: ImageList, maps: Sequence[Tensor]) -> Tensor:
        """Return the boxes (n, 4), xyxy in pixels, map by map and row by row.

        Args:
            batch: Square images.
            maps: (b, …, h, w) each.
        """
        side = batch.tensors.shape[-1]
        steps = [
            stride or side / each.shape[-1]
            for stride, each in zip(self.strides, maps, strict=True)
        ]
        generator = DefaultBoxGenerator(
            [list(ratios) for ratios in self.ratios], scales=list(self.scales), steps=steps
        )
        boxes: Tensor = generator(batch, maps)[0]
        return boxes
