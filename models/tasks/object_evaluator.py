"""Scores a detector on the images of a split, batch by batch.

Masks are kept as run lengths, so that a large split fits into memory. Boxes are kept, and scored,
to a thousandth of a pixel, as they are written: what is read back scores the same.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol, TypeAlias

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from models.detection.outputs import Detection, Scored
from models.divergence import require_finite
from models.metrics.coco_ap import encoded
from models.metrics.coco_files import PIXEL_DIGITS
from models.metrics.scored_images import Objects, ScoredImage
from models.metrics.scored_split import ScoredSplit
from models.settings import EvaluationSettings
from models.tasks.object_batches import ObjectBatch, network_images, targets, true_masks
from models.tasks.object_probes import ObjectProbe
from models.tasks.segmentation_evaluator import shown

PROBES = 6  # images in the picture of predictions

StoredScale: TypeAlias = Callable[[tuple[int, int]], tuple[float, float]]
Floats: TypeAlias = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class SplitResult:
    """A scored split, with what is drawn of it."""

    split: ScoredSplit
    metrics: Mapping[str, float]
    probes: tuple[ObjectProbe, ...]  # of the first images
    network: nn.Module  # that was scored


class ObjectRules(Protocol):
    """What tells the tasks of objects apart: how a split is scored, and what is kept of it."""

    def metric_names(self, class_names: Sequence[str]) -> tuple[str, ...]:
        """Return every metric that may be computed for these classes."""

    def metrics(
        self, split: ScoredSplit, evaluation: EvaluationSettings, *, is_final: bool
    ) -> dict[str, float]:
        """Score a split, what is undefined left out; in the end by the reference programs."""

    def save(
        self, folder: Path, split: str, *, result: SplitResult, evaluation: EvaluationSettings
    ) -> dict[str, str]:
        """Write what is kept of "val" or "test"; return role -> name inside the folder."""


@dataclass(frozen=True, slots=True)
class ObjectState:
    """What was kept of some images, as the evaluator has it."""

    images: list[ScoredImage]
    losses: list[Tensor]
    measures: dict[str, Tensor]
    probes: list[ObjectProbe]


class ObjectEvaluator:
    """Objects and detections of a split.

    Args:
        class_names: In label order.
        evaluation: Its threshold is the probability from which a pixel is of an object's mask.
        rules: Of the task.
        stored_scale: Height and width on disk -> stored pixels per pixel of the network's input,
            down and across.
        is_saved: Whether `save` follows; then the reference programs have the last word.
    """

    def __init__(
        self,
        class_names: Sequence[str],
        evaluation: EvaluationSettings,
        *,
        rules: ObjectRules,
        stored_scale: StoredScale,
        is_saved: bool,
    ) -> None:
        self._class_names = tuple(class_names)
        self._evaluation = evaluation
        self._rules = rules
        self._stored_scale = stored_scale
        self._images: list[ScoredImage] = []
        self._losses: list[Tensor] = []
        self._measures: dict[str, Tensor] = {}
        self._probes: list[ObjectProbe] = []
        self._network: nn.Module | None = None
        self._is_saved = is_saved
        self._metrics: dict[str, float] | None = None  # of all images so far

    def update(self, model: nn.Module, batch: ObjectBatch) -> None:
        """Find the objects of a batch, and keep the first images for the picture.

        Raises:
            Diverged: a loss is not finite.
        """
        self._network, self._metrics = model, None
        images = network_images(batch)
        scored: Scored = model(images, targets(batch))
        losses = torch.stack(list(scored.losses.values())).sum(dim=0).double().cpu()
        require_finite(losses, "the loss of every image that is scored")
        self._losses.append(losses)
        for name, values in scored.measures.items():
            total = values.double().sum(dim=0).cpu()
            self._measures[name] = self._measures.get(name, torch.zeros(2).double()) + total
        for index, detection in enumerate(scored.detections):
            image = self._scored_image(batch, index, detection)
            self._images.append(image)
            if self._is_saved and len(self._probes) < PROBES:
                pixels = shown(batch.images[index]).permute(1, 2, 0).cpu().numpy()
                probe = ObjectProbe(np.ascontiguousarray(pixels), images[index].cpu(), image)
                self._probes.append(probe)

    def state(self) -> "ObjectState":
        """Return all that was kept so far."""
        return ObjectState(self._images, self._losses, self._measures, self._probes)

    def add(self, state: "ObjectState") -> None:
        """Take in what another evaluator kept of the batches that follow."""
        self._metrics = None
        self._images.extend(state.images)
        self._losses.extend(state.losses)
        for name, total in state.measures.items():
            self._measures[name] = self._measures.get(name, torch.zeros(2).double()) + total
        self._probes = [*self._probes, *state.probes][:PROBES]

    def compute(self) -> dict[str, float]:
        """Return the task's metrics; what is undefined is left out."""
        if self._metrics is None:
            self._metrics = self._rules.metrics(
                self._split(), self._evaluation, is_final=self._is_saved
            )
        return self._metrics

    def save(self, folder: Path, split: str) -> dict[str, str]:
        """Write what the task keeps."""
        scored = self._split()
        assert self._network is not None  # as there is a split
        result = SplitResult(scored, self.compute(), tuple(self._probes), self._network)
        return self._rules.save(folder, split, result=result, evaluation=self._evaluation)

    def _split(self) -> ScoredSplit:
        if not self._images:
            raise ValueError("a split must hold an image to be scored, got none; check data.limit")
        return ScoredSplit(
            self._class_names,
            tuple(self._images),
            torch.cat(self._losses).numpy(),
            {name: total.numpy() for name, total in self._measures.items()},
        )

    def _scored_image(self, batch: ObjectBatch, index: int, detection: Detection) -> ScoredImage:
        down, across = self._stored_scale(batch.stored_hw[index])
        ignored = batch.is_crowd[index] | batch.is_difficult[index]
        masks = true_masks(batch)
        found_masks = None
        if masks is not None:
            found_masks = detection["masks"][:, 0] >= self._evaluation.threshold
        return ScoredImage(
            image_id=batch.image_ids[index],
            size_hw=(batch.images[index].shape[-2], batch.images[index].shape[-1]),
            pixel_area=down * across,
            truth=_objects(
                batch.labels[index],
                batch.boxes_xyxy[index],
                masks=None if masks is None else masks[index],
            ),
            truth_areas=_doubles(batch.areas[index]) * down * across,
            is_ignored=ignored.cpu().numpy(),
            found=_objects(detection["labels"] - 1, detection["boxes"], masks=found_masks),
            scores=_doubles(detection["scores"]),
        )


def _objects(labels: Tensor, boxes_xyxy: Tensor, *, masks: Tensor | None) -> Objects:
    boxes = np.round(_doubles(boxes_xyxy), PIXEL_DIGITS)
    lengths = None if masks is None else encoded(masks.cpu().numpy())
    return Objects(labels.cpu().numpy(), boxes, lengths)


def _doubles(values: Tensor) -> Floats:
    found: Floats = values.detach().double().cpu().numpy()
    return found
