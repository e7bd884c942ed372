"""Poolings over time and space, written as poolings over space.

torch's 3-D poolings have no deterministic backward pass on CUDA, its 2-D maxima and averages
have. Largest and smallest are the same in one step as in two, and so is which of several equal
maxima gets the gradient: the first in time, then in rows and columns.
"""

from torch import Tensor, nn
from torch.nn import functional

Extent = tuple[int, int, int]  # frames, rows, columns


class MaxPool(nn.Module):
    """`nn.MaxPool3d` of (b, c, t, h, w), with a deterministic backward pass.

    Args:
        kernel: Of a window.
        stride: Between windows.
        padding: On either side; at most half a window.
        ceil_mode: Whether a window may reach over the end.
    """

    def __init__(
        self,
        kernel: Extent,
        stride: Extent,
        *,
        padding: Extent = (0, 0, 0),
        ceil_mode: bool = False,
    ) -> None:
        super().__init__()
        self.kernel, self.stride, self.padding = kernel, stride, padding
        self.ceil_mode = ceil_mode

    def forward(self, maps: Tensor) -> Tensor:
        """Return the maxima, (b, c, t', h', w')."""
        b, c, t, h, w = maps.shape
        maps = functional.max_pool2d(
            maps.reshape(b, c * t, h, w),
            self.kernel[1:],
            stride=self.stride[1:],
            padding=self.padding[1:],
            ceil_mode=self.ceil_mode,
        )
        h, w = maps.shape[-2:]
        if self.kernel[0] > 1 or self.stride[0] > 1:
            maps = functional.max_pool2d(
                maps.reshape(b, c, t, h * w),
                (self.kernel[0], 1),
                stride=(self.stride[0], 1),
                padding=(self.padding[0], 0),
                ceil_mode=self.ceil_mode,
            )
        return maps.reshape(b, c, -1, h, w)


class AveragePool(nn.Module):
    """`nn.AvgPool3d` with stride 1 of (b, c, t, h, w); a window is at most all there is."""

    def __init__(self, kernel: Extent) -> None:
        super().__init__()
        self.kernel = kernel

    def forward(self, maps: Tensor) -> Tensor:
        """Return the averages, (b, c, t', h', w')."""
        b, c, t, h, w = maps.shape
        frames, rows, columns = (min(pair) for pair in zip(self.kernel, (t, h, w), strict=True))
        maps = functional.avg_pool2d(maps.reshape(b, c * t, h, w), (rows, columns), stride=1)
        h, w = maps.shape[-2:]
        maps = functional.avg_pool2d(maps.reshape(b, c, t, h * w), (frames, 1), stride=1)
        return maps.reshape(b, c, -1, h, w)


class AverageOfAll(nn.Module):
    """`nn.AdaptiveAvgPool3d(1)`: (b, c, t, h, w) to (b, c, 1, 1, 1)."""

    def forward(self, maps: Tensor) -> Tensor:
        """Return the averages over all frames and pixels."""
        return maps.mean(dim=(2, 3, 4), keepdim=True)


def pool_deterministically(network: nn.Module) -> None:
    """Replace the 3-D poolings of a network by those of this module; they have no weights."""
    for layer in list(network.modules()):
        for name, child in list(layer.named_children()):
            if isinstance(child, nn.MaxPool3d):
                setattr(layer, name, _of_maxima(child))
            elif isinstance(child, nn.AdaptiveAvgPool3d):
                setattr(layer, name, AverageOfAll())


def _of_maxima(pooling: nn.MaxPool3d) -> MaxPool:
    return MaxPool(
        _extent(pooling.kernel_size),
        _extent(pooling.stride),
        padding=_extent(pooling.padding),
        ceil_mode=pooling.ceil_mode,
    )


def _extent(value: int | tuple[int, ...]) -> Extent:
    if isinstance(value, int):
        return (value, value, value)
    frames, rows, columns = value
    return (frames, rows, columns)
