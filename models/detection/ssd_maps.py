"""The maps that SSD finds objects on: two of VGG-16's, and those of ever smaller layers."""

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional

from models.detection.ssd_settings import Window
from models.segmentation.vgg import vgg16_stages, vgg16_widths

LENGTH = 20.0  # of the first map's vectors, before training
THINNED = 16  # times the first stage's channels: of the convolutions made of the connected layers
DILATION = 6  # pixels between the taps of the first of them
NARROW = 2  # times the first stage's channels: between two small maps, but before the first: 4


class L2Norm(nn.Module):
    """Every place's vector at length 1, times a factor of each channel (ParseNet, 2015).

    The first map's values are much larger than the others' (Liu et al. 2016, section 3.1).
    """

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.factors = nn.Parameter(torch.full((channels,), LENGTH))

    def forward(self, maps: Tensor) -> Tensor:
        """Return the same shape, (b, c, h, w)."""
        return self.factors[:, None, None] * functional.normalize(maps)


class SSDMaps(nn.Module):
    """VGG-16, its connected layers made convolutions, and layers beyond.

    Args:
        base_channels: Of the first stage; 64 is VGG-16.
        windows: Of the layers that make the maps from the third on.
        trained_stages: How many of VGG-16's five are trained, from the last one on; None: all.
    """

    def __init__(
        self, base_channels: int, windows: Sequence[Window], trained_stages: int | None
    ) -> None:
        super().__init__()
        self.stages = vgg16_stages(base_channels, batch_norm=False)
        last, thinned = vgg16_widths(base_channels)[-1], THINNED * base_channels
        self.norm = L2Norm(last)
        self.connected = nn.Sequential(
            nn.Conv2d(last, thinned, 3, padding=DILATION, dilation=DILATION),
            nn.ReLU(inplace=True),
            nn.Conv2d(thinned, thinned, 1),
            nn.ReLU(inplace=True),
        )
        self.out_channels = [last, thinned]
        self.extra = nn.ModuleList()
        for number, window in enumerate(windows):
            between = base_channels * (NARROW if number else 2 * NARROW)
            self.extra.append(_smaller(self.out_channels[-1], between, window))
            self.out_channels.append(2 * between)
        for layers in (self.connected, self.extra):
            layers.apply(draw_xavier)
        if trained_stages is not None:
            for stage in list(self.stages)[: len(self.stages) - trained_stages]:
                stage.requires_grad_(requires_grad=False)

    def forward(self, images: Tensor) -> dict[str, Tensor]:
        """Return the maps "0", "1", … (b, c, h, w) of (b, 3, h, w) images, the largest first."""
        first, second, third, fourth, fifth = self.stages
        maps = functional.max_pool2d(first(images), 2)
        maps = functional.max_pool2d(second(maps), 2)
        maps = functional.max_pool2d(third(maps), 2, ceil_mode=True)
        maps = fourth(maps)
        found = [self.norm(maps)]
        maps = fifth(functional.max_pool2d(maps, 2))
        maps = self.connected(functional.max_pool2d(maps, 3, stride=1, padding=1))
        found.append(maps)
        for layers in self.extra:
            found.append(layers(found[-1]))
        return {str(level): each for level, each in enumerate(found)}


def draw_xavier(module: nn.Module) -> None:
    """Draw a convolution's weights uniformly (Glorot & Bengio 2010), as SSD does; biases 0."""
    if isinstance(module, nn.Conv2d):
        nn.init.xavier_uniform_(module.weight)
        if module.bias is not None:
            nn.init.zeros_(module.bias)


def _smaller(before: int, between: int, window: Window) -> nn.Sequential:
    kernel, stride, padding = window
    return nn.Sequential(
        nn.Conv2d(before, between, 1),
        nn.ReLU(inplace=True),
        nn.Conv2d(between, 2 * between, kernel, stride=stride, padding=padding),
        nn.ReLU(inplace=True),
    )
