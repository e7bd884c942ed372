"""Scores a network on the images of a split, batch by batch."""

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from models.losses import one_hot
from models.metrics.ranking import Histograms
from models.metrics.scores import PixelErrors, ShapeScores, joined
from models.metrics.segmentation import Predictions, SigmoidPredictions, SoftmaxPredictions
from models.settings import EvaluationSettings
from models.tasks.segmentation_counts import confusions, histograms, probability_errors
from models.tasks.segmentation_decisions import Decisions, SegmentationBatch, centre
from models.tasks.segmentation_files import save_pictures, save_split
from models.tasks.segmentation_shapes import shape_scores
from models.tasks.strips import Probe

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
        self._label_counts: Tensor | None = None  # of a softmax: histograms of the whole split
        self._errors: list[Tensor] = []
        self._shapes: list[ShapeScores] = []
        self._probes: list[Probe] = []

    def update(self, model: nn.Module, batch: SegmentationBatch) -> None:
        """Predict a batch, count, and keep the first images for the picture."""
        decisions = self._decide(model, batch)
        self._image_ids.extend(batch.image_ids)
        self._losses.append(decisions.losses.detach().double().cpu())
        self._count(decisions)
        self._shapes.append(shape_scores(decisions, self._evaluation, is_softmax=self._is_softmax))
        for index in range(min(len(batch.image_ids), PROBES - len(self._probes))):
            images = centre(batch.images, decisions.labels)
            self._probes.append(_probe(images, decisions, index, is_softmax=self._is_softmax))

    def compute(self) -> dict[str, float]:
        """Return the metrics that docs/metrics.md defines."""
        return self.predictions().metrics(self._evaluation)

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
        """
        if not self._counts:
            raise ValueError("a split must hold an image to be scored, got none; check data.limit")
        image_ids, names = tuple(self._image_ids), self._class_names
        losses, counts = torch.cat(self._losses).numpy(), torch.cat(self._counts).numpy()
        errors = PixelErrors(*torch.cat(self._errors).numpy().T)
        shapes = joined(self._shapes)
        if self._label_counts is not None:
            labels = self._label_counts.numpy()
            pooled = Histograms(labels[:, 1], labels[:, 0])
            return SoftmaxPredictions(image_ids, names, losses, counts, pooled, errors, shapes)
        return SigmoidPredictions(
            image_ids,
            names[self._first_class :],
            losses,
            positives=counts[:, :, 1],
            negatives=counts[:, :, 0],
            errors=errors,
            shapes=shapes,
        )

    def _count(self, decisions: Decisions) -> None:
        probabilities, valid = decisions.probabilities, decisions.valid
        truth = decisions.truth
        if self._is_softmax:
            truth = one_hot(decisions.labels, probabilities.shape[1], first_label=0)
            self._counts.append(confusions(decisions).cpu())
            counts = histograms(probabilities, truth, valid).sum(dim=0).cpu()
            before = self._label_counts
            self._label_counts = counts if before is None else before + counts
        else:
            self._counts.append(histograms(probabilities, truth, valid).to(torch.int32).cpu())
        errors = probability_errors(probabilities, truth, valid, is_softmax=self._is_softmax)
        self._errors.append(errors.cpu())


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
