"""Clips as pretrained weights know them."""

from collections.abc import Sequence

import torch
from torch import Tensor, nn


class PixelStatistics(nn.Module):
    """Bring clips (b, 3, t, h, w) in [-1, 1] to what weights were trained on.

    That is pixels in [0, 1], less a mean, divided by a standard deviation. Neither is learned, but
    both are in the state_dict: whoever carries the weights over carries along what they know.

    Args:
        mean: Of red, green and blue in [0, 1]; by default clips stay as they are.
        std: Of the same.
    """

    centre: Tensor  # (3, 1, 1, 1), of clips' values
    scale: Tensor

    def __init__(
        self, mean: Sequence[float] = (0.5,) * 3, std: Sequence[float] = (0.5,) * 3
    ) -> None:
        super().__init__()
        shape = (len(mean), 1, 1, 1)
        self.register_buffer("centre", torch.tensor(mean).view(shape) * 2 - 1)
        self.register_buffer("scale", torch.tensor(std).view(shape) * 2)

    def forward(self, clips: Tensor) -> Tensor:
        """Return clips of the same shape."""
        return (clips - self.centre) / self.scale


def pixels_of(weights: object) -> PixelStatistics:
    """Return the statistics that torchvision's pretrained weights were trained with.

    Args:
        weights: A member of one of torchvision's enums.
    """
    preset = weights.transforms()  # type: ignore[attr-defined]  # torchvision is untyped
    return PixelStatistics(preset.mean, preset.std)
