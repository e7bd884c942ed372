"""The images of a split whose objects are drawn."""

from dataclasses import dataclass

from torch import Tensor

from models.metrics.scored_images import ScoredImage
from models.tasks.strips import ByteArray


@dataclass(frozen=True, slots=True)
class ObjectProbe:
    """One image, what is in it and what was found."""

    pixels: ByteArray  # (h, w, 3) RGB
    image: Tensor  # (3, h, w) float32 as the network is given it, on the CPU
    objects: ScoredImage
