"""Doubling the height and width of maps inside a network, by the ways that lectures teach.

None of them uses an operation without a deterministic CUDA kernel, forward or backward:
`max_unpool2d` has none, and `interpolate` only one that it switches to at a loss of time.
"""

from collections.abc import Callable, Mapping
from types import MappingProxyType

import torch
from torch import Tensor, nn
from torch.nn import functional


def nearest(maps: Tensor) -> Tensor:
    """Repeat each pixel of (b, c, h, w) in a 2x2 square."""
    batch, channels, height, width = maps.shape
    squares = maps[:, :, :, None, :, None].expand(-1, -1, -1, 2, -1, 2)
    return squares.reshape(batch, channels, 2 * height, 2 * width)


def bilinear(maps: Tensor) -> Tensor:
    """Interpolate (b, c, h, w) between pixel centres, the border pixels going on outside.

    The same numbers as `interpolate(scale_factor=2, mode="bilinear", align_corners=False)`.
    """
    for dimension in (-2, -1):
        maps = _doubled_along(maps, dimension)
    return maps


def bed_of_nails(maps: Tensor) -> Tensor:
    """Put each pixel of (b, c, h, w) at the top left of a 2x2 square of zeros."""
    for dimension in (-2, -1):
        maps = _interleaved(maps, torch.zeros_like(maps), dimension)
    return maps


def max_pool(maps: Tensor) -> tuple[Tensor, Tensor]:
    """Keep the largest pixel of each 2x2 square of (b, c, h, w), and where it was.

    Returns:
        (b, c, h / 2, w / 2) maxima, and the int64 number of each one's pixel, row by row.
    """
    pooled, places = functional.max_pool2d(maps, 2, return_indices=True)
    return pooled, places


def max_unpool(maps: Tensor, places: Tensor) -> Tensor:
    """Put each pixel of (b, c, h, w) where `max_pool` found the maximum, zeros elsewhere."""
    batch, channels, height, width = maps.shape
    pixels = torch.arange(4 * height * width, device=maps.device).view(height, 2, width, 2)
    is_maximum = places[:, :, :, None, :, None] == pixels
    squares = torch.where(is_maximum, maps[:, :, :, None, :, None], 0)
    return squares.reshape(batch, channels, 2 * height, 2 * width)


FIXED_UPSAMPLINGS: Mapping[str, Callable[[Tensor], Tensor]] = MappingProxyType(
    {"nearest": nearest, "bilinear": bilinear, "bed_of_nails": bed_of_nails}
)


class FixedUpsampling(nn.Module):
    """One of `FIXED_UPSAMPLINGS` as a layer; nothing in it is learned."""

    def __init__(self, name: str) -> None:
        super().__init__()
        self.name = name

    def forward(self, maps: Tensor) -> Tensor:
        """Turn (b, c, h, w) into (b, c, 2 h, 2 w)."""
        return FIXED_UPSAMPLINGS[self.name](maps)


def transposed_convolution(before: int, after: int, kernel: int) -> nn.ConvTranspose2d:
    """Build one that doubles the size exactly; `kernel` is 2 or 3."""
    if kernel == 2:
        return nn.ConvTranspose2d(before, after, 2, stride=2)
    return nn.ConvTranspose2d(before, after, 3, stride=2, padding=1, output_padding=1)


def same_convolution(before: int, after: int, kernel: int) -> nn.Module:
    """Build a convolution that keeps the size; `kernel` is 2 or 3."""
    if kernel == 3:
        return nn.Conv2d(before, after, 3, padding=1)
    # Above and to the left, so that after a bed of nails it is a transposed convolution again.
    return nn.Sequential(nn.ZeroPad2d((1, 0, 1, 0)), nn.Conv2d(before, after, 2))


def _doubled_along(maps: Tensor, dimension: int) -> Tensor:
    size = maps.shape[dimension]
    first, last = maps.narrow(dimension, 0, 1), maps.narrow(dimension, size - 1, 1)
    before = torch.cat([first, maps.narrow(dimension, 0, size - 1)], dimension)
    after = torch.cat([maps.narrow(dimension, 1, size - 1), last], dimension)
    # New centres lie a quarter of a pixel before and after the old ones.
    return _interleaved(0.75 * maps + 0.25 * before, 0.75 * maps + 0.25 * after, dimension)


def _interleaved(even: Tensor, odd: Tensor, dimension: int) -> Tensor:
    """Take rows (-2) or columns (-1) from two tensors in turn."""
    return torch.stack([even, odd], dimension).flatten(dimension - 1, dimension)
