"""Median frequency balancing: rare classes weigh more (Eigen and Fergus 2015, section 6.3.1).

The frequency of a class is its pixels over all pixels of the images that it is in; its weight is
the median of all frequencies over its own. Pixels that are `IGNORE` are not there.
"""

from collections.abc import Iterable

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from models.losses.pixels import IGNORE

Counts = NDArray[np.int64]


def median_frequency_weights(masks: Iterable[Tensor], labels: int) -> NDArray[np.float64]:
    """Weigh the labels of a split.

    Args:
        masks: (b, h, w) label maps, whatever b; every image of the split once.
        labels: How many there are.

    Returns:
        (labels,) 1 for a label without a pixel.
    """
    pixels = np.zeros(labels, np.int64)
    around = np.zeros(labels, np.int64)  # pixels of all images that a label is in
    for batch in masks:
        counts = label_counts(batch, labels)
        pixels += counts.sum(axis=0)
        around += (counts > 0).T @ counts.sum(axis=1)
    weights = np.ones(labels)
    occurs = pixels > 0
    if occurs.any():
        frequencies = pixels[occurs] / around[occurs]
        weights[occurs] = np.median(frequencies) / frequencies
    return weights


def label_counts(masks: Tensor, labels: int) -> Counts:
    """Return (b, labels) pixels of (b, h, w) label maps."""
    images = torch.arange(len(masks), device=masks.device).view(-1, 1, 1)
    valid = masks != IGNORE
    cells = (images * labels + masks)[valid]
    counts = torch.bincount(cells, minlength=len(masks) * labels)
    return counts.view(len(masks), labels).cpu().numpy()
