"""A network of a few convolutions whose every part a study can vary.

That is the convolutional network of the thesis, chapter 3, and of its figure 5-1: three
convolutions, a fully connected layer of 64 or 128 units and a softmax output, which the loss has.
"""

from collections.abc import Sequence
from itertools import pairwise

from torch import Tensor, nn
from torch.nn.functional import avg_pool2d

from models.activations import build_activation, draw_weights
from models.class_rows import ClassRows
from models.classification.small_cnn_settings import COLOURS, SmallCNNSettings
from models.video.grid_pooling import GridPooling

LAST_DEVIATION = 0.01  # of the output's weights: at first all classes are about as likely


class SmallCNN(nn.Module):
    """Images (b, 3, h, w) to logits (b, classes)."""

    def __init__(self, settings: SmallCNNSettings, classes: int) -> None:
        super().__init__()
        filters = settings.block_filters
        self.blocks = nn.Sequential(
            *(_block(settings, *widths) for widths in pairwise((COLOURS, *filters)))
        )
        self.grid = GridPooling(settings.grid)
        widths = (filters[-1] * settings.grid**2, *settings.hidden_widths)
        self.hidden = nn.Sequential(*_hidden(settings, widths))
        self.output = nn.Linear(widths[-1], classes)
        self.apply(lambda layer: draw_weights(layer, settings.activation, settings.leaky_slope))
        nn.init.normal_(self.output.weight, std=LAST_DEVIATION)

    @property
    def class_rows(self) -> tuple[ClassRows, ...]:
        """Return where the logits are computed."""
        return (ClassRows("output"),)

    def forward(self, images: Tensor) -> Tensor:
        """Return the logits of images that `small_cnn_size_rule` accepts."""
        maps = self.grid(self.blocks(images))
        logits: Tensor = self.output(self.hidden(maps.flatten(1)))
        return logits


class SumPooling(nn.Module):
    """Sum over each window.

    Args:
        side: Of a window, pixels.
        stride: Pixels between two windows.
    """

    def __init__(self, side: int, stride: int) -> None:
        super().__init__()
        self.side, self.stride = side, stride

    def forward(self, maps: Tensor) -> Tensor:
        """Return (b, c, h', w') of (b, c, h, w)."""
        return avg_pool2d(maps, self.side, self.stride, divisor_override=1)


def build_small_cnn(settings: SmallCNNSettings, out_channels: int) -> SmallCNN:
    """Build the network with random weights."""
    return SmallCNN(settings, out_channels)


def _block(settings: SmallCNNSettings, before: int, filters: int) -> nn.Sequential:
    zeros = (settings.kernel - 1) // 2 if settings.padding == "same" else 0
    convolution = nn.Conv2d(
        before,
        filters,
        settings.kernel,
        stride=settings.stride,
        padding=zeros,
        bias=not settings.batch_norm,  # which shifts by itself
    )
    layers: list[nn.Module] = [convolution]
    if settings.batch_norm:
        layers.append(nn.BatchNorm2d(filters))
    layers.append(build_activation(settings.activation, settings.leaky_slope))
    layers += _pooling(settings)
    if settings.block_dropout:
        layers.append(nn.Dropout2d(settings.block_dropout))
    return nn.Sequential(*layers)


def _pooling(settings: SmallCNNSettings) -> list[nn.Module]:
    side, stride = settings.pool_window
    match settings.pooling:
        case "max":
            return [nn.MaxPool2d(side, stride)]
        case "average":
            return [nn.AvgPool2d(side, stride)]
        case "sum":
            return [SumPooling(side, stride)]
        case "none":
            return []


def _hidden(settings: SmallCNNSettings, widths: Sequence[int]) -> list[nn.Module]:
    layers: list[nn.Module] = []
    for before, units in pairwise(widths):
        layers.append(nn.Linear(before, units))
        layers.append(build_activation(settings.activation, settings.leaky_slope))
        if settings.dropout:
            layers.append(nn.Dropout(settings.dropout))
    return layers
