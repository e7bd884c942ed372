"""Scores a network on the images of a split, batch by batch."""

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from models.metrics.segmentation import (
    PROBABILITY_BINS,
    SigmoidPredictions,
    SoftmaxPredictions,
)
from models.settings import EvaluationSettings
from models.tasks.segmentation_decisions import Decisions, SegmentationBatch, centre
from models.tasks.strips import Probe, save_strip

PROBES = 6  # images in the picture of predictions


class SegmentationEvaluator:
    """Counts of a split, from which every metric and threshold follows."""

    def __init__(
        self,
        decide: Callable[[nn.Module, SegmentationBatch], Decisions],
        *,
        class_names: Sequence[str],
        first_class: int,
        is_softmax: bool,
        evaluation: EvaluationSettings,
    ) -> None:
        self._decide = decide
        self._class_names = tuple(class_names)
        self._first_class = first_class
        self._is_softmax = is_softmax
        self._evaluation = evaluation
        self._image_ids: list[str] = []
        self._losses: list[Tensor] = []
        self._counts: list[Tensor] = []
        self._probes: list[Probe] = []

    def update(self, model: nn.Module, batch: SegmentationBatch) -> None:
        """Predict a batch, count, and keep the first images for the picture."""
        decisions = self._decide(model, batch)
        self._image_ids.extend(batch.image_ids)
        self._losses.append(decisions.losses.detach().double().cpu())
        count = confusions if self._is_softmax else self._histograms
        self._counts.append(count(decisions).cpu())
        for index in range(min(len(batch.image_ids), PROBES - len(self._probes))):
            self._probes.append(_probe(centre(batch.images, decisions.labels), decisions, index))

    def compute(self) -> dict[str, float]:
        """Return the metrics of `models.metrics.segmentation`."""
        return self._predictions().metrics(self._evaluation)

    def save(self, folder: Path, split: str) -> dict[str, str]:
        """Write the counts that `rescore` reads, and a picture of the first images."""
        files = {f"predictions_{split}": f"predictions_{split}.npz"}
        self._predictions().save(folder / files[f"predictions_{split}"])
        if split == "val":
            files["predictions_strip"] = "predictions_strip.png"
            save_strip(folder / files["predictions_strip"], self._probes)
        return files

    def _histograms(self, decisions: Decisions) -> Tensor:
        return histograms(decisions.probabilities, decisions.truth, decisions.valid)

    def _predictions(self) -> SigmoidPredictions | SoftmaxPredictions:
        if not self._counts:
            raise ValueError("a split must hold an image to be scored, got none; check data.limit")
        image_ids, names = tuple(self._image_ids), self._class_names
        losses, counts = torch.cat(self._losses).numpy(), torch.cat(self._counts).numpy()
        if self._is_softmax:
            return SoftmaxPredictions(image_ids, names, losses, counts)
        return SigmoidPredictions(
            image_ids,
            names[self._first_class :],
            losses,
            positives=counts[:, :, 1],
            negatives=counts[:, :, 0],
        )


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
    # In float64 the product with 1000 is exact enough to agree with p >= k / 1000.
    bins = (probabilities.double() * (PROBABILITY_BINS - 1)).floor().to(torch.int64)
    rows = torch.arange(images * classes, device=truth.device).view(images, classes, 1, 1)
    cells = (rows * 2 + truth) * PROBABILITY_BINS + bins
    chosen = cells[valid.unsqueeze(1).expand_as(cells)]
    counts = torch.bincount(chosen, minlength=images * classes * 2 * PROBABILITY_BINS)
    return counts.view(images, classes, 2, PROBABILITY_BINS)


def confusions(decisions: Decisions) -> Tensor:
    """Return (b, labels, labels) int64 pixels: rows truth, columns the most probable label."""
    images, labels = decisions.probabilities.shape[:2]
    best = decisions.probabilities.argmax(dim=1)
    rows = torch.arange(images, device=best.device).view(-1, 1, 1)
    cells = (rows * labels + decisions.labels) * labels + best
    counts = torch.bincount(cells[decisions.valid], minlength=images * labels * labels)
    return counts.view(images, labels, labels)


def _probe(images: Tensor, decisions: Decisions, index: int) -> Probe:
    return Probe(
        image=np.ascontiguousarray(_shown(images[index]).permute(1, 2, 0).cpu().numpy()),
        truth=decisions.truth[index].cpu().numpy(),
        prediction=decisions.found[index].cpu().numpy(),
        valid=decisions.valid[index].cpu().numpy(),
    )


def _shown(image: Tensor) -> Tensor:
    """Return a picture as uint8; a normalised one from its darkest value to its brightest."""
    if not image.is_floating_point():
        return image
    low, high = image.aminmax()
    return ((image - low) / (high - low).clamp_min(1e-6) * 255).to(torch.uint8)
