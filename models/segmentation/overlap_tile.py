"""Predicting a whole image with a network whose output is smaller than its input.

The image is mirrored at its borders as far as the network looks beyond its output, and large
images are predicted tile by tile, which bounds memory (Ronneberger et al. 2015, figure 2).
"""

from collections.abc import Callable

import torch
from torch import Tensor


def mirror(images: Tensor, *, margin: int, size_hw: tuple[int, int]) -> Tensor:
    """Extend (b, c, h, w) at all borders by mirroring; a border pixel is not repeated.

    Unlike torch's padding it takes a margin wider than the image, which is mirrored again then.

    Args:
        images: of any size.
        margin: pixels added above and to the left.
        size_hw: of the result; what `margin` leaves of it is added below and to the right.
    """
    for dimension, wanted in zip((-2, -1), size_hw, strict=True):
        size = images.shape[dimension]
        places = torch.arange(-margin, wanted - margin, device=images.device)
        period = max(1, 2 * (size - 1))
        places = places % period
        places = torch.where(places < size, places, period - places)
        images = images.index_select(dimension, places)
    return images


def predict_by_tiles(
    network: Callable[[Tensor], Tensor], images: Tensor, *, tile: int, margin: int, grid: int
) -> Tensor:
    """Predict (b, c, h, w) in square tiles; the same numbers as from one pass over all of it.

    The network sees the same pixels around each output as in one pass. Its poolings meet the
    same squares only where tiles are apart by a multiple of `grid`, so tiles overlap by the rest.

    Args:
        network: maps an input of side `tile + 2 * margin` to an output of side `tile`.
        images: of any size.
        tile: side of the output of one pass in pixels, at least `grid`.
        margin: pixels that the network loses on each side.
        grid: product of the network's poolings.

    Returns:
        (b, outputs, h, w).
    """
    height, width = images.shape[-2:]
    step, side = tile // grid * grid, tile + 2 * margin
    tops, lefts = range(0, height, step), range(0, width, step)
    canvas = mirror(images, margin=margin, size_hw=(tops[-1] + side, lefts[-1] + side))
    rows = [
        torch.cat(
            [
                network(canvas[..., top : top + side, left : left + side])[..., :step, :step]
                for left in lefts
            ],
            dim=-1,
        )
        for top in tops
    ]
    return torch.cat(rows, dim=-2)[..., :height, :width]
