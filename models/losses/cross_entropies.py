"""Cross entropy of every pixel, with a sigmoid per class or a softmax over all labels."""

from torch import Tensor
from torch.nn import functional

from models.losses.pixels import IGNORE, at_least_single, mean_over_valid, one_hot


def binary_cross_entropy(
    logits: Tensor, labels: Tensor, *, first_label: int, weights: Tensor | None = None
) -> Tensor:
    """Compare a sigmoid per class with a label map.

    Args:
        logits: (b, c, h, w); channel 0 answers for `first_label`.
        labels: (b, h, w) integers, `IGNORE` where unlabelled.
        first_label: 1 where label 0 is the background and has no channel, else 0.
        weights: (b, h, w) of the pixels, the same for all classes; None: 1.

    Returns:
        (b,) float32, mean over classes and valid pixels.
    """
    scores = at_least_single(logits)
    truth = one_hot(labels, logits.shape[1], first_label=first_label).to(scores.dtype)
    losses = functional.binary_cross_entropy_with_logits(scores, truth, reduction="none")
    return mean_over_valid(losses.mean(dim=1), labels, weights)


def cross_entropy(logits: Tensor, labels: Tensor, *, weights: Tensor | None = None) -> Tensor:
    """Compare a softmax over all labels with a label map.

    Args:
        logits: (b, labels, h, w).
        labels: (b, h, w) integers, `IGNORE` where unlabelled.
        weights: (b, h, w) of the pixels; None: 1.

    Returns:
        (b,) float32, mean over valid pixels.
    """
    return mean_over_valid(-log_probability_of_truth(logits, labels), labels, weights)


def log_probability_of_truth(logits: Tensor, labels: Tensor) -> Tensor:
    """Return (b, h, w) log softmax at each pixel's label; of label 0 on `IGNORE` pixels."""
    # torch's own cross_entropy has no deterministic CUDA kernel for label maps; gather has.
    log_probabilities = at_least_single(logits).log_softmax(dim=1)
    targets = labels.long().masked_fill(labels == IGNORE, 0)
    return log_probabilities.gather(1, targets.unsqueeze(1)).squeeze(1)
