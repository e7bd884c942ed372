"""What the training loop asks of a task, whatever its batches are.

Batches are plain tensors in a structure that only the task and the data pipeline agree on, so
the same loop trains on masks, lists of boxes, clips and class scores.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol, TypeVar

import torch
from torch import Tensor, nn

from models.entries import ClipShape
from models.session import DataSource

BatchT = TypeVar("BatchT")
BatchT_contra = TypeVar("BatchT_contra", contravariant=True)


@dataclass(frozen=True, slots=True)
class StepResult:
    """One forward pass in training mode."""

    loss: Tensor  # () mean over the batch's images; what is minimised
    images: int
    sums: Mapping[str, Tensor]  # name -> numbers, additive over batches; see `Task.summarise`


class Evaluator(Protocol[BatchT_contra]):
    """Scores a model on a split, batch by batch."""

    def update(self, model: nn.Module, batch: BatchT_contra) -> None:
        """Predict a batch on the model's device and keep what the metrics need; no gradients."""

    def state(self) -> Any:  # noqa: ANN401  # what `add` of the same class takes
        """Return all that was kept so far, to be pickled: nothing of it is on a device."""

    def add(self, state: Any) -> None:  # noqa: ANN401  # what `state` of the same class returns
        """Take in what another evaluator kept of the batches that follow."""

    def compute(self) -> dict[str, float]:
        """Return the metrics of everything seen, without a split's prefix."""

    def save(self, folder: Path, split: str) -> dict[str, str]:
        """Write everything worth keeping of a split's predictions.

        Args:
            folder: Of the attempt; exists.
            split: "val" or "test".

        Returns:
            Role -> name inside the folder. "predictions_<split>" is what `TaskEntry.rescore`
            reads; "predictions_strip", of the validation split alone, a picture of the
            first images (png).
        """


class Task(Protocol[BatchT]):
    """A task's losses and metrics."""

    @property
    def metric_names(self) -> tuple[str, ...]:
        """Every metric an evaluator may compute, without a split's prefix."""

    def prepare(self, data: DataSource) -> None:
        """Take from the training data what the loss needs, before the first step."""

    def facts(self) -> Mapping[str, Any]:
        """Return what came out of `prepare`, as JSON, to be recorded with the settings."""

    def training_step(self, model: nn.Module, batch: BatchT) -> StepResult:
        """Run the model on a batch that is on the model's device."""

    def summarise(self, sums: Mapping[str, Tensor]) -> dict[str, float]:
        """Turn the added-up sums of an epoch into training metrics, "loss" among them."""

    def input_shape(self, batch: BatchT) -> tuple[int, ...]:
        """Return (images, channels, …, height, width) as the network is given them.

        Where the images of a batch differ in size, that of the first one.
        """

    def example_input(self, image_size: int, clip: ClipShape | None) -> Tensor:
        """Return one image, or clip, on the meta device, to count multiply-accumulates with.

        It is square: where a batch's sizes may differ, the smallest that there is.

        Args:
            image_size: Its sides, pixels.
            clip: What else it has; None: it is a picture.
        """

    def split_batch(self, batch: BatchT, parts: int) -> list[BatchT]:
        """Cut a batch into at most `parts` micro-batches."""

    def to_device(self, batch: BatchT, device: torch.device) -> BatchT:
        """Move a batch's tensors."""

    def evaluator(self, *, is_saved: bool = False) -> Evaluator[BatchT]:
        """Start scoring a split.

        Args:
            is_saved: Whether the evaluator's `save` follows. At the end of an epoch it does not,
                and what only files need is not kept; the metrics are the same.
        """
