"""Reduce a batch's probabilities to what is kept of them: counts and errors, on the device.

Histograms take 8 kB for each image and class. They are kept of every image where they are saved,
and else reduced further: to counts at one threshold, and histograms of the whole split.
"""

import torch
from torch import Tensor

from models.metrics.segmentation import PROBABILITY_BINS
from models.tasks.segmentation_decisions import Decisions

SMALLEST = torch.finfo(torch.float32).eps  # probabilities are clipped to before their logarithm


def histograms(probabilities: Tensor, truth: Tensor, valid: Tensor) -> Tensor:
    """Count valid pixels by image, class, truth and probability.

    Args:
        probabilities: (b, c, h, w) in [0, 1].
        truth: (b, c, h, w) bool.
        valid: (b, h, w) bool.

    Returns:
        (b, c, 2, PROBABILITY_BINS) int64; [:, :, 1] are the pixels of the class.
    """
    images, classes = probabilities.shape[:2]
    elsewhere = 2 * PROBABILITY_BINS  # one bin more, for what is not valid
    # In float64 the product with 1000 is exact enough to agree with p >= k / 1000.
    bins = (probabilities.double() * (PROBABILITY_BINS - 1)).to(torch.int64)
    cells = bins.add_(truth, alpha=PROBABILITY_BINS).masked_fill_(~valid.unsqueeze(1), elsewhere)
    rows = torch.arange(images * classes, device=truth.device).view(images, classes, 1, 1)
    cells.add_(rows, alpha=elsewhere + 1)
    counts = torch.bincount(cells.flatten(), minlength=images * classes * (elsewhere + 1))
    kept = counts.view(images, classes, elsewhere + 1)[..., :elsewhere]
    return kept.reshape(images, classes, 2, PROBABILITY_BINS)


def counts_from(histograms: Tensor, first_bin: int) -> Tensor:
    """Count the decisions of each image and class, a probability from a bin on being a find.

    Args:
        histograms: (b, c, 2, PROBABILITY_BINS).
        first_bin: Of the threshold.

    Returns:
        (b, c, 4) int64: tp, fp, fn, tn.
    """
    found, whole = histograms[..., first_bin:].sum(dim=-1), histograms.sum(dim=-1)  # (b, c, 2)
    missed = whole - found
    return torch.stack([found[..., 1], found[..., 0], missed[..., 1], missed[..., 0]], dim=-1)


class ImageRows:
    """A tensor with a row for each image; it grows by batches and is never held twice."""

    def __init__(self) -> None:
        self._parts: list[Tensor] = []

    def add(self, rows: Tensor) -> None:
        """Append the rows of a batch, (b, …)."""
        self._parts.append(rows)

    def joined(self) -> Tensor:
        """Return all rows, (images, …), on the device of the parts."""
        if len(self._parts) > 1:
            parts, self._parts = self._parts[::-1], []
            images = sum(len(part) for part in parts)
            whole = parts[0].new_empty((images, *parts[0].shape[1:]))
            start = 0
            while parts:  # each part is given up as soon as it is copied
                part = parts.pop()
                whole[start : start + len(part)] = part
                start += len(part)
            self._parts = [whole]
        return self._parts[0]


def confusions(decisions: Decisions) -> Tensor:
    """Return (b, labels, labels) int64 pixels: rows truth, columns the most probable label."""
    images, labels = decisions.probabilities.shape[:2]
    best = decisions.probabilities.argmax(dim=1)
    rows = torch.arange(images, device=best.device).view(-1, 1, 1)
    cells = (rows * labels + decisions.labels) * labels + best
    counts = torch.bincount(cells[decisions.valid], minlength=images * labels * labels)
    return counts.view(images, labels, labels)


def probability_errors(
    probabilities: Tensor, truth: Tensor, valid: Tensor, *, is_softmax: bool
) -> Tensor:
    """Measure how far probabilities are from the truth.

    Args:
        probabilities: (b, c, h, w) in [0, 1].
        truth: (b, c, h, w) bool.
        valid: (b, h, w) bool.
        is_softmax: Whether the channels exclude each other: then only the probability of the
            true one counts in the logarithm.

    Returns:
        (b, 3) float64, means over valid pixels: -ln of the probability given to what is true,
        absolute and squared error; 0 for an image without a valid pixel.
    """
    distances = (probabilities - truth.to(probabilities.dtype)).abs()
    # Not 1 - distances, which would round a small probability away.
    right = torch.where(truth, probabilities, 1 - probabilities)
    surprise = -right.clamp(SMALLEST, 1 - SMALLEST).log()
    if is_softmax:
        logarithms = surprise.masked_fill(~truth, 0.0).sum(dim=1)
    else:
        logarithms = surprise.mean(dim=1)
    parts = torch.stack([logarithms, distances.mean(dim=1), distances.square().mean(dim=1)], dim=1)
    total = parts.double().masked_fill(~valid.unsqueeze(1), 0.0).sum(dim=(2, 3))
    return total / valid.sum(dim=(1, 2)).clamp(min=1).unsqueeze(1)
