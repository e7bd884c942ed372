"""Objects of pictures without labels: boxes, classes, scores and, of some networks, masks."""

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from models.detection.outputs import Detection
from models.predictions import FoundMask, FoundObjects
from models.settings import TrainingSettings
from models.tasks.segmentation import scaled


class ObjectPredictor:
    """Detections as the network returns them; labels count from 0 as in the study."""

    def __call__(self, network: nn.Module, images: Sequence[Tensor]) -> list[FoundObjects]:
        """Return the objects of every image."""
        detections: list[Detection] = network([scaled(image) for image in images])
        return [_found(*pair) for pair in zip(images, detections, strict=True)]


def build_predictor(
    training: TrainingSettings,  # noqa: ARG001  # every task's predictor is built alike
    class_names: Sequence[str],  # noqa: ARG001
) -> ObjectPredictor:
    """Build the predictor."""
    return ObjectPredictor()


def _found(image: Tensor, detection: Detection) -> FoundObjects:
    masks = detection.get("masks")
    return FoundObjects(
        input_hw=(image.shape[-2], image.shape[-1]),
        boxes_xyxy=detection["boxes"].float().cpu(),
        labels=detection["labels"].cpu() - 1,
        scores=detection["scores"].float().cpu(),
        masks=None if masks is None else tuple(_cut(mask) for mask in masks[:, 0]),
    )


def _cut(mask: Tensor) -> FoundMask:
    """Cut an (h, w) mask to what is above 0, and copy it: whole ones would not fit memory."""
    rows, columns = torch.nonzero(mask.any(dim=1)), torch.nonzero(mask.any(dim=0))
    if not len(rows):
        return FoundMask(0, 0, torch.zeros(0, 0))
    top, bottom = int(rows[0]), int(rows[-1]) + 1
    left, right = int(columns[0]), int(columns[-1]) + 1
    part = mask[top:bottom, left:right].float().cpu()
    return FoundMask(top, left, part.clone())
