"""What all segmentation losses share: which pixels count, and the mean over them."""

import torch
from torch import Tensor

IGNORE = 255  # label of pixels that are neither trained on nor scored


def one_hot(labels: Tensor, classes: int, *, first_label: int) -> Tensor:
    """Return (b, classes, h, w) bool: whether a pixel has label `first_label` + class."""
    indices = torch.arange(first_label, first_label + classes, device=labels.device)
    return labels.unsqueeze(1) == indices.view(1, -1, 1, 1)


def mean_over_valid(losses: Tensor, labels: Tensor, weights: Tensor | None = None) -> Tensor:
    """Sum the losses of an image's valid pixels, and divide by how many these are.

    It is not divided by the sum of the weights: an image of common classes alone would then
    count as much as if it had no weights.

    Args:
        losses: (b, h, w).
        labels: (b, h, w), `IGNORE` where a pixel is not valid.
        weights: (b, h, w) of the pixels; None: 1.

    Returns:
        (b,) 0 where no pixel is valid.
    """
    valid = labels != IGNORE
    weighted = losses if weights is None else losses * weights
    total = weighted.masked_fill(~valid, 0.0).sum(dim=(1, 2))
    return total / valid.sum(dim=(1, 2)).clamp(min=1)


def mean_over_present(losses: Tensor, truth: Tensor) -> Tensor:
    """Take the mean over the labels that an image has.

    Args:
        losses: (b, labels).
        truth: (b, labels, h, w) bool, False on pixels that are not valid.

    Returns:
        (b,) 0 where no pixel is valid.
    """
    present = truth.any(dim=3).any(dim=2)
    return losses.masked_fill(~present, 0.0).sum(dim=1) / present.sum(dim=1).clamp(min=1)


def at_least_single(logits: Tensor) -> Tensor:
    """Leave half precision, in which sums over an image overflow."""
    return logits if logits.dtype == torch.float64 else logits.float()
