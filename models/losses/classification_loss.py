"""The loss of one class per picture that a study asks for.

    cross_entropy, softmax_focal, mse, huber   `models.losses.class_scores`
    triplet                                    cross entropy + weight x `models.losses.triplets`

A picture's loss is multiplied by the weight of its class. The mean over a batch is not divided by
the sum of the weights: that would depend on how the batch is cut into micro-batches. The triplet
loss does depend on it, for triplets are of one micro-batch; it stands apart from the loss of each
picture, and validation has none of it.
"""

from collections.abc import Callable, Mapping, Sequence
from functools import partial

import torch
from torch import Tensor

from models.loss_settings import (
    USUAL_HUBER_DELTA,
    USUAL_IMAGE_LOSS,
    USUAL_MINING,
    USUAL_TRIPLET_MARGIN,
    USUAL_TRIPLET_WEIGHT,
)
from models.losses.class_scores import class_cross_entropy, class_focal, class_huber, class_mse
from models.losses.class_weights import median_share_weights, weights_of_all
from models.losses.focal import GAMMA
from models.losses.triplets import Mined, triplet_loss
from models.session import DataSource
from models.settings import TrainingSettings
from models.votes import Votes, voted_losses


class ClassificationLoss:
    """Compares logits with classes."""

    def __init__(self, training: TrainingSettings, class_names: Sequence[str]) -> None:
        """Choose the loss.

        Args:
            training: Says which, and its parameters.
            class_names: In label order.

        Raises:
            ValueError: A weight is for a class that is not there.
        """
        self.class_weights: Mapping[str, float] | None = None  # by name; None: all 1
        self.needs_embedding = training.loss == "triplet"
        self._names = tuple(class_names)
        self._training = training
        self._loss = _function(training)
        self._table: Tensor | None = None  # label -> weight
        if isinstance(training.class_weights, Mapping):
            self._weigh_classes(weights_of_all(training.class_weights, self._names))

    def prepare(self, data: DataSource) -> None:
        """Count the classes of the training images, where the weights come from those."""
        if self._training.class_weights != "median_frequency":
            return
        weights = median_share_weights(data.class_counts())
        self._weigh_classes(dict(zip(self._names, weights.tolist(), strict=True)))

    def __call__(self, outputs: Tensor | Votes, labels: Tensor) -> Tensor:
        """Return (b,) float32 losses of each picture by itself.

        Args:
            outputs: (b, classes) logits, or the votes.
            labels: (b,) int64.
        """
        losses = voted_losses(outputs, labels, self._loss)
        if self._table is None:
            return losses
        self._table = self._table.to(labels.device)
        return losses * self._table[labels]

    def of_embedding(self, embedding: Tensor, labels: Tensor) -> Mined:
        """Return the triplets of a batch, their loss being what is added to the mean of all.

        Args:
            embedding: (b, d).
            labels: (b,) int64.
        """
        asked = self._training
        weight = USUAL_TRIPLET_WEIGHT if asked.triplet_weight is None else asked.triplet_weight
        margin = USUAL_TRIPLET_MARGIN if asked.triplet_margin is None else asked.triplet_margin
        mining = asked.mining or USUAL_MINING
        loss, triplets = triplet_loss(embedding, labels, margin=margin, mining=mining)
        return Mined(weight * loss, triplets)

    def _weigh_classes(self, weights: Mapping[str, float]) -> None:
        self.class_weights = weights
        self._table = torch.tensor([weights[name] for name in self._names])


def _function(training: TrainingSettings) -> Callable[[Tensor, Tensor], Tensor]:
    smoothed = partial(class_cross_entropy, smoothing=training.label_smoothing or 0.0)
    gamma = GAMMA if training.focal_gamma is None else training.focal_gamma
    delta = USUAL_HUBER_DELTA if training.huber_delta is None else training.huber_delta
    losses: Mapping[str, Callable[[Tensor, Tensor], Tensor]] = {
        "cross_entropy": smoothed,
        "softmax_focal": partial(class_focal, gamma=gamma),
        "mse": class_mse,
        "huber": partial(class_huber, delta=delta),
        "triplet": smoothed,
    }
    return losses[training.loss or USUAL_IMAGE_LOSS]
