"""A classifier whose answer is known: the class is the colour of one corner.

The other corners have colours too, which say nothing of the class, and all pixels are noisy. The
network is the catalog's `small_cnn`, whose convolutions overlap and have biases; its pooling to
one place keeps it from knowing a corner by its place. So it has to learn which colours matter.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

import pytest
import torch
from torch import Tensor, nn
from torch.nn.functional import binary_cross_entropy_with_logits, one_hot

from models.classification.small_cnn import SmallCNN
from models.classification.small_cnn_settings import SmallCNNSettings
from models.classification.soft_attention import SoftAttention

SIZE, CORNER, CLASSES = 32, 10, 3  # pixels, pixels, red green blue
NOISE = 0.1
STEPS = 300


class Planted(NamedTuple):
    """Noisy pictures with four coloured corners, of which the upper right has the class's."""

    images: Tensor  # (b, 3, SIZE, SIZE) float32, most of it in [-1, 1]
    labels: Tensor  # (b,) int64


@dataclass(frozen=True)
class Toy:
    """A network, before and after it learned, and pictures that it has not seen."""

    untrained: nn.Module
    trained: nn.Module
    fresh: Planted

    @staticmethod
    def share_in_corner(maps: Tensor) -> Tensor:
        """Return how much of each (b, h, w) map is in the corner and a place around it, (b,)."""
        side = round(maps.shape[1] * CORNER / SIZE) + 1
        return maps[:, :side, -side:].sum(dim=(1, 2)) / maps.sum(dim=(1, 2)).clamp(min=1e-12)


def planted(count: int, seed: int) -> Planted:
    generator = torch.Generator().manual_seed(seed)
    images = NOISE * torch.randn(count, 3, SIZE, SIZE, generator=generator)
    labels = torch.randint(CLASSES, (count,), generator=generator)
    first, last = slice(0, CORNER), slice(SIZE - CORNER, SIZE)
    colours = torch.eye(CLASSES)[labels]  # red, green or blue
    for rows, columns in ((first, last), (first, first), (last, first), (last, last)):
        brightness = 0.5 + 0.5 * torch.rand(count, 1, 1, 1, generator=generator)
        images[:, :, rows, columns] += brightness * (2 * colours - 1)[:, :, None, None]
        others = torch.randint(CLASSES, (count,), generator=generator)
        colours = 1 - torch.eye(CLASSES)[others]  # of the corners that follow: cyan and the like
    return Planted(images, labels)


def train(network: nn.Module) -> None:
    """Train a network on each class by itself, so that nothing can speak for all of them."""
    optimizer = torch.optim.Adam(network.parameters(), lr=1e-2)
    for step in range(STEPS):
        images, labels = planted(32, seed=step)
        wanted = one_hot(labels, CLASSES).float()
        loss = CLASSES * binary_cross_entropy_with_logits(network(images), wanted)
        optimizer.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        optimizer.step()


def toy_of(build: Callable[[], nn.Module]) -> Toy:
    torch.manual_seed(0)
    trained, untrained = build(), build()
    untrained.load_state_dict(trained.state_dict())
    train(trained)
    return Toy(untrained.eval(), trained.eval(), planted(48, seed=1000))


def pooled_by_mean() -> SmallCNN:
    settings = SmallCNNSettings(filters=(8, 16), stride=2, pooling="none", grid=1, hidden_units=())
    return SmallCNN(settings, CLASSES)


def pooled_by_attention() -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(3, 8, 3, stride=2, padding=1),
        nn.ReLU(),
        nn.Conv2d(8, 16, 3, stride=2, padding=1),
        nn.ReLU(),
        SoftAttention(16, 8),
        nn.Linear(16, CLASSES),
    )


@pytest.fixture(scope="session")
def toy() -> Toy:
    """Return a small CNN that tells the corner's colour, trained in seconds."""
    return toy_of(pooled_by_mean)


@pytest.fixture(scope="session")
def attentive() -> Toy:
    """Return the same with soft attention for pooling."""
    return toy_of(pooled_by_attention)
