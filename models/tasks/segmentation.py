"""Semantic segmentation: one class, or several sigmoids, per pixel.

Label maps hold class indices in the order of `class_names`, in which "background" comes first
if there is one, and `IGNORE`. With loss bce there is a sigmoid per class but the background,
with cross_entropy a softmax over all labels. A network whose output is smaller than its input
is trained and scored on the centre of the label map.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Protocol, TypeVar

import numpy as np
import torch
from torch import Tensor, nn

from models.losses import IGNORE, binary_cross_entropy, cross_entropy, one_hot
from models.metrics.names import BACKGROUND, segmentation_metric_names
from models.metrics.segmentation import (
    PROBABILITY_BINS,
    SigmoidPredictions,
    SoftmaxPredictions,
    mean_iou,
)
from models.settings import EvaluationSettings, TrainingSettings
from models.tasks.strips import Probe, save_strip
from models.tasks.task import StepResult

PROBES = 6  # images in the picture of predictions


class SegmentationBatch(Protocol):
    """A frozen dataclass of images of one size with their label maps."""

    @property
    def image_ids(self) -> tuple[str, ...]:
        """(b,)."""

    @property
    def images(self) -> Tensor:
        """(b, 3, h, w) uint8 RGB, or float32 where they were normalised."""

    @property
    def masks(self) -> Tensor:
        """(b, h, w) uint8 class index or IGNORE."""


@dataclass(frozen=True, slots=True)
class Decisions:
    """What a network says of a batch, beside the truth."""

    losses: Tensor  # (b,) float32
    probabilities: Tensor  # (b, channels, h, w) float32
    found: Tensor  # (b, classes, h, w) bool, classes without the background
    truth: Tensor  # (b, classes, h, w) bool
    labels: Tensor  # (b, h, w) the labels scored
    valid: Tensor  # (b, h, w) bool


class SegmentationTask:
    """Losses and training metrics of label maps."""

    def __init__(
        self,
        training: TrainingSettings,
        evaluation: EvaluationSettings,
        class_names: Sequence[str],
    ) -> None:
        self.class_names = tuple(class_names)
        self.is_softmax = training.loss == "cross_entropy"
        self.evaluation = evaluation
        self.first_class = 1 if self.class_names[:1] == (BACKGROUND,) else 0
        if not self.class_names[self.first_class :]:
            raise ValueError(
                f"segmentation needs a class beside the background, got {self.class_names}; "
                "name one in data.classes"
            )

    @property
    def metric_names(self) -> tuple[str, ...]:
        """Every metric an evaluator may compute, without a split's prefix."""
        names = segmentation_metric_names(self.class_names)
        return tuple(name for name in names if self.is_softmax or name != "iou_with_background")

    def decide(self, model: nn.Module, batch: SegmentationBatch) -> Decisions:
        """Run the model and compare its output with the labels that it covers."""
        logits: Tensor = model(scaled(batch.images))
        labels = _centre(batch.masks, logits)
        if self.is_softmax:
            losses = cross_entropy(logits, labels)
            probabilities = logits.detach().float().softmax(dim=1)
            found = one_hot(probabilities.argmax(dim=1), len(self.class_names), first_label=0)[
                :, self.first_class :
            ]
        else:
            losses = binary_cross_entropy(logits, labels, first_label=self.first_class)
            probabilities = logits.detach().float().sigmoid()
            found = probabilities >= self.evaluation.threshold
        truth = one_hot(labels, found.shape[1], first_label=self.first_class)
        return Decisions(losses, probabilities, found, truth, labels, labels != IGNORE)

    def training_step(self, model: nn.Module, batch: SegmentationBatch) -> StepResult:
        """Return the loss, and counts of right and wrong decisions."""
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
        return StepResult(decisions.losses.mean(), len(batch.image_ids), sums)

    def summarise(self, sums: Mapping[str, Tensor]) -> dict[str, float]:
        """Return loss, pixel accuracy and, unless no class was seen or found, IoU."""
        summary = {
            "loss": float(sums["loss"]) / int(sums["images"]),
            "pixel_accuracy": int(sums["right"]) / max(1, int(sums["decided"])),
        }
        iou = mean_iou(*(sums[name].cpu().numpy() for name in ("tp", "fp", "fn")))
        return summary if iou is None else {**summary, "iou": iou}

    def input_shape(self, batch: SegmentationBatch) -> tuple[int, ...]:
        """Return (images, channels, height, width)."""
        return tuple(batch.images.shape)

    def example_input(self, image_size: int) -> Tensor:
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
        """Move images and label maps."""
        return _changed(batch, images=batch.images.to(device), masks=batch.masks.to(device))

    def evaluator(self) -> "SegmentationEvaluator":
        """Start scoring a split."""
        return SegmentationEvaluator(self)

    def _right_decisions(self, decisions: Decisions) -> tuple[Tensor, Tensor]:
        """Count right and all decisions: per pixel (softmax), or per pixel and class."""
        if self.is_softmax:
            right = decisions.probabilities.argmax(dim=1) == decisions.labels
            return (right & decisions.valid).sum(), decisions.valid.sum()
        right = (decisions.found == decisions.truth) & decisions.valid.unsqueeze(1)
        return right.sum(), decisions.valid.sum() * decisions.found.shape[1]


class SegmentationEvaluator:
    """Counts of a split, from which every metric and threshold follows."""

    def __init__(self, task: SegmentationTask) -> None:
        self._task = task
        self._image_ids: list[str] = []
        self._losses: list[Tensor] = []
        self._counts: list[Tensor] = []
        self._probes: list[Probe] = []

    def update(self, model: nn.Module, batch: SegmentationBatch) -> None:
        """Predict a batch, count, and keep the first images for the picture."""
        decisions = self._task.decide(model, batch)
        self._image_ids.extend(batch.image_ids)
        self._losses.append(decisions.losses.double().cpu())
        count = confusions if self._task.is_softmax else self._histograms
        self._counts.append(count(decisions).cpu())
        for index in range(min(len(batch.image_ids), PROBES - len(self._probes))):
            self._probes.append(_probe(_centre(batch.images, decisions.labels), decisions, index))

    def compute(self) -> dict[str, float]:
        """Return the metrics of `models.metrics.segmentation`."""
        return self._predictions().metrics(self._task.evaluation)

    def save_predictions(self, file: Path) -> None:
        """Write the counts that `rescore` reads."""
        self._predictions().save(file)

    def save_strip(self, file: Path) -> None:
        """Write a picture of the first images."""
        save_strip(file, self._probes)

    def _histograms(self, decisions: Decisions) -> Tensor:
        return histograms(decisions.probabilities, decisions.truth, decisions.valid)

    def _predictions(self) -> SigmoidPredictions | SoftmaxPredictions:
        if not self._counts:
            raise ValueError("a split must hold an image to be scored, got none; check data.limit")
        image_ids, names = tuple(self._image_ids), self._task.class_names
        losses, counts = torch.cat(self._losses).numpy(), torch.cat(self._counts).numpy()
        if self._task.is_softmax:
            return SoftmaxPredictions(image_ids, names, losses, counts)
        return SigmoidPredictions(
            image_ids,
            names[self._task.first_class :],
            losses,
            positives=counts[:, :, 1],
            negatives=counts[:, :, 0],
        )


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


def histograms(probabilities: Tensor, truth: Tensor, valid: Tensor) -> Tensor:
    """Count valid pixels by image, class, truth and probability.

    Args:
        probabilities: (b, c, h, w) in [0, 1].
        truth: (b, c, h, w) bool.
        valid: (b, h, w) bool.

    Returns:
        (b, c, 2, PROBABILITY_BINS) int64; [:, :, 1] are the pixels of the class.
    """
    images, classes = probabilities.shape[:2]
    # In float64 the product with 1000 is exact enough to agree with p >= k / 1000.
    bins = (probabilities.double() * (PROBABILITY_BINS - 1)).floor().to(torch.int64)
    rows = torch.arange(images * classes, device=truth.device).view(images, classes, 1, 1)
    cells = (rows * 2 + truth) * PROBABILITY_BINS + bins
    chosen = cells[valid.unsqueeze(1).expand_as(cells)]
    counts = torch.bincount(chosen, minlength=images * classes * 2 * PROBABILITY_BINS)
    return counts.view(images, classes, 2, PROBABILITY_BINS)


def confusions(decisions: Decisions) -> Tensor:
    """Return (b, labels, labels) int64 pixels: rows truth, columns the most probable label."""
    images, labels = decisions.probabilities.shape[:2]
    best = decisions.probabilities.argmax(dim=1)
    rows = torch.arange(images, device=best.device).view(-1, 1, 1)
    cells = (rows * labels + decisions.labels) * labels + best
    counts = torch.bincount(cells[decisions.valid], minlength=images * labels * labels)
    return counts.view(images, labels, labels)


def _probe(images: Tensor, decisions: Decisions, index: int) -> Probe:
    return Probe(
        image=np.ascontiguousarray(_shown(images[index]).permute(1, 2, 0).cpu().numpy()),
        truth=decisions.truth[index].cpu().numpy(),
        prediction=decisions.found[index].cpu().numpy(),
        valid=decisions.valid[index].cpu().numpy(),
    )


def _shown(image: Tensor) -> Tensor:
    """Return a picture as uint8; a normalised one from its darkest value to its brightest."""
    if not image.is_floating_point():
        return image
    low, high = image.aminmax()
    return ((image - low) / (high - low).clamp_min(1e-6) * 255).to(torch.uint8)


def _centre(maps: Tensor, like: Tensor) -> Tensor:
    """Cut (…, h, w) to the centre that a smaller output covers."""
    height, width = like.shape[-2:]
    top, left = (maps.shape[-2] - height) // 2, (maps.shape[-1] - width) // 2
    return maps[..., top : top + height, left : left + width]


AnyBatch = TypeVar("AnyBatch", bound=SegmentationBatch)


def _changed(batch: AnyBatch, **changes: object) -> AnyBatch:
    """Copy the batch, whatever frozen dataclass it is."""
    return replace(batch, **changes)  # type: ignore[type-var]  # a Protocol cannot ask for one
