"""Find each object of an image: its class, its box and, where the task has them, its mask.

The networks have losses of their own, over anchors and regions that they sample: their sum is
minimised, and each is logged. Within a micro-batch they are means over the samples of all its
images, as in the papers; micro-batches are weighted by their images. Every image gives as many
anchors and regions, so that this is the mean over images however a batch is cut, but for losses
that are means over the objects, whose number differs from image to image.

Measures are no losses: a sum and the number of its terms each, added up over an epoch and logged
as a quotient.

Labels count from 0 in batches and from 1 in networks, whose 0 is the background.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from models.detection.outputs import Learned
from models.entries import ClipShape
from models.session import DataSource
from models.settings import EvaluationSettings
from models.tasks.object_batches import (
    ObjectBatch,
    network_images,
    on_device,
    pieces,
    targets,
)
from models.tasks.object_evaluator import ObjectEvaluator, ObjectRules
from models.tasks.task import StepResult

MEASURE = "measure "  # before a measure's name among the sums of an epoch


class ObjectTask:
    """Losses and metrics of objects."""

    def __init__(
        self, evaluation: EvaluationSettings, class_names: Sequence[str], rules: ObjectRules
    ) -> None:
        self.class_names = tuple(class_names)
        self.evaluation = evaluation
        self._rules = rules
        self._data: DataSource | None = None

    @property
    def metric_names(self) -> tuple[str, ...]:
        """Every metric an evaluator may compute, without a split's prefix."""
        return self._rules.metric_names(self.class_names)

    def prepare(self, data: DataSource) -> None:
        """Remember the data, which knows how pictures are scaled."""
        self._data = data

    def facts(self) -> Mapping[str, Any]:
        """Return nothing: no setting follows from the data."""
        return {}

    def training_step(self, model: nn.Module, batch: ObjectBatch) -> StepResult:
        """Return the sum of the network's losses, each of them, and what else it measured."""
        images = len(batch.image_ids)
        learned: Learned = model(network_images(batch), targets(batch))
        total = torch.stack(list(learned.losses.values())).sum()
        losses = {"loss": total, **learned.losses}
        sums = {name: value.detach().double() * images for name, value in losses.items()}
        for name, value in learned.measures.items():
            sums[MEASURE + name] = value.detach().double()
        return StepResult(total, images, {**sums, "images": torch.tensor(images)})

    def summarise(self, sums: Mapping[str, Tensor]) -> dict[str, float]:
        """Return the loss and its parts, averaged over images, and measures that have a term."""
        images = int(sums["images"])
        summary: dict[str, float] = {}
        for name, value in sums.items():
            if name.startswith(MEASURE):
                total, terms = value.tolist()
                if terms:
                    summary[name.removeprefix(MEASURE)] = total / terms
            elif name != "images":
                summary[name] = float(value) / images
        return summary

    def input_shape(self, batch: ObjectBatch) -> tuple[int, ...]:
        """Return (images, channels, height, width), the size being the first image's."""
        return (len(batch.images), *batch.images[0].shape)

    def example_input(self, image_size: int, clip: ClipShape | None = None) -> Tensor:  # noqa: ARG002
        """Return one image on the meta device."""
        return torch.empty(1, 3, image_size, image_size, device="meta")

    def split_batch(self, batch: ObjectBatch, parts: int) -> list[ObjectBatch]:
        """Cut a batch into at most `parts` micro-batches of as equal size as can be."""
        return pieces(batch, parts)

    def to_device(self, batch: ObjectBatch, device: torch.device) -> ObjectBatch:
        """Move every tensor."""
        return on_device(batch, device)

    def evaluator(self, *, is_saved: bool = False) -> ObjectEvaluator:
        """Start scoring a split.

        Raises:
            RuntimeError: `prepare` was not called.
        """
        if self._data is None:
            raise RuntimeError("the task must be prepared with the data before it scores a split")
        return ObjectEvaluator(
            self.class_names,
            self.evaluation,
            rules=self._rules,
            stored_scale=self._data.stored_scale,
            is_saved=is_saved,
        )
