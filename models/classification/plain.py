"""AlexNet, ZFNet and VGG: convolutions and poolings in a row, then three connected layers.

    AlexNet   Krizhevsky, Sutskever & Hinton 2012, section 3.5; form torchvision: Krizhevsky 2014
    ZFNet     Zeiler & Fergus 2014, figure 3
    VGG       Simonyan & Zisserman 2015, table 1

Images of another size than the papers' are taken too: a grid of the last map, of 6x6 or 7x7
cells, is what the connected layers see, as torchvision does it; at the papers' size that is the
map as it is. AlexNet's paper draws weights from N(0, 0.01) and sets some biases to 1; here all
three are drawn as by He et al. 2015, so that they learn at any width, but for the last layer.
"""

from collections.abc import Sequence
from typing import NamedTuple

from torch import Tensor, nn

from models.class_rows import ClassRows
from models.classification.plain_settings import (
    AlexNetSettings,
    PlainSettings,
    VGGSettings,
    ZFNetSettings,
)
from models.video.grid_pooling import GridPooling
from models.video.initialisation import draw_rectified
from models.video.response_norm import NEIGHBOURS, ResponseNorm
from models.video.widths import scaled

CONNECTED = 4096  # units of the first two connected layers
# Of the response normalisation (Krizhevsky et al. 2012, section 3.3); the layer takes a mean of
# the squares where the paper takes their sum.
ALPHA, BETA, K = 1e-4 * NEIGHBOURS, 0.75, 2.0
ALEXNET_GRID, VGG_GRID = 6, 7
VGG_STAGES = {
    11: ((64,), (128,), (256,) * 2, (512,) * 2, (512,) * 2),
    13: ((64,) * 2, (128,) * 2, (256,) * 2, (512,) * 2, (512,) * 2),
    16: ((64,) * 2, (128,) * 2, (256,) * 3, (512,) * 3, (512,) * 3),
    19: ((64,) * 2, (128,) * 2, (256,) * 4, (512,) * 4, (512,) * 4),
}


class Convolution(NamedTuple):
    """A convolution, and what follows its rectification."""

    filters: int
    kernel: int
    stride: int = 1
    padding: int = 0
    groups: int = 1
    is_pooled: bool = False  # 3x3 pixels, every other one
    is_normalised: bool = False  # among neighbouring channels


ALEXNET: dict[str, tuple[Convolution, ...]] = {
    "paper": (
        Convolution(96, 11, stride=4, is_pooled=True, is_normalised=True),
        Convolution(256, 5, padding=2, groups=2, is_pooled=True, is_normalised=True),
        Convolution(384, 3, padding=1),
        Convolution(384, 3, padding=1, groups=2),
        Convolution(256, 3, padding=1, groups=2, is_pooled=True),
    ),
    "torchvision": (
        Convolution(64, 11, stride=4, padding=2, is_pooled=True),
        Convolution(192, 5, padding=2, is_pooled=True),
        Convolution(384, 3, padding=1),
        Convolution(256, 3, padding=1),
        Convolution(256, 3, padding=1, is_pooled=True),
    ),
}
ALEXNET["dense"] = tuple(each._replace(groups=1) for each in ALEXNET["paper"])
ZFNET = (
    Convolution(96, 7, stride=2, padding=1, is_pooled=True, is_normalised=True),
    Convolution(256, 5, stride=2, is_pooled=True, is_normalised=True),
    Convolution(384, 3, padding=1),
    Convolution(384, 3, padding=1),
    Convolution(256, 3, padding=1, is_pooled=True),
)


class PlainNetwork(nn.Module):
    """Images (b, 3, h, w) to logits (b, classes).

    Args:
        features: Images to maps (b, channels, h', w').
        channels: Of those maps.
        grid: Cells of the last map across and down.
        settings: Of width and dropout.
        classes: There are.
        drops_first: Whether activations are dropped before the first two connected layers, as
            torchvision's AlexNet does, or after them.
    """

    def __init__(
        self,
        features: nn.Sequential,
        *,
        channels: int,
        grid: int,
        settings: PlainSettings,
        classes: int,
        drops_first: bool = False,
    ) -> None:
        super().__init__()
        self.features = features
        self.avgpool = GridPooling(grid)
        units = scaled(CONNECTED, settings.width)
        layers: list[nn.Module] = []
        for inputs in (channels * grid**2, units):
            connected = [nn.Linear(inputs, units), nn.ReLU(inplace=True)]
            dropout = [nn.Dropout(settings.dropout)]
            layers += [*dropout, *connected] if drops_first else [*connected, *dropout]
        self.classifier = nn.Sequential(*layers, nn.Linear(units, classes))
        self.apply(draw_rectified)
        # All classes begin about equally likely.
        nn.init.normal_(self.classifier[-1].weight, std=0.01)  # type: ignore[arg-type]

    @property
    def class_rows(self) -> tuple[ClassRows, ...]:
        """Return where the logits are computed."""
        return (ClassRows("classifier.6"),)

    def forward(self, images: Tensor) -> Tensor:
        """Return the logits."""
        logits: Tensor = self.classifier(self.avgpool(self.features(images)).flatten(1))
        return logits


def build_alexnet(settings: AlexNetSettings, out_channels: int) -> PlainNetwork:
    """Build one of AlexNet's forms with random weights."""
    table = ALEXNET[settings.form]
    return PlainNetwork(
        _features(table, settings.width),
        channels=scaled(table[-1].filters, settings.width),
        grid=ALEXNET_GRID,
        settings=settings,
        classes=out_channels,
        drops_first=settings.form == "torchvision",
    )


def build_zfnet(settings: ZFNetSettings, out_channels: int) -> PlainNetwork:
    """Build ZFNet with random weights; it normalises what was pooled, AlexNet pools after."""
    return PlainNetwork(
        _features(ZFNET, settings.width, pools_first=True),
        channels=scaled(ZFNET[-1].filters, settings.width),
        grid=ALEXNET_GRID,
        settings=settings,
        classes=out_channels,
    )


def build_vgg(settings: VGGSettings, out_channels: int) -> PlainNetwork:
    """Build VGG with random weights."""
    stages = VGG_STAGES[settings.depth]
    return PlainNetwork(
        _vgg_features(stages, settings.width, batch_norm=settings.batch_norm),
        channels=scaled(stages[-1][-1], settings.width),
        grid=VGG_GRID,
        settings=settings,
        classes=out_channels,
    )


def _features(
    table: Sequence[Convolution], width: float, *, pools_first: bool = False
) -> nn.Sequential:
    layers: list[nn.Module] = []
    channels = 3
    for each in table:
        after = scaled(each.filters, width)
        layers += [
            nn.Conv2d(channels, after, each.kernel, each.stride, each.padding, groups=each.groups),
            nn.ReLU(inplace=True),
        ]
        # ZFNet's windows may reach over the end of a map, so that 110 pixels become 55.
        pooling = [nn.MaxPool2d(3, stride=2, ceil_mode=pools_first)] if each.is_pooled else []
        norm = [ResponseNorm(alpha=ALPHA, beta=BETA, k=K)] if each.is_normalised else []
        layers += [*pooling, *norm] if pools_first else [*norm, *pooling]
        channels = after
    return nn.Sequential(*layers)


def _vgg_features(
    stages: Sequence[Sequence[int]], width: float, *, batch_norm: bool
) -> nn.Sequential:
    layers: list[nn.Module] = []
    channels = 3
    for stage in stages:
        for filters in stage:
            after = scaled(filters, width)
            layers.append(nn.Conv2d(channels, after, 3, padding=1))
            if batch_norm:
                layers.append(nn.BatchNorm2d(after))
            layers.append(nn.ReLU(inplace=True))
            channels = after
        layers.append(nn.MaxPool2d(2))
    return nn.Sequential(*layers)
