"""Maps of any size to a grid of fixed size, so that fully connected layers can follow.

As `torch.nn.AdaptiveAvgPool2d`, whose backward pass is not deterministic on CUDA; here it is a
product with constant matrices. Maps that have the grid's size stay as they are.
"""

import torch
from torch import Tensor, nn


class GridPooling(nn.Module):
    """Mean over the cells of a square grid; where maps are smaller than it, values repeat.

    Args:
        side: Of the grid, cells.
    """

    def __init__(self, side: int) -> None:
        super().__init__()
        self.side = side

    def forward(self, maps: Tensor) -> Tensor:
        """Return (…, side, side) of (…, h, w)."""
        height, width = maps.shape[-2:]
        if (height, width) == (self.side, self.side):
            return maps
        rows, columns = (cell_weights(length, self.side).to(maps) for length in (height, width))
        return rows @ maps @ columns.T


def cell_weights(length: int, cells: int) -> Tensor:
    """Return (cells, length) float32: each row the mean over the positions a cell reaches."""
    places = torch.arange(length)
    first = torch.arange(cells) * length // cells
    end = -(-(torch.arange(1, cells + 1) * length) // cells)  # rounded up
    is_in = (places >= first[:, None]) & (places < end[:, None])
    return is_in / is_in.sum(dim=1, keepdim=True)
