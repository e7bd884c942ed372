"""Scores a network on the images of a split, batch by batch.

An evaluator that is to be saved keeps what every threshold needs of every image; one that tells
how an epoch ended keeps no more than its metrics need, which are the same to the last bit.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from models.divergence import require_finite
from models.losses import one_hot
from models.metrics.counts import PixelCounts
from models.metrics.ranking import Histograms
from models.metrics.scores import PixelErrors, ShapeScores, joined
from models.metrics.segmentation import (
    Predictions,
    SigmoidCounts,
    SigmoidPredictions,
    SoftmaxPredictions,
    first_bin,
)
from models.settings import EvaluationSettings
from models.tasks.segmentation_counts import (
    ImageRows,
    confusions,
    counts_from,
    histograms,
    probability_errors,
)
from models.tasks.segmentation_decisions import Decisions, SegmentationBatch, centre
from models.tasks.segmentation_files import save_pictures, save_split
from models.tasks.segmentation_shapes import shape_scores
from models.tasks.strips import Probe

PROBES = 6  # images in the picture of predictions


@dataclass(frozen=True, slots=True)
class SegmentationState:
    """What was kept of some images, as the evaluator has it."""

    image_ids: list[str]
    losses: list[Tensor]
    counts: ImageRows
    pooled: Tensor | None
    errors: list[Tensor]
    shapes: list[ShapeScores]
    probes: list[Probe]


class SegmentationEvaluator:
    """Counts of a split.

    Args:
        decide: Runs a model on a batch.
        class_names: In label order, with the background if there is one.
        first_class: 1 behind a background, else 0.
        is_softmax: Whether a pixel has one label; else each class has a sigmoid.
        evaluation: With the threshold that counts.
        is_saved: Whether `save` follows; then histograms and pictures are kept.
    """

    def __init__(
        self,
        decide: Callable[[nn.Module, SegmentationBatch], Decisions],
        *,
        class_names: Sequence[str],
        first_class: int,
        is_softmax: bool,
        evaluation: EvaluationSettings,
        is_saved: bool,
    ) -> None:
        self._decide = decide
        self._class_names = tuple(class_names)
        self._first_class = first_class
        self._is_softmax = is_softmax
        self._evaluation = evaluation
        self._is_saved = is_saved
        self._image_ids: list[str] = []
        self._losses: list[Tensor] = []
        # Of each image: confusions of a softmax; of sigmoids histograms, or `counts_from` them.
        self._counts = ImageRows()
        self._pooled: Tensor | None = None  # histograms of the split, unless those of images are
        self._errors: list[Tensor] = []
        self._shapes: list[ShapeScores] = []
        self._probes: list[Probe] = []

    def update(self, model: nn.Module, batch: SegmentationBatch) -> None:
        """Predict a batch, count, and keep the first images for the picture.

        Raises:
            Diverged: what the model says is not finite.
        """
        decisions = self._decide(model, batch)
        require_finite(decisions.losses, "the loss of every image that is scored")
        require_finite(decisions.probabilities, "every probability that is scored")
        self._image_ids.extend(batch.image_ids)
        self._losses.append(decisions.losses.detach().double().cpu())
        self._count(decisions)
        self._shapes.append(shape_scores(decisions, self._evaluation, is_softmax=self._is_softmax))
        wanted = PROBES - len(self._probes) if self._is_saved else 0
        for index in range(min(len(batch.image_ids), wanted)):
            images = centre(batch.images, decisions.labels)
            self._probes.append(_probe(images, decisions, index, is_softmax=self._is_softmax))

    def state(self) -> "SegmentationState":
        """Return all that was kept so far."""
        return SegmentationState(
            self._image_ids,
            self._losses,
            self._counts,
            self._pooled,
            self._errors,
            self._shapes,
            self._probes,
        )

    def add(self, state: "SegmentationState") -> None:
        """Take in what another evaluator kept of the batches that follow."""
        self._image_ids.extend(state.image_ids)
        self._losses.extend(state.losses)
        if state.image_ids:
            self._counts.add(state.counts.joined())
        self._pool(state.pooled)
        self._errors.extend(state.errors)
        self._shapes.extend(state.shapes)
        self._probes = [*self._probes, *state.probes][:PROBES]

    def compute(self) -> dict[str, float]:
        """Return the metrics that docs/metrics.md defines."""
        if self._is_softmax or self._is_saved:
            return self.predictions().metrics(self._evaluation)
        return self._at_threshold().metrics(self._evaluation)

    def save(self, folder: Path, split: str) -> dict[str, str]:
        """Write the counts that `rescore` reads, and what `segmentation_files` lists."""
        files = {f"predictions_{split}": f"predictions_{split}.npz"}
        predictions = self.predictions()
        predictions.save(folder / files[f"predictions_{split}"])
        files |= save_split(folder, split, predictions, self._evaluation)
        return files | save_pictures(folder, self._probes) if split == "val" else files

    def predictions(self) -> Predictions:
        """Return what was counted so far.

        Raises:
            ValueError: no image was seen.
            RuntimeError: sigmoids' histograms were not kept.
        """
        self._require_images()
        image_ids, names = tuple(self._image_ids), self._class_names
        losses, counts = torch.cat(self._losses).numpy(), self._counts.joined().numpy()
        errors, shapes = self._pixel_errors(), joined(self._shapes)
        if self._is_softmax:
            pooled = self._histograms()
            return SoftmaxPredictions(image_ids, names, losses, counts, pooled, errors, shapes)
        if not self._is_saved:
            raise RuntimeError("an evaluator must know that it is saved before it sees images")
        return SigmoidPredictions(
            image_ids,
            names[self._first_class :],
            losses,
            positives=counts[:, :, 1],
            negatives=counts[:, :, 0],
            errors=errors,
            shapes=shapes,
        )

    def _at_threshold(self) -> SigmoidCounts:
        """Return what was counted so far of sigmoids that are not saved."""
        self._require_images()
        counts = self._counts.joined().numpy()  # (images, classes, 4)
        return SigmoidCounts(
            self._class_names[self._first_class :],
            torch.cat(self._losses).numpy(),
            counts=PixelCounts(*np.moveaxis(counts, -1, 0)),
            histograms=self._histograms(),
            errors=self._pixel_errors(),
            shapes=joined(self._shapes),
        )

    def _require_images(self) -> None:
        if not self._image_ids:
            raise ValueError("a split must hold an image to be scored, got none; check data.limit")

    def _pixel_errors(self) -> PixelErrors:
        return PixelErrors(*torch.cat(self._errors).numpy().T)

    def _histograms(self) -> Histograms:
        """Return the pooled ones; only where an image was seen, and they were pooled."""
        if self._pooled is None:
            raise RuntimeError("histograms of the split must have been counted, got none")
        pooled = self._pooled.numpy()
        return Histograms(pooled[:, 1], pooled[:, 0])

    def _count(self, decisions: Decisions) -> None:
        probabilities, valid = decisions.probabilities, decisions.valid
        truth = decisions.truth
        if self._is_softmax:
            truth = one_hot(decisions.labels, probabilities.shape[1], first_label=0)
        by_image = histograms(probabilities, truth, valid)
        if self._is_softmax:
            self._counts.add(confusions(decisions).to(torch.int32).cpu())
        elif self._is_saved:
            self._counts.add(by_image.to(torch.int32).cpu())
        else:
            first = first_bin(self._evaluation.threshold)
            self._counts.add(counts_from(by_image, first).cpu())
        if self._is_softmax or not self._is_saved:
            self._pool(by_image.sum(dim=0).cpu())
        errors = probability_errors(probabilities, truth, valid, is_softmax=self._is_softmax)
        self._errors.append(errors.cpu())

    def _pool(self, histograms: Tensor | None) -> None:
        if histograms is not None:
            self._pooled = histograms if self._pooled is None else self._pooled + histograms


def _probe(images: Tensor, decisions: Decisions, index: int, *, is_softmax: bool) -> Probe:
    probabilities = None if is_softmax else decisions.probabilities[index].cpu().numpy()
    return Probe(
        image=np.ascontiguousarray(shown(images[index]).permute(1, 2, 0).cpu().numpy()),
        truth=decisions.truth[index].cpu().numpy(),
        prediction=decisions.found[index].cpu().numpy(),
        valid=decisions.valid[index].cpu().numpy(),
        probabilities=probabilities,
    )


def shown(image: Tensor) -> Tensor:
    """Return a picture as uint8; a normalised one from its darkest value to its brightest."""
    if not image.is_floating_point():
        return image
    low, high = image.aminmax()
    return ((image - low) / (high - low).clamp_min(1e-6) * 255).to(torch.uint8)
