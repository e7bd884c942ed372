"""Segmentation losses, one value per image.

An image's loss is the mean over its valid pixels, and a batch's the mean over its images. So the
gradient does not depend on how a batch is cut into micro-batches, which a mean over all valid
pixels of a batch would. An image without any valid pixel has loss 0.

The labels that are neither trained on nor scored are `IGNORE`.
"""

import torch
from torch import Tensor
from torch.nn import functional

IGNORE = 255


def binary_cross_entropy(logits: Tensor, labels: Tensor, *, first_label: int) -> Tensor:
    """Compare a sigmoid per class with a label map.

    Args:
        logits: (b, c, h, w); channel 0 answers for `first_label`.
        labels: (b, h, w) integers, `IGNORE` where unlabelled.
        first_label: 1 where label 0 is the background and has no channel, else 0.

    Returns:
        (b,) float32, mean over classes and valid pixels.
    """
    truth = one_hot(labels, logits.shape[1], first_label=first_label).to(torch.float32)
    losses = functional.binary_cross_entropy_with_logits(logits.float(), truth, reduction="none")
    return _mean_over_valid(losses.mean(dim=1), labels)


def cross_entropy(logits: Tensor, labels: Tensor) -> Tensor:
    """Compare a softmax over all labels with a label map.

    Args:
        logits: (b, labels, h, w).
        labels: (b, h, w) integers, `IGNORE` where unlabelled.

    Returns:
        (b,) float32, mean over valid pixels.
    """
    # torch's own cross_entropy has no deterministic CUDA kernel for label maps; gather has.
    log_probabilities = logits.float().log_softmax(dim=1)
    targets = labels.to(torch.int64).masked_fill(labels == IGNORE, 0)
    losses = -log_probabilities.gather(1, targets.unsqueeze(1)).squeeze(1)
    return _mean_over_valid(losses, labels)


def one_hot(labels: Tensor, classes: int, *, first_label: int) -> Tensor:
    """Return (b, classes, h, w) bool: whether a pixel has label `first_label` + class."""
    indices = torch.arange(first_label, first_label + classes, device=labels.device)
    return labels.unsqueeze(1) == indices.view(1, -1, 1, 1)


def _mean_over_valid(losses: Tensor, labels: Tensor) -> Tensor:
    valid = labels != IGNORE
    total = losses.masked_fill(~valid, 0.0).sum(dim=(1, 2))
    return total / valid.sum(dim=(1, 2)).clamp(min=1)
