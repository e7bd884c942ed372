"""U-Net: a contracting and an expanding path with copies across (Ronneberger et al. 2015).

Both forms: the paper's, whose unpadded convolutions shrink the map and crop each copy to its
centre, and the padded one, whose output has the input's size.
"""

import torch
from torch import Tensor, nn

from models.class_rows import ClassRows
from models.segmentation.initialisation import draw_rectified
from models.segmentation.overlap_tile import mirror, predict_by_tiles
from models.segmentation.settings import UNetSettings, unet_covering_size, unet_margin
from models.segmentation.upsampling import (
    FixedUpsampling,
    max_pool,
    max_unpool,
    same_convolution,
    transposed_convolution,
)


class UNet(nn.Module):
    """RGB images (b, 3, h, w) to logits (b, out_channels, h', w')."""

    def __init__(self, settings: UNetSettings, out_channels: int) -> None:
        super().__init__()
        self.settings = settings
        widths = [settings.base_channels * 2**level for level in range(settings.depth + 1)]
        inputs = [settings.input_channels, *widths[:-1]]
        self.down = nn.ModuleList(
            _double_convolution(settings, before, after)
            for before, after in zip(inputs, widths, strict=True)
        )
        self.dropout = nn.Dropout(settings.dropout)
        pairs = list(zip(widths[:0:-1], widths[-2::-1], strict=True))  # (1024, 512), (512, 256) …
        self.up = nn.ModuleList(_up_convolution(settings, below, level) for below, level in pairs)
        self.merge = nn.ModuleList(
            _double_convolution(settings, below, level) for below, level in pairs
        )
        self.classify = nn.Conv2d(widths[0], out_channels, kernel_size=1)
        self.apply(draw_rectified)
        if settings.upsampling == "bed_of_nails":
            self._make_up_for_zeros()

    @property
    def class_rows(self) -> tuple[ClassRows, ...]:
        """Return where the logits are computed."""
        return (ClassRows("classify"),)

    def forward(self, images: Tensor) -> Tensor:
        """Return logits; smaller than the images in the valid form without mirroring."""
        if self.settings.input_channels == 1:
            images = images.mean(dim=1, keepdim=True)
        if self.settings.border == "crop":
            return self.one_pass(images)
        margin, tile = unet_margin(self.settings), self.settings.tile
        # A meta tensor takes no memory; without tiles its operations are those of training.
        if tile is not None and not self.training and not images.is_meta:
            grid = 2**self.settings.depth
            return predict_by_tiles(self.one_pass, images, tile=tile, margin=margin, grid=grid)
        height, width = images.shape[-2:]
        sides = [unet_covering_size(self.settings, side) + 2 * margin for side in (height, width)]
        logits = self.one_pass(mirror(images, margin=margin, size_hw=(sides[0], sides[1])))
        return logits[..., :height, :width]

    def one_pass(self, images: Tensor) -> Tensor:
        """Return the logits of (b, input_channels, h, w), without mirroring it."""
        copies: list[Tensor] = []
        places: list[Tensor] = []  # of the maxima of each pooling, where they are needed
        features = self.down[0](images)
        for block in self.down[1:]:
            copies.append(features)
            features, found = max_pool(features)
            if self.settings.upsampling == "max_unpooling":
                places.append(found)
            features = block(features)
        features = self.dropout(features)
        for copy, up, merge in zip(copies[::-1], self.up, self.merge, strict=True):
            features = up(features)
            if places:
                features = max_unpool(features, places.pop())
            features = merge(torch.cat([crop_centre(copy, features.shape[-2:]), features], dim=1))
        logits: Tensor = self.classify(features)
        return logits

    def _make_up_for_zeros(self) -> None:
        """Double the weights that act on nails, for three in four of a unit's inputs are zero."""
        for module in self.up.modules():
            if isinstance(module, nn.Conv2d):
                module.weight.data.mul_(2)


def build_unet(settings: UNetSettings, out_channels: int) -> UNet:
    """Build the network."""
    return UNet(settings, out_channels)


def crop_centre(maps: Tensor, size_hw: tuple[int, ...]) -> Tensor:
    """Cut (…, h, w) to its centre of `size_hw`; the tensor itself where sizes agree."""
    height, width = size_hw
    top, left = (maps.shape[-2] - height) // 2, (maps.shape[-1] - width) // 2
    return maps[..., top : top + height, left : left + width]


def _double_convolution(settings: UNetSettings, before: int, after: int) -> nn.Sequential:
    padding = 1 if settings.padding == "same" else 0
    layers: list[nn.Module] = []
    for channels in (before, after):
        layers.append(nn.Conv2d(channels, after, 3, padding=padding))
        if settings.batch_norm:
            layers.append(nn.BatchNorm2d(after))
        layers.append(nn.ReLU(inplace=True))
    return nn.Sequential(*layers)


def _up_convolution(settings: UNetSettings, before: int, after: int) -> nn.Module:
    """Halve the channels and, but for max unpooling, which comes after, double the size."""
    kernel = settings.up_kernel
    if settings.upsampling == "transposed":
        return transposed_convolution(before, after, kernel)
    convolution = same_convolution(before, after, kernel)
    if settings.upsampling == "max_unpooling":
        return convolution
    return nn.Sequential(FixedUpsampling(settings.upsampling), convolution)
