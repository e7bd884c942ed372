"""Instance segmentation: find each object, its class, its box and its mask.

The networks have losses of their own, over anchors and regions that they sample: their sum is
minimised, and each is logged. Within a micro-batch they are means over the samples of all its
images, as in the papers; micro-batches are weighted by their images. Every image gives as many
anchors and regions, so that this is the mean over images however a batch is cut, but for the mask
loss: that is a mean over the objects sampled, whose number differs from image to image.

Labels count from 0 in batches and from 1 in networks, whose 0 is the background.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from models.metrics.names import instance_metric_names
from models.session import DataSource
from models.settings import EvaluationSettings, TrainingSettings
from models.tasks.instance_batches import (
    InstanceBatch,
    network_images,
    on_device,
    pieces,
    targets,
)
from models.tasks.instance_evaluator import InstanceEvaluator
from models.tasks.task import StepResult


class InstanceTask:
    """Losses and metrics of objects with masks."""

    def __init__(self, evaluation: EvaluationSettings, class_names: Sequence[str]) -> None:
        self.class_names = tuple(class_names)
        self.evaluation = evaluation
        self._data: DataSource | None = None

    @property
    def metric_names(self) -> tuple[str, ...]:
        """Every metric an evaluator may compute, without a split's prefix."""
        return instance_metric_names(self.class_names)

    def prepare(self, data: DataSource) -> None:
        """Remember the data, which knows how pictures are scaled."""
        self._data = data

    def facts(self) -> Mapping[str, Any]:
        """Return nothing: no setting follows from the data."""
        return {}

    def training_step(self, model: nn.Module, batch: InstanceBatch) -> StepResult:
        """Return the sum of the network's losses, and each of them."""
        images = len(batch.image_ids)
        losses = model(network_images(batch), targets(batch)).losses
        total = torch.stack(list(losses.values())).sum()
        sums = {
            name: value.detach().double() * images
            for name, value in {"loss": total, **losses}.items()
        }
        return StepResult(total, images, {**sums, "images": torch.tensor(images)})

    def summarise(self, sums: Mapping[str, Tensor]) -> dict[str, float]:
        """Return the loss and its parts, each averaged over images."""
        images = int(sums["images"])
        return {name: float(value) / images for name, value in sums.items() if name != "images"}

    def input_shape(self, batch: InstanceBatch) -> tuple[int, ...]:
        """Return (images, channels, height, width), the size being the first image's."""
        return (len(batch.images), *batch.images[0].shape)

    def example_input(self, image_size: int) -> Tensor:
        """Return one image on the meta device."""
        return torch.empty(1, 3, image_size, image_size, device="meta")

    def split_batch(self, batch: InstanceBatch, parts: int) -> list[InstanceBatch]:
        """Cut a batch into at most `parts` micro-batches of as equal size as can be."""
        return pieces(batch, parts)

    def to_device(self, batch: InstanceBatch, device: torch.device) -> InstanceBatch:
        """Move every tensor."""
        return on_device(batch, device)

    def evaluator(self) -> InstanceEvaluator:
        """Start scoring a split.

        Raises:
            RuntimeError: `prepare` was not called.
        """
        if self._data is None:
            raise RuntimeError("the task must be prepared with the data before it scores a split")
        return InstanceEvaluator(
            self.class_names,
            threshold=self.evaluation.threshold,
            stored_scale=self._data.stored_scale,
        )


def build_task(
    training: TrainingSettings,  # noqa: ARG001  # the networks have losses of their own
    evaluation: EvaluationSettings,
    class_names: Sequence[str],
) -> InstanceTask:
    """Build the task for a dataset's classes."""
    return InstanceTask(evaluation, class_names)
