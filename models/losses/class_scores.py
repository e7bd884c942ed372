"""Losses of one class per picture, one value each.

With p the softmax over the classes, y the truth as 0 and 1, C the number of classes and t the
true one:

    cross entropy   -ln p_t; smoothed by s: -sum_c q_c ln p_c, q = (1 - s) y + s / C
    focal           -(1 - p_t)^gamma ln p_t
    mse             mean_c (p_c - y_c)^2
    huber           mean_c of (p_c - y_c)^2 / 2 where |p_c - y_c| <= delta, else
                    delta (|p_c - y_c| - delta / 2)

Any number of classes may be there, so no label says that a picture is of none, as 255 does for
pixels.
"""

import torch
from torch import Tensor
from torch.nn import functional

from models.losses.focal import softmax_focal_terms
from models.losses.pixels import at_least_single


def class_cross_entropy(logits: Tensor, labels: Tensor, *, smoothing: float = 0.0) -> Tensor:
    """Compare a softmax with classes; smoothed as in Szegedy et al. 2016, section 7.

    Args:
        logits: (b, classes).
        labels: (b,) int64.
        smoothing: Probability that the truth shares among all classes alike, itself included.

    Returns:
        (b,) float32.
    """
    log_probabilities = at_least_single(logits).log_softmax(dim=1)
    right = _of_truth(log_probabilities, labels)
    if smoothing == 0:
        return -right
    return -((1 - smoothing) * right + smoothing * log_probabilities.mean(dim=1))


def class_focal(logits: Tensor, labels: Tensor, *, gamma: float) -> Tensor:
    """Count less what is right already; Lin et al. 2017, eq. 4.

    Args:
        logits: (b, classes).
        labels: (b,) int64.
        gamma: Exponent of the probability that is missing, above 0.

    Returns:
        (b,) float32.
    """
    log_probabilities = at_least_single(logits).log_softmax(dim=1)
    return softmax_focal_terms(_of_truth(log_probabilities, labels), gamma=gamma)


def class_mse(logits: Tensor, labels: Tensor) -> Tensor:
    """Square the differences of a softmax and the truth: Brier's score divided by the classes.

    Args:
        logits: (b, classes).
        labels: (b,) int64.

    Returns:
        (b,) float32 in [0, 2 / classes].
    """
    return _differences(logits, labels).square().mean(dim=1)


def class_huber(logits: Tensor, labels: Tensor, *, delta: float) -> Tensor:
    """Square small differences of a softmax and the truth, and no large ones (Huber 1964).

    Args:
        logits: (b, classes).
        labels: (b,) int64.
        delta: Difference of probabilities from which on it grows in a straight line, in (0, 1).

    Returns:
        (b,) float32.
    """
    sizes = _differences(logits, labels).abs()
    return torch.where(sizes <= delta, sizes.square() / 2, delta * (sizes - delta / 2)).mean(dim=1)


def _of_truth(values: Tensor, labels: Tensor) -> Tensor:
    """Return (b,) of (b, classes)."""
    return values.gather(1, labels.unsqueeze(1)).squeeze(1)


def _differences(logits: Tensor, labels: Tensor) -> Tensor:
    """Return (b, classes) probabilities less the truth."""
    probabilities = at_least_single(logits).softmax(dim=1)
    return probabilities - functional.one_hot(labels, logits.shape[1]).to(probabilities.dtype)
