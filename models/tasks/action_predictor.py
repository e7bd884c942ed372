"""Actions in clips without labels."""

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from models.predictions import ClassProbabilities
from models.settings import TrainingSettings
from models.tasks.clips import scaled_clips
from models.votes import class_probabilities


class ActionPredictor:
    """Probabilities as `ActionTask.decide` computes them."""

    def __call__(self, network: nn.Module, images: Sequence[Tensor]) -> list[ClassProbabilities]:
        """Return the probabilities of every class, clip by clip; clips (3 | 5, t, h, w)."""
        outputs = network(scaled_clips(torch.stack(list(images))))
        return [ClassProbabilities(each) for each in class_probabilities(outputs).cpu()]


def build_predictor(
    training: TrainingSettings,  # noqa: ARG001
    class_names: Sequence[str],  # noqa: ARG001
) -> ActionPredictor:
    """Build the predictor, which is the same for all classes."""
    return ActionPredictor()
