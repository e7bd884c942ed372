"""Scores a network on the images of a split, which come batch by batch."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from torch import Tensor, nn

from models.divergence import require_finite
from models.explaining.probed_maps import with_maps
from models.metrics.classification import ClassifiedImages, classification_metrics
from models.metrics.ratios import FloatArray
from models.tasks.classification_files import save_split
from models.tasks.classification_strips import (
    ImageProbe,
    chosen,
    probe_of,
    save_classification_strip,
)
from models.tasks.classified_images import ImageBatch
from models.tasks.segmentation import scaled
from models.tasks.strips import ByteArray

NO_PICTURE: ByteArray = np.zeros((0, 0, 3), np.uint8)


@dataclass(slots=True)
class ClassificationState:
    """What was kept of some images, batch by batch."""

    image_ids: list[str] = field(default_factory=list)
    labels: list[NDArray[np.int64]] = field(default_factory=list)  # (b,) each
    probabilities: list[NDArray[np.float32]] = field(default_factory=list)  # (b, classes) each
    losses: list[FloatArray] = field(default_factory=list)  # (b,) each
    probes: list[ImageProbe] = field(default_factory=list)


class ClassificationEvaluator:
    """Keeps the probabilities of every image.

    Args:
        decide: Runs a model on a batch; losses (b,) and probabilities (b, classes).
        class_names: In label order.
        is_saved: Whether `save` follows; then a few images are kept for the picture.
    """

    def __init__(
        self,
        decide: Callable[[nn.Module, ImageBatch], tuple[Tensor, Tensor]],
        class_names: Sequence[str],
        *,
        is_saved: bool,
    ) -> None:
        self._decide = decide
        self._class_names = tuple(class_names)
        self._is_saved = is_saved
        self._seen = ClassificationState()

    def update(self, model: nn.Module, batch: ImageBatch) -> None:
        """Predict a batch and keep what it says.

        Raises:
            Diverged: what the model says is not finite.
        """
        losses, probabilities = self._decide(model, batch)
        require_finite(losses, "the loss of every image that is scored")
        require_finite(probabilities, "every probability that is scored")
        values, labels = probabilities.cpu().numpy(), batch.labels.cpu().numpy()
        probes = self._probes(model, batch, values) if self._is_saved else []
        self.add(
            ClassificationState(
                list(batch.image_ids),
                [labels],
                [values],
                [losses.detach().double().cpu().numpy()],
                probes,
            )
        )

    def _probes(
        self, model: nn.Module, batch: ImageBatch, probabilities: NDArray[np.float32]
    ) -> list[ImageProbe]:
        """Return those images of a batch that may be drawn, with their Grad-CAM.

        They are chosen before a picture is made of any: that waits for the device.
        """
        labels = batch.labels.tolist()
        unseen = [
            ImageProbe(NO_PICTURE, label, each)
            for label, each in zip(labels, probabilities, strict=True)
        ]
        wanted = {id(probe) for probe in chosen([*self._seen.probes, *unseen])}
        rows = [row for row, probe in enumerate(unseen) if id(probe) in wanted]
        if not rows:
            return []
        images = batch.images[rows]
        probes = [
            probe_of(image, labels[row], probabilities[row])
            for image, row in zip(images, rows, strict=True)
        ]
        return with_maps(model, scaled(images), probes, wanted=probes)

    def state(self) -> ClassificationState:
        """Return all that was kept so far."""
        return self._seen

    def add(self, state: ClassificationState) -> None:
        """Take in what another evaluator kept of the images that follow."""
        seen = self._seen
        seen.image_ids.extend(state.image_ids)
        seen.labels.extend(state.labels)
        seen.probabilities.extend(state.probabilities)
        seen.losses.extend(state.losses)
        seen.probes = chosen([*seen.probes, *state.probes])

    def compute(self) -> dict[str, float]:
        """Return the metrics that docs/metrics.md defines."""
        return classification_metrics(self.images())

    def save(self, folder: Path, split: str) -> dict[str, str]:
        """Write what `classification_files` lists and, of validation, a picture of some images."""
        files = save_split(folder, split, self.images())
        if split == "val":
            files["predictions_strip"] = "predictions_strip.png"
            save_classification_strip(
                folder / files["predictions_strip"], self._seen.probes, self._class_names
            )
        return files

    def images(self) -> ClassifiedImages:
        """Return what was kept so far.

        Raises:
            ValueError: no image was seen.
        """
        seen = self._seen
        if not seen.image_ids:
            raise ValueError("a split must hold an image to be scored, got none; check data.limit")
        return ClassifiedImages(
            self._class_names,
            np.concatenate(seen.labels),
            np.concatenate(seen.probabilities),
            np.concatenate(seen.losses),
            image_ids=tuple(seen.image_ids),
        )
