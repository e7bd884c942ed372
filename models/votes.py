"""What a network returns that names one class, where more than one of its parts has a say."""

from collections.abc import Callable, Sequence
from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn.functional import cross_entropy


class Votes(NamedTuple):
    """Class scores of several voters: towers that learn apart, frames or heads that each decide.

    What is minimised is the sum over voters of their weight times their loss; the
    probabilities are the weighted mean of the voters' softmaxes. Weights of length 1 hold for all
    voters alike: one loss weight is multiplied by the mean of their losses.
    """

    logits: Tensor  # (b, voters, classes) float
    loss_weights: tuple[float, ...]  # (voters,) or (1,); 0: a voter that does not learn
    weights: tuple[float, ...]  # (voters,) or (1,), not all 0; of the probabilities


def deciding(outputs: Tensor | Votes) -> Tensor | Votes:
    """Return what those voters say whose probabilities count."""
    if not isinstance(outputs, Votes) or len(outputs.weights) == 1:
        return outputs
    return _of_voters(outputs, [voter for voter, weight in enumerate(outputs.weights) if weight])


def helping(outputs: Tensor | Votes) -> Votes | None:
    """Return what voters say that learn and have no say, as auxiliary classifiers; None: none do.

    Their weights are those of losses alone.
    """
    if not isinstance(outputs, Votes) or all(outputs.weights):
        return None
    return _of_voters(outputs, [v for v, weight in enumerate(outputs.weights) if not weight])


def class_losses(outputs: Tensor | Votes, labels: Tensor) -> Tensor:
    """Return (b,) cross entropies of a network's outputs, float32.

    Args:
        outputs: (b, classes) logits, or the votes.
        labels: (b,) int64.
    """
    return voted_losses(outputs, labels, _cross_entropy)


def voted_losses(
    outputs: Tensor | Votes, labels: Tensor, loss: Callable[[Tensor, Tensor], Tensor]
) -> Tensor:
    """Return (b,) losses of a network's outputs, those of votes weighted and added up.

    Args:
        outputs: (b, classes) logits, or the votes.
        labels: (b,) int64.
        loss: (n, classes) logits and (n,) labels -> (n,) losses.
    """
    if not isinstance(outputs, Votes):
        return loss(outputs, labels)
    images, voters = outputs.logits.shape[:2]
    losses = loss(outputs.logits.flatten(0, 1), labels.repeat_interleave(voters))
    return losses.view(images, voters) @ _shares(outputs.loss_weights, losses.view(images, voters))


def class_probabilities(outputs: Tensor | Votes) -> Tensor:
    """Return (b, classes) float32 probabilities that sum to 1."""
    if not isinstance(outputs, Votes):
        return outputs.float().softmax(dim=1)
    probabilities = outputs.logits.float().softmax(dim=2)
    weights = _shares(outputs.weights, probabilities[..., 0])
    return torch.einsum("bvc,v->bc", probabilities, weights / weights.sum())


def _of_voters(votes: Votes, voters: Sequence[int]) -> Votes:
    shares = _shares(votes.loss_weights, votes.logits[..., 0]).tolist()
    return Votes(
        votes.logits[:, list(voters)],
        tuple(shares[voter] for voter in voters),
        tuple(votes.weights[voter] for voter in voters),
    )


def _cross_entropy(logits: Tensor, labels: Tensor) -> Tensor:
    return cross_entropy(logits.float(), labels, reduction="none")


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
