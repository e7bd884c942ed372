"""The appearance network of DeepSORT: a small wide residual network, 128 numbers per box.

Wojke et al. 2017, Table 1, built of the pre-activated blocks of Zagoruyko and Komodakis 2016 with
exponential linear units. The table's 2,800,864 parameters are counted so: batch normalisation
learns a shift and no scale, and stands in for the bias of every convolution but the second of a
block; where a block changes the channels, 1x1 convolutions without bias carry its input past it.
"""

import torch
from torch import Tensor, nn
from torch.nn import functional

INPUT_SIZE_HW = (128, 64)
DESCRIPTOR_SIZE = 128
BLOCKS = ((32, 32), (32, 32), (32, 64), (64, 64), (64, 128), (128, 128))  # channels in and out


class ShiftNorm2d(nn.BatchNorm2d):
    """Batch normalisation that learns a shift and no scale."""

    def __init__(self, channels: int) -> None:
        super().__init__(channels, affine=False)
        self.shift = nn.Parameter(torch.zeros(channels))

    def forward(self, maps: Tensor) -> Tensor:
        """Normalise (b, c, h, w)."""
        normalised: Tensor = super().forward(maps)
        return normalised + self.shift[:, None, None]


class ResidualBlock(nn.Module):
    """Two convolutions and what goes past them; halves the size where it widens."""

    def __init__(self, in_channels: int, out_channels: int, *, is_first: bool) -> None:
        super().__init__()
        widens = in_channels != out_channels
        stride = 2 if widens else 1
        # The first block's input is activated already.
        self.activation = nn.Identity() if is_first else _activation(in_channels)
        self.residual = nn.Sequential(
            nn.Conv2d(in_channels, out_channels, 3, stride, 1, bias=False),
            _activation(out_channels),
            nn.Conv2d(out_channels, out_channels, 3, padding=1),
        )
        self.shortcut = (
            nn.Conv2d(in_channels, out_channels, 1, stride, bias=False)
            if widens
            else nn.Identity()
        )

    def forward(self, maps: Tensor) -> Tensor:
        """Map (b, c, h, w) to as many or twice the channels."""
        summed: Tensor = self.shortcut(maps) + self.residual(self.activation(maps))
        return summed


class AppearanceNetwork(nn.Module):
    """Describe pictures of objects by directions: those of one object lie close."""

    def __init__(self) -> None:
        super().__init__()
        first = BLOCKS[0][0]
        self.stem = nn.Sequential(
            nn.Conv2d(3, first, 3, padding=1, bias=False),
            _activation(first),
            nn.Conv2d(first, first, 3, padding=1, bias=False),
            _activation(first),
            nn.MaxPool2d(3, 2, padding=1),
        )
        self.blocks = nn.Sequential(
            *(
                ResidualBlock(channels, wider, is_first=index == 0)
                for index, (channels, wider) in enumerate(BLOCKS)
            )
        )
        height, width = (side // 8 for side in INPUT_SIZE_HW)
        self.dense = nn.Linear(BLOCKS[-1][1] * height * width, DESCRIPTOR_SIZE, bias=False)
        self.norm = ShiftNorm2d(DESCRIPTOR_SIZE)
        self.apply(_draw)

    def forward(self, pictures: Tensor) -> Tensor:
        """Describe pictures (b, 3, 128, 64) float in [-1, 1] by (b, 128) of length 1."""
        maps = self.blocks(self.stem(pictures))
        features = self.norm(self.dense(maps.flatten(1))[..., None, None])
        return functional.normalize(features.flatten(1))


def _activation(channels: int) -> nn.Sequential:
    return nn.Sequential(ShiftNorm2d(channels), nn.ELU())


def _draw(module: nn.Module) -> None:
    """Draw weights so that activations keep their scale (He et al. 2015)."""
    if isinstance(module, nn.Conv2d | nn.Linear):
        nn.init.kaiming_normal_(module.weight)
        if module.bias is not None:
            nn.init.zeros_(module.bias)
