"""The reference of classes: for every image or clip the same probabilities, whatever it shows.

They are the classes' shares of the training images or videos. So the most frequent class is always
the first guess; of classes that are equally frequent none is, and what is right is left to chance.
"""

from collections.abc import Iterable
from typing import Protocol

import torch
from torch import Tensor, nn

from models.settings import ModelSettings

RAREST = 1e-6  # share of a class without a training sample


class LabelledBatch(Protocol):
    """Samples with a class each."""

    @property
    def labels(self) -> Tensor:
        """(b,) int64."""


class ConstantClasses(nn.Module):
    """Says the same of everything; `settle` decides what."""

    logits: Tensor

    def __init__(self, classes: int) -> None:
        super().__init__()
        self.register_buffer("logits", torch.zeros(classes))

    def forward(self, samples: Tensor) -> Tensor:
        """Return (b, classes) logits."""
        return self.logits.expand(len(samples), -1)

    def settle(self, counts: Tensor) -> None:
        """Take over how many training samples there are of each class, (classes,)."""
        shares = counts.double() / counts.sum().clamp(min=1)
        self.logits.copy_(shares.clamp(min=RAREST).log())


def build_constant_classes(settings: ModelSettings, channels: int) -> ConstantClasses:  # noqa: ARG001
    """Build a network that says the same of everything."""
    return ConstantClasses(channels)


def fit_shares(network: ConstantClasses, batches: Iterable[LabelledBatch]) -> None:
    """Settle a network on the classes of the training samples."""
    counts = torch.zeros(len(network.logits), dtype=torch.int64)
    for batch in batches:
        counts += torch.bincount(batch.labels.cpu(), minlength=len(counts))
    network.settle(counts)
