"""ResNets of 6n + 2 layers for CIFAR's pictures (He et al. 2016, section 4.2).

    3x3 convolution, 16 maps -> n blocks of 16 -> n of 32 -> n of 64 -> mean -> linear

The first convolution of a stage but the first one halves the maps. The way around it takes every
second pixel and fills up with maps of zeros: the paper's option A, which has no weights. Far
smaller than the ResNets of ImageNet: 20 layers are 0.27 million weights, 110 are 1.7 million.
"""

from torch import Tensor, nn
from torch.nn.functional import pad

from models.class_rows import ClassRows
from models.classification.resnet_cifar_settings import COLOURS, FILTERS, ResNetCifarSettings
from models.segmentation.initialisation import draw_rectified


class Block(nn.Module):
    """Two convolutions and the way around them."""

    def __init__(self, before: int, after: int) -> None:
        """Build it.

        Args:
            before: Maps that come in.
            after: Maps that go out; where there are more, they are of half the size.
        """
        super().__init__()
        self.stride = 1 if before == after else 2
        self.added = after - before
        self.convolutions = nn.Sequential(
            *_convolution(before, after, stride=self.stride),
            nn.ReLU(inplace=True),
            *_convolution(after, after),
        )
        self.activation = nn.ReLU(inplace=True)

    def forward(self, maps: Tensor) -> Tensor:
        """Return (b, after, h / stride, w / stride), rounded up."""
        around = maps[:, :, :: self.stride, :: self.stride]
        around = pad(around, (0, 0, 0, 0, 0, self.added))
        activated: Tensor = self.activation(self.convolutions(maps) + around)
        return activated


class ResNetCifar(nn.Module):
    """Images (b, 3, h, w) to logits (b, classes)."""

    def __init__(self, settings: ResNetCifarSettings, classes: int) -> None:
        super().__init__()
        before = FILTERS[0]
        layers: list[nn.Module] = [*_convolution(COLOURS, before), nn.ReLU(inplace=True)]
        for filters in FILTERS:
            for _ in range(settings.blocks):
                layers.append(Block(before, filters))
                before = filters
        self.features = nn.Sequential(*layers)
        self.output = nn.Linear(before, classes)
        self.apply(draw_rectified)

    @property
    def class_rows(self) -> tuple[ClassRows, ...]:
        """Return where the logits are computed."""
        return (ClassRows("output"),)

    def forward(self, images: Tensor) -> Tensor:
        """Return the logits of the last maps' means."""
        logits: Tensor = self.output(self.features(images).mean(dim=(2, 3)))
        return logits


def build_resnet_cifar(settings: ResNetCifarSettings, out_channels: int) -> ResNetCifar:
    """Build the network with random weights."""
    return ResNetCifar(settings, out_channels)


def _convolution(before: int, after: int, *, stride: int = 1) -> list[nn.Module]:
    return [
        nn.Conv2d(before, after, 3, stride=stride, padding=1, bias=False),
        nn.BatchNorm2d(after),
    ]
