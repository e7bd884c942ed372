"""What a network returns that names one class, where more than one of its parts has a say."""

from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn.functional import cross_entropy


class Votes(NamedTuple):
    """Class scores of several voters: towers that learn apart, frames or heads that each decide.

    What is minimised is the sum over voters of their weight times their cross entropy; the
    probabilities are the weighted mean of the voters' softmaxes. Weights of length 1 hold for all
    voters alike: one loss weight is multiplied by the mean of their losses.
    """

    logits: Tensor  # (b, voters, classes) float
    loss_weights: tuple[float, ...]  # (voters,) or (1,); 0: a voter that does not learn
    weights: tuple[float, ...]  # (voters,) or (1,), not all 0; of the probabilities


def class_losses(outputs: Tensor | Votes, labels: Tensor) -> Tensor:
    """Return (b,) losses of a network's outputs, float32.

    Args:
        outputs: (b, classes) logits, or the votes.
        labels: (b,) int64.
    """
    if not isinstance(outputs, Votes):
        return cross_entropy(outputs.float(), labels, reduction="none")
    logits = outputs.logits.float()
    voters = logits.shape[1]
    losses = cross_entropy(
        logits.transpose(1, 2), labels.unsqueeze(1).expand(-1, voters), reduction="none"
    )  # (b, voters)
    return losses @ _shares(outputs.loss_weights, losses)


def class_probabilities(outputs: Tensor | Votes) -> Tensor:
    """Return (b, classes) float32 probabilities that sum to 1."""
    if not isinstance(outputs, Votes):
        return outputs.float().softmax(dim=1)
    probabilities = outputs.logits.float().softmax(dim=2)
    weights = _shares(outputs.weights, probabilities[..., 0])
    return torch.einsum("bvc,v->bc", probabilities, weights / weights.sum())


def _shares(weights: tuple[float, ...], of: Tensor) -> Tensor:
    """Return (voters,) weights for (b, voters) values.

    Raises:
        ValueError: there is neither one weight nor one for each voter.
    """
    voters = of.shape[1]
    if len(weights) not in (1, voters):
        raise ValueError(f"votes need one weight, or {voters} for {voters} voters; got {weights}")
    shares = [weights[0] / voters] * voters if len(weights) == 1 else list(weights)
    return torch.tensor(shares, dtype=of.dtype, device=of.device)
