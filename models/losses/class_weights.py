"""Weights of classes: as they are given, or by how frequent the classes are.

Median frequency balancing: rare classes weigh more (Eigen and Fergus 2015, section 6.3.1). The
weight of a class is the median of all frequencies over its own. Its frequency is its pixels over
all pixels of the images that it is in, where pixels that are `IGNORE` are not there; where each
image is of one class, its share of the images.
"""

from collections.abc import Iterable, Mapping, Sequence

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
    return _median_over(pixels / np.maximum(around, 1))


def median_share_weights(images: Sequence[int]) -> NDArray[np.float64]:
    """Weigh classes by how many images of a split each of them has.

    Returns:
        (classes,) 1 for a class without an image.
    """
    return _median_over(np.asarray(images, np.float64))


def weights_of_all(named: Mapping[str, float], names: Sequence[str]) -> dict[str, float]:
    """Give classes that a study does not name the weight 1.

    Raises:
        ValueError: A weight is for a class that is not there.
    """
    unknown = [name for name in named if name not in names]
    if unknown:
        raise ValueError(unknown_class("training.class_weights", unknown[0], names))
    return {name: named.get(name, 1.0) for name in names}


def unknown_class(setting: str, name: str, names: Sequence[str]) -> str:
    """Say that a setting names a class that is not there, and which are."""
    return f"{setting} must name classes of the data ({', '.join(names)}), got '{name}'"


def _median_over(frequencies: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the median of those above 0 over each of them; 1 for the others."""
    weights = np.ones(len(frequencies))
    occurs = frequencies > 0
    if occurs.any():
        weights[occurs] = np.median(frequencies[occurs]) / frequencies[occurs]
    return weights


def label_counts(masks: Tensor, labels: int) -> Counts:
    """Return (b, labels) pixels of (b, h, w) label maps."""
    images = torch.arange(len(masks), device=masks.device).view(-1, 1, 1)
    valid = masks != IGNORE
    cells = (images * labels + masks)[valid]
    counts = torch.bincount(cells, minlength=len(masks) * labels)
    return counts.view(len(masks), labels).cpu().numpy()
