"""U-Net: a contracting and an expanding path with copies across (Ronneberger et al. 2015).

Both forms: the paper's, whose unpadded convolutions shrink the map and crop each copy to its
centre, and the padded one, whose output has the input's size.
"""

import math

import torch
from torch import Tensor, nn

from models.segmentation.settings import UNetSettings


class UNet(nn.Module):
    """Images (b, in_channels, h, w) to logits (b, out_channels, h', w')."""

    def __init__(self, settings: UNetSettings, out_channels: int, *, in_channels: int = 3) -> None:
        super().__init__()
        widths = [settings.base_channels * 2**level for level in range(settings.depth + 1)]
        inputs = [in_channels, *widths[:-1]]
        self.down = nn.ModuleList(
            _double_convolution(settings, before, after)
            for before, after in zip(inputs, widths, strict=True)
        )
        self.pool = nn.MaxPool2d(2)
        pairs = list(zip(widths[:0:-1], widths[-2::-1], strict=True))  # (1024, 512), (512, 256) …
        self.up = nn.ModuleList(
            _up_convolution(settings.up_kernel, below, level) for below, level in pairs
        )
        self.merge = nn.ModuleList(
            _double_convolution(settings, below, level) for below, level in pairs
        )
        self.classify = nn.Conv2d(widths[0], out_channels, kernel_size=1)
        self.apply(_initialise)

    def forward(self, images: Tensor) -> Tensor:
        """Return logits; smaller than the images in the valid form."""
        copies: list[Tensor] = []
        features = images
        for level, block in enumerate(self.down):
            features = block(features if level == 0 else self.pool(features))
            copies.append(features)
        for copy, up, merge in zip(copies[-2::-1], self.up, self.merge, strict=True):
            grown = up(features)
            features = merge(torch.cat([crop_centre(copy, grown.shape[-2:]), grown], dim=1))
        logits: Tensor = self.classify(features)
        return logits


def build_unet(settings: UNetSettings, out_channels: int) -> UNet:
    """Build the network for RGB images."""
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


def _up_convolution(kernel: int, before: int, after: int) -> nn.ConvTranspose2d:
    """Double the size exactly, whatever the kernel."""
    if kernel == 2:
        return nn.ConvTranspose2d(before, after, 2, stride=2)
    return nn.ConvTranspose2d(before, after, 3, stride=2, padding=1, output_padding=1)


def _initialise(module: nn.Module) -> None:
    """Draw weights from N(0, 2/N), N the inputs of a unit (section 3 of the paper)."""
    if isinstance(module, nn.Conv2d):
        inputs = module.in_channels * math.prod(module.kernel_size)
    elif isinstance(module, nn.ConvTranspose2d):
        # Each output pixel sees one weight in stride**2 of the kernel.
        inputs = module.in_channels * math.prod(module.kernel_size) // math.prod(module.stride)
    else:
        return
    nn.init.normal_(module.weight, std=math.sqrt(2 / max(1, inputs)))
    if module.bias is not None:
        nn.init.zeros_(module.bias)
