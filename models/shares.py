"""Which images of a batch a rank trains on, and what they weigh.

A batch is cut into one part per rank. One with fewer images than ranks is given to all of them,
and each adds its share of the same gradient: none is left without a forward pass, for which the
others would wait in layers that normalise over the ranks. Where there are such layers, so is one
that does not come out even; it is cut into as many pieces more, to fit into memory.
"""

from dataclasses import dataclass

from models.ranks import Ranks, part_of
from models.session import BatchSource


def batch_sizes(source: BatchSource, batch_size: int, batches: range) -> list[int]:
    """Return the images in each of these batches of an epoch, whoever has them."""
    return [min(batch_size, source.images - index * batch_size) for index in batches]


@dataclass(frozen=True, slots=True)
class Shares:
    """How one rank's part of each batch is found."""

    ranks: Ranks
    is_even: bool = False  # whether only what comes out even is cut

    def part(self, images: int) -> slice:
        """Return which of a batch's images are this rank's."""
        return slice(0, images) if self.is_whole(images) else part_of(images, self.ranks)

    def is_whole(self, images: int) -> bool:
        """Whether a batch is every rank's."""
        count = self.ranks.count
        return images < count or (self.is_even and images % count > 0)

    def copies(self, images: int) -> int:
        """Return how many ranks train on each of a batch's images."""
        return self.ranks.count if self.is_whole(images) else 1
