"""Regions of images as pictures of one size, with what surrounds them."""

from collections.abc import Sequence

import torch
from torch import Tensor
from torchvision.ops import roi_align  # type: ignore[import-untyped]

from models.detection.region_pooling import kernels_as_built


def warped(images: Tensor, boxes: Sequence[Tensor], *, side: int, context: int) -> Tensor:
    """Warp regions to squares, whatever their shape (Girshick et al. 2014, appendix A).

    Where a region is shrunk, each pixel is the mean of what it covers. Context that lies outside
    the image is 0, the middle of the range of pixels.

    Args:
        images: (b, 3, h, w) float32.
        boxes: b times (n, 4) xyxy, pixels.
        side: Of the squares, pixels.
        context: Pixels of the square, on each side, around the region.

    Returns:
        (all n, 3, side, side), the regions of all images in order; without a gradient.
    """
    enlarged = [with_context(each, side / (side - 2 * context)) for each in boxes]
    with torch.no_grad(), kernels_as_built((), images.device):
        crops: Tensor = roi_align(images, enlarged, side, sampling_ratio=-1, aligned=True)
    return crops


def with_context(boxes: Tensor, factor: float) -> Tensor:
    """Return boxes (n, 4) so many times as wide and high, around the same centres."""
    centres, halves = (boxes[:, :2] + boxes[:, 2:]) / 2, (boxes[:, 2:] - boxes[:, :2]) / 2
    return torch.cat([centres - factor * halves, centres + factor * halves], dim=1)
