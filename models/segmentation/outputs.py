"""What a segmentation network returns besides its logits."""

from typing import NamedTuple

from torch import Tensor


class WithAuxiliary(NamedTuple):
    """Logits with those of a second head that is trained along; in training mode only.

    What is minimised is `loss(logits) + weight * loss(auxiliary)`. In evaluation mode a network
    returns its logits alone, whether it has an auxiliary head or not.
    """

    logits: Tensor  # (b, c, h, w) float
    auxiliary: Tensor  # (b, c, h, w) float, from a shallower layer
    weight: float  # of the auxiliary loss, above 0
