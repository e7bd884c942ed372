"""Classes of pictures without labels."""

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from models.predictions import ClassProbabilities
from models.settings import TrainingSettings
from models.tasks.segmentation import scaled
from models.votes import class_probabilities


class ClassificationPredictor:
    """Probabilities as `ClassificationTask.decide` computes them."""

    def __call__(self, network: nn.Module, images: Sequence[Tensor]) -> list[ClassProbabilities]:
        """Return the probabilities of every class, picture by picture; (3, h, w) each."""
        outputs = network(scaled(torch.stack(list(images))))
        return [ClassProbabilities(each) for each in class_probabilities(outputs).cpu()]


def build_predictor(
    training: TrainingSettings,  # noqa: ARG001
    class_names: Sequence[str],  # noqa: ARG001
) -> ClassificationPredictor:
    """Build the predictor, which is the same for all classes."""
    return ClassificationPredictor()
