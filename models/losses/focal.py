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
    scores = at_least_single(logits)
    truth = one_hot(labels, logits.shape[1], first_label=first_label)
    margins = torch.where(truth, scores, -scores)  # above 0: right
    # As a logarithm, 1 - p keeps its digits, and a finite gradient for every gamma.
    losses = -functional.logsigmoid(margins) * (gamma * functional.logsigmoid(-margins)).exp()
    if alpha is not None:
        losses = losses * torch.where(truth, alpha, 1 - alpha)
    return mean_over_valid(losses.mean(dim=1), labels, weights)


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
    log_probabilities = log_probability_of_truth(logits, labels)
    # Away from 0, where the slope of a power below 1 is infinite.
    missing = -log_probabilities.expm1()
    missing = missing.clamp(min=torch.finfo(missing.dtype).tiny)
    return mean_over_valid(-log_probabilities * missing**gamma, labels, weights)
