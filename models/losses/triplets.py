"""Triplet loss: a picture is nearer to those of its class than to those of others.

Of an anchor a, a positive p of its class and a negative n of another,

    max(0, D(a, p) - D(a, n) + margin)

with D the squared distance of embeddings brought to length 1, in [0, 4] (Schroff et al. 2015,
eq. 2 and 3; the thesis's eq. 10, whose sum belongs outside the maximum). Which triplets of a batch
count, its mining:

    batch_all    every one; the mean is over those with a loss above 0 (Hermans et al. 2017, eq. 6)
    batch_hard   for each anchor its farthest positive and its nearest negative (the same, eq. 5)
    semi_hard    for each anchor and positive the nearest negative that is farther away than the
                 positive, where it is within the margin (Schroff et al. 2015, eq. 4)

Without a triplet the loss is 0.
"""

from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn import functional

from models.loss_settings import Mining
from models.losses.pixels import at_least_single

FAR = float("inf")


class Mined(NamedTuple):
    """The triplets of a batch."""

    loss: Tensor  # () the mean over them, at least single precision; 0 where there is none
    triplets: Tensor  # () int64, how many they are


def triplet_loss(embeddings: Tensor, labels: Tensor, *, margin: float, mining: Mining) -> Mined:
    """Mine a batch.

    Args:
        embeddings: (b, d) of any length.
        labels: (b,) int64.
        margin: By how much negatives should be farther away than positives.
        mining: Which triplets count.
    """
    distances = squared_distances(embeddings)
    same = labels.unsqueeze(1) == labels.unsqueeze(0)
    positive = same & ~torch.eye(len(labels), dtype=torch.bool, device=labels.device)
    match mining:
        case "batch_all":
            excess, counts = _all(distances, positive, ~same, margin)
        case "batch_hard":
            excess, counts = _hardest(distances, positive, ~same, margin)
        case "semi_hard":
            excess, counts = _semi_hard(distances, positive, ~same, margin)
    triplets = counts.sum()
    total = excess.relu().masked_fill(~counts, 0.0).sum()
    return Mined(total / triplets.clamp(min=1), triplets)


def squared_distances(embeddings: Tensor) -> Tensor:
    """Return (b, b) squared distances of (b, d) embeddings of length 1."""
    units = functional.normalize(at_least_single(embeddings), dim=1)
    return (2 - 2 * units @ units.T).clamp(min=0)


def _all(
    distances: Tensor, positive: Tensor, negative: Tensor, margin: float
) -> tuple[Tensor, Tensor]:
    """Return what each (anchor, positive, negative) lacks, and which count: (b, b, b)."""
    excess = distances.unsqueeze(2) - distances.unsqueeze(1) + margin
    return excess, positive.unsqueeze(2) & negative.unsqueeze(1) & (excess > 0)


def _hardest(
    distances: Tensor, positive: Tensor, negative: Tensor, margin: float
) -> tuple[Tensor, Tensor]:
    """Return what the hardest triplet of each anchor lacks, and which anchors have one: (b,)."""
    counts = positive.any(dim=1) & negative.any(dim=1)
    farthest = distances.masked_fill(~positive, -FAR).amax(dim=1)
    nearest = distances.masked_fill(~negative, FAR).amin(dim=1)
    return (farthest - nearest).masked_fill(~counts, 0.0) + margin, counts


def _semi_hard(
    distances: Tensor, positive: Tensor, negative: Tensor, margin: float
) -> tuple[Tensor, Tensor]:
    """Return what each (anchor, positive) lacks, and which have such a negative: (b, b)."""
    farther = negative.unsqueeze(1) & (distances.unsqueeze(1) > distances.unsqueeze(2))
    nearest = distances.unsqueeze(1).masked_fill(~farther, FAR).amin(dim=2)
    counts = positive & (nearest < distances + margin)
    return (distances - nearest).masked_fill(~counts, 0.0) + margin, counts
