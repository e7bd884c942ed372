"""Scores a detector on the images of a split, batch by batch.

Masks are kept as run lengths, so that a large split fits into memory.
"""

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from models.detection.outputs import Detection, Scored
from models.metrics.coco_ap import Objects, ScoredImage, coco_scores, encoded
from models.metrics.coco_files import save_scored_images
from models.metrics.names import OBJECT_KINDS, instance_slugs
from models.tasks.instance_batches import InstanceBatch, network_images, targets
from models.tasks.instance_strips import InstanceProbe, save_instance_strip

PROBES = 6  # images in the picture of predictions

StoredScale = Callable[[tuple[int, int]], tuple[float, float]]


class InstanceEvaluator:
    """Objects and detections of a split.

    Args:
        class_names: In label order.
        threshold: Probability from which a pixel is of an object's mask.
        stored_scale: Height and width on disk -> stored pixels per pixel of the network's input,
            down and across.
    """

    def __init__(
        self, class_names: Sequence[str], *, threshold: float, stored_scale: StoredScale
    ) -> None:
        self._class_names = tuple(class_names)
        self._threshold = threshold
        self._stored_scale = stored_scale
        self._images: list[ScoredImage] = []
        self._losses: list[Tensor] = []
        self._probes: list[InstanceProbe] = []

    def update(self, model: nn.Module, batch: InstanceBatch) -> None:
        """Find the objects of a batch, and keep the first images for the picture."""
        scored: Scored = model(network_images(batch), targets(batch))
        self._losses.append(torch.stack(list(scored.losses.values())).sum(dim=0).double().cpu())
        for index, detection in enumerate(scored.detections):
            image = self._scored_image(batch, index, detection)
            self._images.append(image)
            if len(self._probes) < PROBES:
                self._probes.append(InstanceProbe(_shown(batch.images[index]), image))

    def compute(self) -> dict[str, float]:
        """Return loss, and AP and AR by COCO's rule; what is undefined is left out."""
        if not self._images:
            raise ValueError("a split must hold an image to be scored, got none; check data.limit")
        metrics: dict[str, float | None] = {"loss": float(torch.cat(self._losses).mean())}
        slugs = instance_slugs(self._class_names)
        for name, kind in OBJECT_KINDS.items():
            scores = coco_scores(self._images, len(self._class_names), kind)
            metrics |= {f"{name}_{part}": value for part, value in scores.summary.items()}
            by_class = zip(slugs, scores.class_ap, strict=True)
            metrics |= {f"{name}_ap_{slug}": value for slug, value in by_class}
        return {name: value for name, value in metrics.items() if value is not None}

    def save(self, folder: Path, split: str) -> dict[str, str]:
        """Write truth and detections in COCO's format, and a picture of the first images."""
        files = {f"predictions_{split}": f"predictions_{split}.json.gz"}
        file = folder / files[f"predictions_{split}"]
        save_scored_images(file, self._images, class_names=self._class_names, kind="segm")
        if split == "val":
            files["predictions_strip"] = "predictions_strip.png"
            save_instance_strip(folder / files["predictions_strip"], self._probes)
        return files

    def _scored_image(self, batch: InstanceBatch, index: int, detection: Detection) -> ScoredImage:
        down, across = self._stored_scale(batch.stored_hw[index])
        ignored = batch.is_crowd[index] | batch.is_difficult[index]
        return ScoredImage(
            image_id=batch.image_ids[index],
            size_hw=(batch.images[index].shape[-2], batch.images[index].shape[-1]),
            pixel_area=down * across,
            truth=_objects(batch.labels[index], batch.boxes_xyxy[index], masks=batch.masks[index]),
            truth_areas=_doubles(batch.areas[index]) * down * across,
            is_ignored=ignored.cpu().numpy(),
            found=_objects(
                detection["labels"] - 1,
                detection["boxes"],
                masks=detection["masks"][:, 0] >= self._threshold,
            ),
            scores=_doubles(detection["scores"]),
        )


def _objects(labels: Tensor, boxes_xyxy: Tensor, *, masks: Tensor) -> Objects:
    return Objects(labels.cpu().numpy(), _doubles(boxes_xyxy), encoded(masks.cpu().numpy()))


def _doubles(values: Tensor) -> np.ndarray[tuple[int, ...], np.dtype[np.float64]]:
    return values.detach().double().cpu().numpy()


def _shown(image: Tensor) -> np.ndarray[tuple[int, ...], np.dtype[np.uint8]]:
    """Return (h, w, 3) uint8; a normalised picture from its darkest value to its brightest."""
    if image.is_floating_point():
        low, high = image.aminmax()
        image = ((image - low) / (high - low).clamp_min(1e-6) * 255).to(torch.uint8)
    return np.ascontiguousarray(image.permute(1, 2, 0).cpu().numpy())
