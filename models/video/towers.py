"""Networks of single pictures that two-stream networks and LRCN are made of.

    CNN-M-2048   Chatfield et al. 2014; Simonyan & Zisserman 2014, figure 1
    CaffeNet     Krizhevsky et al. 2012, with poolings before normalisations
    VGG-16       Simonyan & Zisserman 2015

Weights are drawn as He et al. 2015 do, N(0, 2 / inputs), and not with the fixed deviations of
the first two papers, at which layers narrower than published do not learn. Poolings round up, as
Caffe's do.
"""

from itertools import pairwise

from torch import Tensor, nn

from models.segmentation.vgg import vgg16_stages, vgg16_widths
from models.video.grid_pooling import GridPooling
from models.video.initialisation import draw_rectified
from models.video.response_norm import ResponseNorm
from models.video.widths import scaled

LAST_DEVIATION = 0.01  # of the last layer's weights: at first all classes are as likely
CNN_M_GRID, VGG_GRID = 6, 7  # sides of the maps that fully connected layers see
HIDDEN = 4096  # units of a first fully connected layer as published
VGG_CHANNELS = 64  # of the first stage as published


class Tower(nn.Module):
    """Pictures to class scores.

    Args:
        trunk: Pictures (b, channels, h, w) to (b, units).
        units: It ends with.
        classes: There are.
    """

    def __init__(self, trunk: nn.Module, units: int, classes: int) -> None:
        super().__init__()
        self.trunk = trunk
        self.scores = last_layer(units, classes)

    def forward(self, pictures: Tensor) -> Tensor:
        """Return (b, classes) logits."""
        logits: Tensor = self.scores(self.trunk(pictures))
        return logits


def cnn_m_tower(
    channels: int, classes: int, *, width: float, dropout: float, has_second_norm: bool
) -> Tower:
    """Build CNN-M-2048.

    Args:
        channels: Of a picture.
        classes: There are.
        width: Factor of all layers.
        dropout: Probability to drop a unit of the fully connected layers.
        has_second_norm: Whether responses are normalised after the second convolution, as the
            spatial network does.
    """
    first, second, third, hidden, last = (scaled(n, width) for n in (96, 256, 512, HIDDEN, 2048))
    features = nn.Sequential(
        nn.Conv2d(channels, first, 7, stride=2),
        nn.ReLU(inplace=True),
        _chatfield_norm(),
        pooling(),
        nn.Conv2d(first, second, 5, stride=2, padding=1),
        nn.ReLU(inplace=True),
        *([_chatfield_norm()] if has_second_norm else []),
        pooling(),
        *_convolution(second, third),
        *_convolution(third, third),
        *_convolution(third, third),
        pooling(),
    )
    head = connected((third * CNN_M_GRID**2, hidden, last), dropout)
    return Tower(_trunk(features, CNN_M_GRID, head), last, classes)


def vgg16_tower(channels: int, classes: int, *, width: float, dropout: float) -> Tower:
    """Build VGG-16; arguments as for `cnn_m_tower`."""
    base, hidden = scaled(VGG_CHANNELS, width), scaled(HIDDEN, width)
    features = nn.Sequential(
        vgg16_features(channels, width=width), nn.MaxPool2d(2), GridPooling(VGG_GRID)
    )
    head = connected((vgg16_widths(base)[-1] * VGG_GRID**2, hidden, hidden), dropout)
    return Tower(nn.Sequential(features, nn.Flatten(), head), hidden, classes)


def vgg16_features(channels: int, *, width: float) -> nn.Sequential:
    """Build VGG-16's convolutions and the poolings between them, up to relu5_3."""
    stages = vgg16_stages(scaled(VGG_CHANNELS, width), batch_norm=False, image_channels=channels)
    layers: list[nn.Module] = [stages[0]]
    for stage in list(stages)[1:]:
        layers += [nn.MaxPool2d(2), stage]
    return nn.Sequential(*layers)


def caffenet_trunk(channels: int, *, width: float) -> tuple[nn.Module, int]:
    """Build CaffeNet up to its first fully connected layer; return it and its units."""
    first, second, third, hidden = (scaled(n, width) for n in (96, 256, 384, HIDDEN))
    features = nn.Sequential(
        nn.Conv2d(channels, first, 11, stride=4),
        nn.ReLU(inplace=True),
        pooling(),
        ResponseNorm(alpha=1e-4, k=1.0),
        nn.Conv2d(first, second, 5, padding=2, groups=2),
        nn.ReLU(inplace=True),
        pooling(),
        ResponseNorm(alpha=1e-4, k=1.0),
        *_convolution(second, third),
        *_convolution(third, third, groups=2),
        *_convolution(third, second, groups=2),
        pooling(),
    )
    fc6 = nn.Sequential(nn.Linear(second * CNN_M_GRID**2, hidden), nn.ReLU(inplace=True))
    return _trunk(features, CNN_M_GRID, fc6.apply(draw_rectified)), hidden


def connected(units: tuple[int, ...], dropout: float) -> nn.Sequential:
    """Build fully connected layers, each followed by ReLU and dropout."""
    layers: list[nn.Module] = []
    for before, after in pairwise(units):
        layers += [nn.Linear(before, after), nn.ReLU(inplace=True), nn.Dropout(dropout)]
    return nn.Sequential(*layers).apply(draw_rectified)


def last_layer(units: int, classes: int) -> nn.Linear:
    """Build the layer of class scores."""
    layer = nn.Linear(units, classes)
    nn.init.normal_(layer.weight, std=LAST_DEVIATION)
    nn.init.zeros_(layer.bias)
    return layer


def pooling() -> nn.MaxPool2d:
    """Build Caffe's overlapping pooling, which rounds sizes up."""
    return nn.MaxPool2d(3, stride=2, ceil_mode=True)


def _trunk(features: nn.Sequential, grid: int, head: nn.Module) -> nn.Sequential:
    return nn.Sequential(features.apply(draw_rectified), GridPooling(grid), nn.Flatten(), head)


def _convolution(before: int, after: int, groups: int = 1) -> tuple[nn.Module, nn.Module]:
    return nn.Conv2d(before, after, 3, padding=1, groups=groups), nn.ReLU(inplace=True)


def _chatfield_norm() -> nn.Module:
    return ResponseNorm(alpha=5e-4, k=2.0)
