from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch import nn

from data_pipeline.samples import SegmentationBatch
from models.metrics.segmentation import Predictions
from models.settings import AlsoScored, EvaluationSettings
from models.tasks.segmentation_decisions import Decisions
from models.tasks.segmentation_decisions import SegmentationBatch as AnyBatch
from models.tasks.segmentation_evaluator import SegmentationEvaluator


@dataclass(frozen=True, slots=True)
class Case:
    """Random probabilities and labels of a few tiny images; label 0 is the background."""

    probabilities: NDArray[np.float32]  # (images, channels, h, w)
    labels: NDArray[np.uint8]  # (images, h, w), 255 unlabelled
    is_softmax: bool

    @property
    def classes(self) -> range:
        """Labels without the background."""
        return range(1, self.probabilities.shape[1] + (not self.is_softmax))

    @property
    def valid(self) -> NDArray[np.bool_]:
        valid: NDArray[np.bool_] = self.labels != 255
        return valid

    def of_class(self, label: int) -> NDArray[np.float32]:
        """Return the class's own probabilities."""
        return self.probabilities[:, label - (not self.is_softmax)]

    def found(self, label: int, threshold: float) -> NDArray[np.bool_]:
        """Return where a class is found, (images, h, w)."""
        best = self.probabilities.argmax(axis=1) == label
        found: NDArray[np.bool_] = self.of_class(label).astype(np.float64) >= threshold
        return best if self.is_softmax else found

    def predictions(
        self, *also: AlsoScored, threshold: float = 0.5, images_per_batch: int = 2
    ) -> Predictions:
        """Let the evaluator count, batch by batch."""
        names = ["background", *(f"class {label}" for label in self.classes)]
        evaluator = SegmentationEvaluator(
            self._decide(threshold),
            class_names=names,
            first_class=1,
            is_softmax=self.is_softmax,
            evaluation=EvaluationSettings(threshold=threshold, also=also),
        )
        for start in range(0, len(self.labels), images_per_batch):
            chosen = range(start, min(start + images_per_batch, len(self.labels)))
            images = torch.zeros(len(chosen), 3, *self.labels.shape[1:], dtype=torch.uint8)
            masks = torch.from_numpy(self.labels[start : chosen.stop])
            ids = tuple(str(index) for index in chosen)
            evaluator.update(nn.Identity(), SegmentationBatch(ids, images, masks))
        return evaluator.predictions()

    def _decide(self, threshold: float) -> Callable[[nn.Module, AnyBatch], Decisions]:
        def decide(model: nn.Module, batch: AnyBatch) -> Decisions:  # noqa: ARG001
            chosen = [int(name) for name in batch.image_ids]
            found = np.stack([self.found(c, threshold)[chosen] for c in self.classes], axis=1)
            truth = np.stack([(self.labels == c)[chosen] for c in self.classes], axis=1)
            return Decisions(
                losses=torch.zeros(len(chosen)),
                probabilities=torch.from_numpy(self.probabilities[chosen]),
                found=torch.from_numpy(found),
                truth=torch.from_numpy(truth),
                labels=batch.masks,
                valid=torch.from_numpy(self.valid[chosen]),
            )

        return decide


@pytest.fixture
def random_case() -> Callable[..., Case]:
    """Draw a case: `random_case(seed, is_softmax=…)`; some classes and images are empty."""

    def draw(seed: int, *, is_softmax: bool, side: int = 5) -> Case:
        generator = np.random.default_rng(seed)
        images, classes = generator.integers(1, 4), generator.integers(1, 4)
        kinds = generator.choice(classes + 1, generator.integers(1, classes + 2), replace=False)
        labels = generator.choice(kinds, (images, side, side)).astype(np.uint8)
        labels[generator.random(labels.shape) < generator.choice([0, 0.2])] = 255
        if generator.random() < 0.1:
            labels[0] = 255
        channels = classes + is_softmax
        certain = generator.choice([0.0, 0.5, 3.0])  # from chance to nearly always right
        first = np.arange(not is_softmax, classes + 1)
        logits = generator.normal(-1, 2, (images, channels, side, side))
        logits += 2 * certain * (labels[:, None] == first[:, None, None])
        if is_softmax:
            exponents = np.exp(logits - logits.max(axis=1, keepdims=True))
            probabilities = exponents / exponents.sum(axis=1, keepdims=True)
        else:
            probabilities = 1 / (1 + np.exp(-logits))
            # Probabilities that saturate, and some on a threshold.
            probabilities = np.where(np.abs(logits) > 4, logits > 0, probabilities)
            on_grid = generator.random(probabilities.shape) < 0.2
            probabilities = np.where(on_grid, probabilities.round(1), probabilities)
        return Case(probabilities.astype(np.float32), labels, is_softmax)

    return draw
