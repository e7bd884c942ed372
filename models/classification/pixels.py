"""Pixels as pretrained weights know them.

A study with pretrained weights normalises pixels by ImageNet's statistics (data.normalize:
imagenet). Weights that know others, such as the Inceptions', get them here.
"""

from collections.abc import Sequence

import torch
from torch import Tensor, nn

IMAGENET_MEAN, IMAGENET_STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)


class PixelUnits(nn.Module):
    """Bring images (b, 3, h, w) to other units: times a factor, plus a shift of each colour.

    Neither is learned, but both are in the state_dict: whoever carries the weights over carries
    along what they know. By default images stay as they are.
    """

    factor: Tensor  # (3, 1, 1)
    shift: Tensor

    def __init__(
        self, factor: Sequence[float] = (1.0,) * 3, shift: Sequence[float] = (0.0,) * 3
    ) -> None:
        super().__init__()
        self.register_buffer("factor", torch.tensor(factor).view(-1, 1, 1))
        self.register_buffer("shift", torch.tensor(shift).view(-1, 1, 1))

    def forward(self, images: Tensor) -> Tensor:
        """Return images of the same shape."""
        return images * self.factor + self.shift


def pixels_in_unit_range(*, is_pretrained: bool) -> PixelUnits:
    """Return what makes values in [-1, 1] of ImageNet's units, where weights are pretrained."""
    if not is_pretrained:
        return PixelUnits()
    return PixelUnits(
        factor=[std / 0.5 for std in IMAGENET_STD],
        shift=[(mean - 0.5) / 0.5 for mean in IMAGENET_MEAN],
    )
