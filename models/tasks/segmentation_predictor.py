"""Semantic segmentation of pictures without labels."""

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from models.loss_settings import SOFTMAX_LOSSES
from models.metrics.names import BACKGROUND
from models.predictions import PixelProbabilities
from models.settings import TrainingSettings
from models.tasks.segmentation import scaled


class SegmentationPredictor:
    """Probabilities as `SegmentationTask.decide` computes them."""

    def __init__(self, training: TrainingSettings, class_names: Sequence[str]) -> None:
        self._is_softmax = training.loss in SOFTMAX_LOSSES
        has_background = class_names[0] == BACKGROUND
        first = 1 if has_background and not self._is_softmax else 0
        self._labels = tuple(range(first, len(class_names)))

    def __call__(self, network: nn.Module, images: Sequence[Tensor]) -> list[PixelProbabilities]:
        """Return the probabilities of every channel's label."""
        logits: Tensor = network(scaled(torch.stack(list(images)))).float()
        values = logits.softmax(dim=1) if self._is_softmax else logits.sigmoid()
        return [
            PixelProbabilities(each, self._labels, is_exclusive=self._is_softmax)
            for each in values.cpu()
        ]


def build_predictor(
    training: TrainingSettings, class_names: Sequence[str]
) -> SegmentationPredictor:
    """Build the predictor for a network's classes."""
    return SegmentationPredictor(training, class_names)
