"""Dice loss: 1 - 2 |A ∩ B| / (|A| + |B|), with probabilities for one of the areas.

Milletari et al. 2016, without their squares in the denominator. One pixel is added above and
below, so that the coefficient of two empty areas is 1.
"""

from torch import Tensor

from models.losses.pixels import IGNORE, at_least_single, mean_over_present, one_hot

SMOOTHING = 1.0  # pixels


def dice(logits: Tensor, labels: Tensor, *, first_label: int) -> Tensor:
    """Compare the area of every class with a sigmoid of its own.

    A class without a pixel in the image counts as well: its loss is s / (s + 1), where s is the
    sum of its probabilities, and so 0 when it is found nowhere.

    Args:
        logits: (b, c, h, w); channel 0 answers for `first_label`.
        labels: (b, h, w) integers, `IGNORE` where unlabelled.
        first_label: 1 where label 0 is the background and has no channel, else 0.

    Returns:
        (b,) float32 in [0, 1), mean over classes; 0 where no pixel is valid.
    """
    truth = one_hot(labels, logits.shape[1], first_label=first_label)
    return _losses(at_least_single(logits).sigmoid(), truth, labels).mean(dim=1)


def softmax_dice(logits: Tensor, labels: Tensor) -> Tensor:
    """Compare the area of every label, in a softmax over all labels.

    The mean is over the labels that the image has. What goes to another label is missing in
    those, and so counts all the same.

    Args:
        logits: (b, labels, h, w).
        labels: (b, h, w) integers, `IGNORE` where unlabelled.

    Returns:
        (b,) float32 in [0, 1), mean over the labels present; 0 where no pixel is valid.
    """
    truth = one_hot(labels, logits.shape[1], first_label=0)
    losses = _losses(at_least_single(logits).softmax(dim=1), truth, labels)
    return mean_over_present(losses, truth)


def _losses(probabilities: Tensor, truth: Tensor, labels: Tensor) -> Tensor:
    """Return (b, c) of (b, c, h, w) probabilities and areas."""
    found = probabilities.masked_fill((labels == IGNORE).unsqueeze(1), 0.0)
    both = (found * truth).sum(dim=(2, 3))
    sizes = found.sum(dim=(2, 3)) + truth.sum(dim=(2, 3))
    return 1 - (2 * both + SMOOTHING) / (sizes + SMOOTHING)
