"""Lovász losses: the Jaccard loss, 1 - IoU, made continuous (Berman et al. 2018).

The loss of a class is the sum of its pixels' errors, each multiplied by how much IoU falls when
this pixel becomes wrong after all pixels with larger errors. Pixels of equal error are taken in
the order of the image.
"""

import torch
from torch import Tensor

from models.losses.pixels import IGNORE, at_least_single, mean_over_present, one_hot


def lovasz_hinge(logits: Tensor, labels: Tensor, *, first_label: int) -> Tensor:
    """Compare the area of every class with a score of its own; Berman et al. 2018, section 3.1.

    A pixel's error is 1 - score if it is of the class, else 1 + score; below 0 it is none. A
    class without a pixel in the image counts as well: its loss is the largest error.

    Args:
        logits: (b, c, h, w); channel 0 answers for `first_label`.
        labels: (b, h, w) integers, `IGNORE` where unlabelled.
        first_label: 1 where label 0 is the background and has no channel, else 0.

    Returns:
        (b,) float32, mean over classes; 0 where no pixel is valid.
    """
    scores = at_least_single(logits)
    truth = one_hot(labels, logits.shape[1], first_label=first_label)
    errors = (1 + torch.where(truth, -scores, scores)).relu()
    return _extension(errors, truth, labels).mean(dim=1)


def lovasz_softmax(logits: Tensor, labels: Tensor) -> Tensor:
    """Compare the area of every label, in a softmax; Berman et al. 2018, section 3.2.

    A pixel's error is the probability that is missing or too much. The mean is over the labels
    that the image has.

    Args:
        logits: (b, labels, h, w).
        labels: (b, h, w) integers, `IGNORE` where unlabelled.

    Returns:
        (b,) float32 in [0, 1], mean over the labels present; 0 where no pixel is valid.
    """
    probabilities = at_least_single(logits).softmax(dim=1)
    truth = one_hot(labels, logits.shape[1], first_label=0)
    errors = torch.where(truth, 1 - probabilities, probabilities)
    return mean_over_present(_extension(errors, truth, labels), truth)


def _extension(errors: Tensor, truth: Tensor, labels: Tensor) -> Tensor:
    """Return (b, c) of (b, c, h, w) errors, none below 0, and areas."""
    errors = errors.masked_fill((labels == IGNORE).unsqueeze(1), 0.0).flatten(2)
    with torch.no_grad():
        # Pixels that are not valid come last: a slope multiplies no error after them.
        ranks = errors.masked_fill((labels == IGNORE).flatten(1).unsqueeze(1), -1.0)
        order = ranks.argsort(dim=2, descending=True, stable=True)
        slopes = _slopes(truth.flatten(2).gather(2, order), errors.dtype)
        # Back in the order of the image, where no gradient has to go through the sorting.
        slopes = torch.empty_like(slopes).scatter_(2, order, slopes)
    return (errors * slopes).sum(dim=2)


def _slopes(truth: Tensor, dtype: torch.dtype) -> Tensor:
    """Return by how much the Jaccard loss rises with each pixel that becomes wrong.

    These are the differences of Berman et al. 2018, algorithm 1, written out: as differences
    they would cancel. With i the intersection and u the union once a pixel is wrong, it is 1 / u
    for a pixel of the class, else i / (u (u - 1)).

    Args:
        truth: (b, c, pixels) bool, in the order in which they become wrong.
        dtype: Of the result.
    """
    # Whole numbers, for which CUDA's running sum is deterministic.
    lost = truth.cumsum(dim=2, dtype=torch.int32)
    size = lost[:, :, -1:]
    places = torch.arange(1, truth.shape[2] + 1, device=truth.device, dtype=torch.int32)
    intersection, union = (size - lost).to(dtype), (size + places - lost).to(dtype)
    slopes = torch.where(truth, 1.0, intersection / (union - 1).clamp(min=1)) / union
    # Without a pixel of the class, the first false one takes IoU from 1 to 0.
    return torch.where(size > 0, slopes, (places == 1).to(dtype))
