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

from collections.abc import Iterator
from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn import functional

from models.loss_settings import Mining
from models.losses.pixels import at_least_single

FAR = float("inf")
MOST_AT_ONCE = 2**22  # triplets, of some tens of bytes each


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
            total, triplets = _all(distances, positive, ~same, margin)
        case "batch_hard":
            total, triplets = _hardest(distances, positive, ~same, margin)
        case "semi_hard":
            total, triplets = _semi_hard(distances, positive, ~same, margin)
    return Mined(total / triplets.clamp(min=1), triplets)


def squared_distances(embeddings: Tensor) -> Tensor:
    """Return (b, b) squared distances of (b, d) embeddings of length 1."""
    units = functional.normalize(at_least_single(embeddings), dim=1)
    return (2 - 2 * units @ units.T).clamp(min=0)


def _all(
    distances: Tensor, positive: Tensor, negative: Tensor, margin: float
) -> tuple[Tensor, Tensor]:
    """Return what all triplets lack together, and how many lack something.

    The sum of D(a, p) - D(a, n) + margin over them holds each distance as often as it is in one:
    so only that is counted of every triplet, and gradients need no more than the distances.
    """
    pulls, pushes = torch.zeros_like(distances), torch.zeros_like(distances)
    for some in _anchors(len(distances)):
        near, far = distances[some].detach().unsqueeze(2), distances[some].detach().unsqueeze(1)
        counts = positive[some].unsqueeze(2) & negative[some].unsqueeze(1)
        counts &= near - far + margin > 0
        pulls[some], pushes[some] = counts.sum(dim=2), counts.sum(dim=1)
    # The difference of two large sums: in single precision little would be left of it.
    lacks = ((pulls - pushes) * distances).sum(dtype=torch.float64)
    triplets = pulls.sum(dtype=torch.float64).long()
    return (lacks + margin * triplets).to(distances.dtype), triplets


def _hardest(
    distances: Tensor, positive: Tensor, negative: Tensor, margin: float
) -> tuple[Tensor, Tensor]:
    """Return what the hardest triplets of all anchors lack together, and how many have one."""
    counts = positive.any(dim=1) & negative.any(dim=1)
    farthest = distances.masked_fill(~positive, -FAR).amax(dim=1)
    nearest = distances.masked_fill(~negative, FAR).amin(dim=1)
    return _sum(farthest, nearest, counts, margin), counts.sum()


def _semi_hard(
    distances: Tensor, positive: Tensor, negative: Tensor, margin: float
) -> tuple[Tensor, Tensor]:
    """Return what the (anchor, positive) with such a negative lack together, and their number."""
    number = len(distances)
    which = torch.zeros(number, number, dtype=torch.int64, device=distances.device)
    counts = torch.zeros_like(positive)
    for some in _anchors(number):
        near, far = distances[some].detach().unsqueeze(2), distances[some].detach().unsqueeze(1)
        farther = negative[some].unsqueeze(1) & (far > near)
        nearest, which[some] = far.masked_fill(~farther, FAR).min(dim=2)
        counts[some] = positive[some] & (nearest < near.squeeze(2) + margin)
    return _sum(distances, distances.gather(1, which), counts, margin), counts.sum()


def _sum(near: Tensor, far: Tensor, counts: Tensor, margin: float) -> Tensor:
    return ((near - far).masked_fill(~counts, 0.0) + margin).relu().masked_fill(~counts, 0.0).sum()


def _anchors(number: int) -> Iterator[slice]:
    """Yield anchors of a batch, so few at once that their triplets fit into memory."""
    several = max(1, MOST_AT_ONCE // max(1, number * number))
    for first in range(0, number, several):
        yield slice(first, first + several)
