"""Semantic segmentation: one class, or several sigmoids, per pixel.

Label maps hold class indices in the order of `class_names`, in which "background" comes first
if there is one, and `IGNORE`. The loss says whether there is a sigmoid per class but the
background, or a softmax over all labels. A network whose output is smaller than its input is
trained and scored on the centre of the label map.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, TypeVar

import torch
from torch import Tensor, nn

from models.entries import ClipShape
from models.loss_settings import SOFTMAX_LOSSES
from models.losses import IGNORE, one_hot
from models.losses.segmentation_loss import SegmentationLoss
from models.metrics.names import BACKGROUND, segmentation_metric_names
from models.metrics.segmentation import mean_iou
from models.segmentation.outputs import WithAuxiliary
from models.session import DataSource
from models.settings import EvaluationSettings, TrainingSettings
from models.tasks.segmentation_decisions import Decisions, SegmentationBatch, centre
from models.tasks.segmentation_evaluator import SegmentationEvaluator
from models.tasks.task import StepResult


@dataclass(frozen=True, slots=True)
class BorderedBatch:
    """A batch whose border weights are known."""

    image_ids: tuple[str, ...]
    images: Tensor  # (b, 3, h, w)
    masks: Tensor  # (b, h, w)
    border: Tensor  # (b, h, w) float32


class SegmentationTask:
    """Losses and training metrics of label maps."""

    def __init__(
        self,
        training: TrainingSettings,
        evaluation: EvaluationSettings,
        class_names: Sequence[str],
    ) -> None:
        self.class_names = tuple(class_names)
        self.is_softmax = training.loss in SOFTMAX_LOSSES
        self.evaluation = evaluation
        self.first_class = 1 if self.class_names[:1] == (BACKGROUND,) else 0
        if not self.class_names[self.first_class :]:
            raise ValueError(
                f"segmentation needs a class beside the background, got {self.class_names}; "
                "name one in data.classes"
            )
        if self.is_softmax and len(self.class_names) < 2:
            raise ValueError(
                f"loss '{training.loss}' needs two labels to choose from, got {self.class_names}; "
                "use a loss with a sigmoid per class, such as 'bce'"
            )
        self.loss = SegmentationLoss(training, self.class_names)

    @property
    def metric_names(self) -> tuple[str, ...]:
        """Every metric an evaluator may compute, without a split's prefix."""
        names = segmentation_metric_names(self.class_names, self.evaluation.also)
        return tuple(name for name in names if self.is_softmax or name != "iou_with_background")

    def decide(self, model: nn.Module, batch: SegmentationBatch) -> Decisions:
        """Run the model and compare its output with the labels that it covers."""
        border = (
            batch.border if isinstance(batch, BorderedBatch) else self.loss.border(batch.masks)
        )
        outputs: Tensor | WithAuxiliary = model(scaled(batch.images))
        logits = outputs.logits if isinstance(outputs, WithAuxiliary) else outputs
        losses, auxiliary = self._losses(logits, batch.masks, border), None
        if isinstance(outputs, WithAuxiliary):
            auxiliary = outputs.weight * self._losses(outputs.auxiliary, batch.masks, border)
        labels = centre(batch.masks, logits)
        if self.is_softmax:
            probabilities = logits.detach().float().softmax(dim=1)
            found = one_hot(probabilities.argmax(dim=1), len(self.class_names), first_label=0)[
                :, self.first_class :
            ]
        else:
            probabilities = logits.detach().float().sigmoid()
            found = probabilities >= self.evaluation.threshold
        truth = one_hot(labels, found.shape[1], first_label=self.first_class)
        return Decisions(
            losses,
            probabilities,
            found,
            truth,
            labels,
            valid=labels != IGNORE,
            auxiliary=auxiliary,
        )

    def prepare(self, data: DataSource) -> None:
        """Count the classes of the training images, if the loss weighs them by frequency."""
        self.loss.prepare(data)

    def facts(self) -> Mapping[str, Any]:
        """Return the weight of each class, where they have any."""
        weights = self.loss.class_weights
        return {} if weights is None else {"class_weights": dict(weights)}

    def training_step(self, model: nn.Module, batch: SegmentationBatch) -> StepResult:
        """Return the loss, and counts of right and wrong decisions.

        What is minimised has the auxiliary head's loss in it; "loss" is that of the logits that
        are scored, as in validation.
        """
        decisions = self.decide(model, batch)
        found, truth, valid = decisions.found, decisions.truth, decisions.valid.unsqueeze(1)
        tp, fp, fn = (
            (which & valid).sum(dim=(0, 2, 3))
            for which in (found & truth, found & ~truth, truth & ~found)
        )
        right, decided = self._right_decisions(decisions)
        sums = {
            "loss": decisions.losses.detach().sum(dtype=torch.float64),
            "images": torch.tensor(len(batch.image_ids)),
            "right": right,
            "decided": decided,
            "tp": tp,
            "fp": fp,
            "fn": fn,
        }
        losses = decisions.losses
        if decisions.auxiliary is not None:
            losses = losses + decisions.auxiliary
            sums["auxiliary_loss"] = decisions.auxiliary.detach().sum(dtype=torch.float64)
        return StepResult(losses.mean(), len(batch.image_ids), sums)

    def summarise(self, sums: Mapping[str, Tensor]) -> dict[str, float]:
        """Return loss, pixel accuracy and, unless no class was seen or found, IoU.

        With an auxiliary head also its part of what is minimised, "auxiliary_loss".
        """
        summary = {
            name: float(sums[name]) / int(sums["images"])
            for name in ("loss", "auxiliary_loss")
            if name in sums
        } | {
            "pixel_accuracy": int(sums["right"]) / max(1, int(sums["decided"])),
        }
        iou = mean_iou(*(sums[name].cpu().numpy() for name in ("tp", "fp", "fn")))
        return summary if iou is None else {**summary, "iou": iou}

    def input_shape(self, batch: SegmentationBatch) -> tuple[int, ...]:
        """Return (images, channels, height, width)."""
        return tuple(batch.images.shape)

    def example_input(self, image_size: int, clip: ClipShape | None = None) -> Tensor:  # noqa: ARG002
        """Return one image on the meta device."""
        return torch.empty(1, 3, image_size, image_size, device="meta")

    def split_batch(self, batch: SegmentationBatch, parts: int) -> list[SegmentationBatch]:
        """Cut a batch into at most `parts` micro-batches of as equal size as can be."""
        size = -(-len(batch.image_ids) // parts)
        starts = range(0, len(batch.image_ids), size)
        return [
            _changed(
                batch,
                image_ids=batch.image_ids[start : start + size],
                images=batch.images[start : start + size],
                masks=batch.masks[start : start + size],
            )
            for start in starts
        ]

    def to_device(self, batch: SegmentationBatch, device: torch.device) -> SegmentationBatch:
        """Move images and label maps.

        Border weights are made on the CPU, beside what the device still has to do.
        """
        border = self.loss.border(batch.masks)
        images, masks = batch.images.to(device), batch.masks.to(device)
        if border is None:
            return _changed(batch, images=images, masks=masks)
        return BorderedBatch(batch.image_ids, images, masks, border.to(device))

    def evaluator(self, *, is_saved: bool = False) -> SegmentationEvaluator:
        """Start scoring a split."""
        return SegmentationEvaluator(
            self.decide,
            class_names=self.class_names,
            first_class=self.first_class,
            is_softmax=self.is_softmax,
            evaluation=self.evaluation,
            is_saved=is_saved,
        )

    def _losses(self, logits: Tensor, masks: Tensor, border: Tensor | None) -> Tensor:
        """Return (b,) losses of logits that may cover the centre only."""
        covered = None if border is None else centre(border, logits)
        return self.loss(logits, centre(masks, logits), covered)

    def _right_decisions(self, decisions: Decisions) -> tuple[Tensor, Tensor]:
        """Count right and all decisions: per pixel (softmax), or per pixel and class."""
        if self.is_softmax:
            right = decisions.probabilities.argmax(dim=1) == decisions.labels
            return (right & decisions.valid).sum(), decisions.valid.sum()
        right = (decisions.found == decisions.truth) & decisions.valid.unsqueeze(1)
        return right.sum(), decisions.valid.sum() * decisions.found.shape[1]


def build_task(
    training: TrainingSettings, evaluation: EvaluationSettings, class_names: Sequence[str]
) -> SegmentationTask:
    """Build the task for a dataset's classes."""
    return SegmentationTask(training, evaluation, class_names)


def scaled(images: Tensor) -> Tensor:
    """Turn uint8 into float32 in [-1, 1], on the images' device; floats are as they should be.

    Batches come as views of (h, w, 3) pixels. They are put channels first in the same step, for
    a network's sums, and so its results, depend on the order in memory.
    """
    if images.is_floating_point():
        return images
    return images.to(torch.float32, memory_format=torch.contiguous_format) / 127.5 - 1


AnyBatch = TypeVar("AnyBatch", bound=SegmentationBatch)


def _changed(batch: AnyBatch, **changes: object) -> AnyBatch:
    """Copy the batch, whatever frozen dataclass it is."""
    return replace(batch, **changes)  # type: ignore[type-var]  # a Protocol cannot ask for one
