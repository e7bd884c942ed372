"""A few convolutions whose last maps are pooled by soft attention: a network that shows its looks.

(3 x 3 convolution -> ReLU -> halving) ... -> 3 x 3 convolution -> ReLU -> attention -> linear
"""

from itertools import pairwise

from torch import Tensor, nn

from models.class_rows import ClassRows
from models.classification.attention_cnn_settings import COLOURS, KERNEL, AttentionCNNSettings
from models.classification.soft_attention import SoftAttention


class AttentionCNN(nn.Module):
    """Images (b, 3, h, w) to logits (b, classes)."""

    def __init__(self, settings: AttentionCNNSettings, classes: int) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        for before, filters in pairwise((COLOURS, *settings.filters)):
            layers += [nn.Conv2d(before, filters, KERNEL, padding=1), nn.ReLU(), nn.MaxPool2d(2)]
        self.blocks = nn.Sequential(*layers[:-1])  # the last maps keep their places
        self.attention = SoftAttention(settings.filters[-1], settings.units)
        self.output = nn.Linear(settings.filters[-1], classes)

    @property
    def class_rows(self) -> tuple[ClassRows, ...]:
        """Return where the logits are computed."""
        return (ClassRows("output"),)

    def forward(self, images: Tensor) -> Tensor:
        """Return the logits of images that `attention_cnn_size_rule` accepts."""
        logits: Tensor = self.output(self.attention(self.blocks(images)))
        return logits


def build_attention_cnn(settings: AttentionCNNSettings, out_channels: int) -> AttentionCNN:
    """Build the network with random weights."""
    return AttentionCNN(settings, out_channels)
