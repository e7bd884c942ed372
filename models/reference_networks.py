"""Networks without weights to train: what `models.references` counts makes their output.

Each image is cut into sides, and every pixel of a side has the same logits: with one side for all
pixels that is the constant, with dark and bright it is Otsu's threshold.
"""

from collections.abc import Callable, Iterable

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from models.losses import IGNORE
from models.settings import ModelSettings
from models.tasks.segmentation import scaled
from models.tasks.segmentation_decisions import SegmentationBatch

CERTAIN = 10.0  # logit of what Otsu's threshold says; a probability of 0.99995
RAREST = 1e-6  # share of a class that does not occur
SMALLEST = 1e-6  # range of grey values that is not stretched further

Sides = Callable[[Tensor], Tensor]  # images (b, 3, h, w) float -> (b, h, w) int64
Shares = NDArray[np.float64]  # (sides, labels) share of all counted pixels


class SidesNetwork(nn.Module):
    """Logits by side; `settle` decides them from counts of the training split."""

    logits: Tensor

    def __init__(self, sides: Sides, *, count: int, channels: int) -> None:
        super().__init__()
        self.sides = sides
        self.register_buffer("logits", torch.zeros(count, channels))

    def forward(self, images: Tensor) -> Tensor:
        """Return (b, channels, h, w) logits."""
        return self.logits[self.sides(images)].permute(0, 3, 1, 2)

    def count(self, images: Tensor, labels: Tensor, *, label_count: int) -> NDArray[np.int64]:
        """Count labelled pixels by side and label, (sides, labels).

        Args:
            images: (b, 3, h, w) float.
            labels: (b, h, w) integers or `IGNORE`.
            label_count: Labels there are.
        """
        valid = labels != IGNORE
        cells = self.sides(images)[valid] * label_count + labels[valid].to(torch.int64)
        counts = torch.bincount(cells.cpu(), minlength=len(self.logits) * label_count)
        return counts.view(-1, label_count).numpy()

    def settle(self, logits: NDArray[np.float64]) -> None:
        """Take over (sides, channels) logits."""
        self.logits.copy_(torch.from_numpy(logits))


def fit_sides(
    network: SidesNetwork,
    batches: Iterable[SegmentationBatch],
    *,
    decide: Callable[..., Shares],
    label_count: int,
    is_softmax: bool,
) -> None:
    """Settle a network on the pixels of the training images.

    Args:
        network: To settle.
        batches: Of the whole training split, once.
        decide: (counts, channels, is_softmax=…) -> logits.
        label_count: Labels there are.
        is_softmax: Whether logits become probabilities by a softmax; else by sigmoids.
    """
    sides, channels = network.logits.shape
    counts = np.zeros((sides, label_count), np.int64)
    for batch in batches:
        counts += network.count(scaled(batch.images), batch.masks, label_count=label_count)
    network.settle(decide(counts, channels, is_softmax=is_softmax))


def build_constant(settings: ModelSettings, channels: int) -> SidesNetwork:  # noqa: ARG001
    """Build a network that says the same of every pixel."""
    return SidesNetwork(one_side, count=1, channels=channels)


def build_otsu(settings: ModelSettings, channels: int) -> SidesNetwork:  # noqa: ARG001
    """Build a network that tells dark from bright."""
    return SidesNetwork(dark_and_bright, count=2, channels=channels)


def one_side(images: Tensor) -> Tensor:
    """Put all pixels on one side."""
    return torch.zeros_like(images[:, 0], dtype=torch.int64)


def dark_and_bright(images: Tensor) -> Tensor:
    """Cut each image at the Otsu threshold of its own grey values: 0 is dark, 1 bright.

    Grey is the mean of the channels, in 256 steps from the image's darkest to its brightest
    value, whatever the images were normalised by.
    """
    sides = [_bright(grey) for grey in images.mean(dim=1).cpu().double().numpy()]
    return torch.from_numpy(np.stack(sides)).to(images.device, torch.int64)


def constant_logits(
    counts: NDArray[np.int64], channels: int, *, is_softmax: bool
) -> NDArray[np.float64]:
    """Give each class its share of all pixels as its probability.

    Args:
        counts: (1, labels) pixels.
        channels: Of the last labels; without a channel for the background, one less.
        is_softmax: Whether logits become probabilities by a softmax; else by sigmoids.

    Returns:
        (1, channels) logits.
    """
    shares = np.clip(counts / max(1, counts.sum()), RAREST, 1 - RAREST)[:, -channels:]
    odds: NDArray[np.float64] = shares if is_softmax else shares / (1 - shares)
    return np.log(odds)


def otsu_logits(
    counts: NDArray[np.int64], channels: int, *, is_softmax: bool
) -> NDArray[np.float64]:
    """Decide which labels are dark and which bright, by what they are in the training split.

    A sigmoid's class is on the side of which it fills the greater share. With a softmax the two
    sides have one label each, two different ones: those with the most of their pixels there. What
    the training split has no pixel of is never found; if it has one label alone, both sides do.

    Args:
        counts: (2, labels) dark and bright pixels.
        channels: Of the last labels; without a channel for the background, one less.
        is_softmax: Whether logits become probabilities by a softmax; else by sigmoids.

    Returns:
        (2, channels) logits.
    """
    occurs = counts.sum(axis=0) > 0
    if is_softmax:
        recall = counts / np.maximum(1, counts.sum(axis=0))
        together = recall[0][:, None] + recall[1]
        np.fill_diagonal(together, -1.0)
        together[~occurs], together[:, ~occurs] = -np.inf, -np.inf
        logits = np.zeros((2, channels))
        for side, label in enumerate(np.unravel_index(together.argmax(), together.shape)):
            logits[side, label] = CERTAIN
        return logits
    share = counts / np.maximum(1, counts.sum(axis=1, keepdims=True))
    is_bright = share[1] > share[0]
    is_found = np.array([~is_bright, is_bright]) & occurs
    return np.where(is_found, CERTAIN, -CERTAIN)[:, -channels:]


def _bright(grey: NDArray[np.float64]) -> NDArray[np.bool_]:
    low, high = grey.min(), grey.max()
    steps = np.rint((grey - low) / max(high - low, SMALLEST) * 255).astype(np.uint8)
    threshold, _ = cv2.threshold(steps, 0, 255, cv2.THRESH_BINARY | cv2.THRESH_OTSU)
    is_bright: NDArray[np.bool_] = steps > threshold
    return is_bright
