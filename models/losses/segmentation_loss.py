"""The loss that a study asks for, with the weights of pixels that it asks for."""

from collections.abc import Callable, Mapping, Sequence
from functools import partial

import torch
from torch import Tensor

from models.loss_settings import PIXEL_LOSSES, USUAL_LOSS
from models.losses.border_weights import border_weights
from models.losses.class_weights import (
    median_frequency_weights,
    unknown_class,
    weights_of_all,
)
from models.losses.cross_entropies import binary_cross_entropy, cross_entropy
from models.losses.dice import dice, softmax_dice
from models.losses.focal import GAMMA, sigmoid_focal, softmax_focal
from models.losses.lovasz import lovasz_hinge, lovasz_softmax
from models.losses.pixels import IGNORE
from models.metrics.names import BACKGROUND
from models.session import DataSource
from models.settings import TrainingSettings


class SegmentationLoss:
    """Compares logits with label maps: `class weight + border weight` for each pixel."""

    def __init__(self, training: TrainingSettings, class_names: Sequence[str]) -> None:
        """Choose the loss.

        Args:
            training: Says which, and its parameters.
            class_names: In label order, "background" first where there is one.

        Raises:
            ValueError: A weight is for a class that is not there.
        """
        self.class_weights: Mapping[str, float] | None = None  # by name; None: all 1
        self._names = tuple(class_names)
        self._training = training
        self._loss = _function(training, first_label=int(self._names[:1] == (BACKGROUND,)))
        self._table: Tensor | None = None  # label -> weight
        self._object_label = _object_label(training, self._names)
        if isinstance(training.class_weights, Mapping):
            self._weigh_classes(weights_of_all(training.class_weights, self._names))

    def prepare(self, data: DataSource) -> None:
        """Count the classes of the training images, where the weights come from those."""
        if self._training.class_weights != "median_frequency":
            return
        source = data.training_images(self._training.batch_size)
        source.prepare()
        masks = (batch.masks for batch in source.epoch(1))
        weights = median_frequency_weights(masks, len(self._names))
        self._weigh_classes(dict(zip(self._names, weights.tolist(), strict=True)))

    def border(self, masks: Tensor) -> Tensor | None:
        """Return the border weights of whole label maps, before they are cut to the logits.

        Args:
            masks: (b, h, w) uint8.

        Returns:
            (b, h, w) float32 on the device of the masks; None where the study asks for none.
        """
        asked = self._training.border_weight
        if asked is None or self._object_label is None:
            return None
        weights = border_weights(masks.cpu(), self._object_label, w0=asked.w0, sigma=asked.sigma)
        return weights.to(masks.device)

    def __call__(self, logits: Tensor, labels: Tensor, border: Tensor | None) -> Tensor:
        """Return (b,) losses.

        Args:
            logits: (b, c, h, w).
            labels: (b, h, w).
            border: (b, h, w) what `border` returned, cut like the labels.
        """
        if (self._training.loss or USUAL_LOSS) not in PIXEL_LOSSES:
            return self._loss(logits, labels)
        return self._loss(logits, labels, weights=self._pixel_weights(labels, border))

    def _pixel_weights(self, labels: Tensor, border: Tensor | None) -> Tensor | None:
        if self._table is None:
            return None if border is None else 1 + border
        self._table = self._table.to(labels.device)
        weights = self._table[labels.long()]
        return weights if border is None else weights + border

    def _weigh_classes(self, weights: Mapping[str, float]) -> None:
        self.class_weights = weights
        self._table = torch.zeros(IGNORE + 1)
        self._table[: len(self._names)] = torch.tensor([weights[name] for name in self._names])


def _function(training: TrainingSettings, *, first_label: int) -> Callable[..., Tensor]:
    gamma = GAMMA if training.focal_gamma is None else training.focal_gamma
    losses: Mapping[str, Callable[..., Tensor]] = {
        "bce": partial(binary_cross_entropy, first_label=first_label),
        "dice": partial(dice, first_label=first_label),
        "focal": partial(
            sigmoid_focal, first_label=first_label, gamma=gamma, alpha=training.focal_alpha
        ),
        "lovasz_hinge": partial(lovasz_hinge, first_label=first_label),
        "cross_entropy": cross_entropy,
        "softmax_dice": softmax_dice,
        "softmax_focal": partial(softmax_focal, gamma=gamma),
        "lovasz_softmax": lovasz_softmax,
    }
    return losses[training.loss or USUAL_LOSS]


def _object_label(training: TrainingSettings, names: Sequence[str]) -> int | None:
    if training.border_weight is None:
        return None
    of = training.border_weight.of
    classes = [name for name in names if name != BACKGROUND]
    if of is None and len(classes) != 1:
        raise ValueError(
            "training.border_weight must name the class of the objects under `of`, for there are "
            f"{len(classes)}: {', '.join(classes)}"
        )
    name = classes[0] if of is None else of
    if name not in names:
        raise ValueError(unknown_class("training.border_weight.of", name, names))
    return list(names).index(name)
