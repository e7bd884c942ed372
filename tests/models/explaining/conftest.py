"""A classifier whose answer is known: the class is the colour of one corner.

Its convolutions have no biases and do not overlap, and the other pixels are of middle grey, the
network's 0. So nothing else can speak for a class: what a map says of other places is its mistake.
"""

from dataclasses import dataclass
from typing import NamedTuple

import pytest
import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

from models.classification.soft_attention import SoftAttention

SIZE, CORNER, CLASSES = 16, 4, 3  # pixels, pixels, red green blue


class Planted(NamedTuple):
    """Grey pictures with one coloured corner."""

    images: Tensor  # (b, 3, SIZE, SIZE) float32 in [-1, 1]
    labels: Tensor  # (b,) int64


@dataclass(frozen=True)
class Toy:
    """A trained network and pictures that it has not seen."""

    network: nn.Module
    fresh: Planted

    @staticmethod
    def share_in_corner(maps: Tensor) -> Tensor:
        """Return how much of each (b, h, w) map lies in the coloured corner, (b,)."""
        side = maps.shape[1] * CORNER // SIZE
        return maps[:, :side, -side:].sum(dim=(1, 2)) / maps.sum(dim=(1, 2))


def planted(count: int, seed: int) -> Planted:
    generator = torch.Generator().manual_seed(seed)
    labels = torch.randint(CLASSES, (count,), generator=generator)
    brightness = 0.5 + 0.5 * torch.rand(count, 1, 1, generator=generator)
    images = torch.zeros(count, CLASSES, SIZE, SIZE)
    images[torch.arange(count), labels, :CORNER, -CORNER:] = brightness
    return Planted(images, labels)


def trained(network: nn.Module, *, steps: int = 40) -> nn.Module:
    """Train a network until it is always right."""
    optimizer = torch.optim.Adam(network.parameters(), lr=3e-2)
    for step in range(steps):
        images, labels = planted(32, seed=step)
        loss = cross_entropy(network(images), labels)
        optimizer.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        optimizer.step()
    return network.eval()


def features() -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(3, 8, 2, stride=2, bias=False),
        nn.ReLU(),
        nn.Conv2d(8, 12, 1, bias=False),
        nn.ReLU(),
    )


def pooled_by_mean() -> nn.Sequential:
    pooling = nn.AdaptiveAvgPool2d(1)
    return nn.Sequential(*features(), pooling, nn.Flatten(), nn.Linear(12, CLASSES))


def pooled_by_attention() -> nn.Sequential:
    return nn.Sequential(*features(), SoftAttention(12, 8), nn.Linear(12, CLASSES))


@pytest.fixture(scope="session")
def toy() -> Toy:
    """Return a small CNN that tells the corner's colour, trained in seconds."""
    torch.manual_seed(0)
    return Toy(trained(pooled_by_mean()), planted(24, seed=1000))


@pytest.fixture(scope="session")
def attentive() -> Toy:
    """Return the same with soft attention for pooling."""
    torch.manual_seed(0)
    return Toy(trained(pooled_by_attention(), steps=80), planted(24, seed=1000))
