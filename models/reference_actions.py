"""The reference of actions: for every clip the same probabilities, whatever it shows.

They are the classes' shares of the training videos. So the most frequent class is always the
first guess; of classes that are equally frequent none is, and what is right is left to chance.
"""

from collections.abc import Iterable

import torch
from torch import Tensor, nn

from models.settings import ModelSettings
from models.tasks.clips import ClipBatch

RAREST = 1e-6  # share of a class without a training video


class ConstantActions(nn.Module):
    """Says the same of every clip; `settle` decides what."""

    logits: Tensor

    def __init__(self, classes: int) -> None:
        super().__init__()
        self.register_buffer("logits", torch.zeros(classes))

    def forward(self, clips: Tensor) -> Tensor:
        """Return (b, classes) logits."""
        return self.logits.expand(len(clips), -1)

    def settle(self, videos: Tensor) -> None:
        """Take over counts of training videos, (classes,)."""
        shares = videos.double() / videos.sum().clamp(min=1)
        self.logits.copy_(shares.clamp(min=RAREST).log())


def build_constant_actions(settings: ModelSettings, channels: int) -> ConstantActions:  # noqa: ARG001
    """Build a network that says the same of every clip."""
    return ConstantActions(channels)


def fit_shares(network: ConstantActions, batches: Iterable[ClipBatch]) -> None:
    """Settle a network on the classes of the training videos."""
    videos = torch.zeros(len(network.logits), dtype=torch.int64)
    for batch in batches:
        videos += torch.bincount(batch.labels.cpu(), minlength=len(videos))
    network.settle(videos)
