"""Focal loss: cross entropy that counts less what is right already (Lin et al. 2017)."""

import torch
from torch import Tensor
from torch.nn import functional

from models.losses.cross_entropies import log_probability_of_truth
from models.losses.pixels import at_least_single, mean_over_valid, one_hot

GAMMA = 2.0  # Lin et al.'s


def sigmoid_focal(
    logits: Tensor,
    labels: Tensor,
    *,
    first_label: int,
    gamma: float = GAMMA,
    alpha: float | None = None,
    weights: Tensor | None = None,
) -> Tensor:
    """Compare a sigmoid per class with a label map; Lin et al. 2017, eq. 4 and 5.

    Args:
        logits: (b, c, h, w); channel 0 answers for `first_label`.
        labels: (b, h, w) integers, `IGNORE` where unlabelled.
        first_label: 1 where label 0 is the background and has no channel, else 0.
        gamma: Exponent of the probability that is missing, above 0.
        alpha: Weight of a class's pixels, that of the others being 1 - alpha; None: both 1.
        weights: (b, h, w) of the pixels, the same for all classes; None: 1.

    Returns:
        (b,) float32, mean over classes and valid pixels.
    """
    truth = one_hot(labels, logits.shape[1], first_label=first_label)
    losses = sigmoid_focal_terms(at_least_single(logits), truth, gamma=gamma, alpha=alpha)
    return mean_over_valid(losses.mean(dim=1), labels, weights)


def sigmoid_focal_terms(
    logits: Tensor, truth: Tensor, *, gamma: float, alpha: float | None
) -> Tensor:
    """Return the loss of every number by itself; Lin et al. 2017, eq. 4 and 5.

    Args:
        logits: Of any shape, at least single precision.
        truth: Of the same shape, bool.
        gamma: Exponent of the probability that is missing.
        alpha: Weight where `truth` holds, that of the others being 1 - alpha; None: both 1.
    """
    margins = torch.where(truth, logits, -logits)  # above 0: right
    # As a logarithm, 1 - p keeps its digits, and a finite gradient for every gamma.
    losses = -functional.logsigmoid(margins) * (gamma * functional.logsigmoid(-margins)).exp()
    return losses if alpha is None else losses * torch.where(truth, alpha, 1 - alpha)


def softmax_focal(
    logits: Tensor, labels: Tensor, *, gamma: float = GAMMA, weights: Tensor | None = None
) -> Tensor:
    """Compare a softmax over all labels with a label map; Lin et al. 2017, eq. 4.

    Args:
        logits: (b, labels, h, w).
        labels: (b, h, w) integers, `IGNORE` where unlabelled.
        gamma: Exponent of the probability that is missing, above 0.
        weights: (b, h, w) of the pixels; None: 1.

    Returns:
        (b,) float32, mean over valid pixels.
    """
    losses = softmax_focal_terms(log_probability_of_truth(logits, labels), gamma=gamma)
    return mean_over_valid(losses, labels, weights)


def softmax_focal_terms(log_probabilities: Tensor, *, gamma: float) -> Tensor:
    """Return the loss of every number by itself; Lin et al. 2017, eq. 4.

    Args:
        log_probabilities: Of what is true, of any shape, at least single precision.
        gamma: Exponent of the probability that is missing.
    """
    # Away from 0, where the slope of a power below 1 is infinite.
    missing = -log_probabilities.expm1()
    missing = missing.clamp(min=torch.finfo(missing.dtype).tiny)
    return -log_probabilities * missing**gamma
