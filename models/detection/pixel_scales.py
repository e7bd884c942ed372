"""Weights that were trained on pixels of another scale, made to fit ours."""

from dataclasses import dataclass

import torch
from torch import Tensor, nn

Channels = tuple[float, float, float]  # red, green, blue


@dataclass(frozen=True, slots=True)
class PixelScale:
    """What is done to pixels in [0, 1]: the mean is taken away, then divided by the deviation."""

    mean: Channels
    std: Channels


IMAGENET = PixelScale((0.485, 0.456, 0.406), (0.229, 0.224, 0.225))  # as `data.normalize` has it


def rescale_pixels(first: nn.Conv2d, trained_on: PixelScale) -> Tensor:
    """Have a network's first layer make of ImageNet's scale what it made of another one.

    Exact but at the image's border, where the zeros that a convolution sees stand for the mean
    colour, which is another one on each scale.

    Args:
        first: Its weights are changed.
        trained_on: The scale that they were trained on.

    Returns:
        (out channels,): what is missing in each output, to be put into what follows.
    """
    ours, theirs = (
        first.weight.new_tensor((scale.mean, scale.std)).view(2, 1, 3, 1, 1)
        for scale in (IMAGENET, trained_on)
    )
    with torch.no_grad():
        missing: Tensor = (first.weight * ((ours[0] - theirs[0]) / theirs[1])).sum(dim=(1, 2, 3))
        first.weight.mul_(ours[1] / theirs[1])
    return missing
