"""From boxes and their scores to detections: the best ones, without those that double others."""

from collections.abc import Iterable
from typing import NamedTuple

import torch
from torch import Tensor
from torchvision.ops import (  # type: ignore[import-untyped]
    batched_nms,
    clip_boxes_to_image,
    remove_small_boxes,
)

from models.detection.outputs import Detection

LEAST_SIDE = 1e-2  # pixels of a box inside the image, as torchvision has it for regions


class Candidates(NamedTuple):
    """Boxes that may become detections."""

    boxes: Tensor  # (n, 4) xyxy, pixels
    labels: Tensor  # (n,) int64 from 1
    scores: Tensor  # (n,) in [0, 1]


def best_of_all(boxes: Tensor, scores: Tensor, *, count: int, above: float) -> Candidates:
    """Return the best pairs of a box and a class.

    Args:
        boxes: (n, 4) xyxy, pixels.
        scores: (n, classes).
        count: Most of them.
        above: What a score must exceed.
    """
    flat = scores.flatten()
    values, places = flat.topk(min(count, len(flat)))
    is_good = values > above
    values, places = values[is_good], places[is_good]
    classes = scores.shape[1]
    return Candidates(boxes[places // classes], places % classes + 1, values)


def best_of_each_class(boxes: Tensor, scores: Tensor, *, count: int, above: float) -> Candidates:
    """Return the best boxes of each class.

    Args:
        boxes: (n, 4) xyxy, pixels.
        scores: (n, classes).
        count: Most of a class.
        above: What a score must exceed.
    """
    values, places = scores.topk(min(count, len(scores)), dim=0)  # (count, classes) both
    labels = torch.arange(1, scores.shape[1] + 1, device=scores.device).expand_as(places)
    is_good = values > above
    return Candidates(boxes[places[is_good]], labels[is_good], values[is_good])


def joined(groups: Iterable[Candidates]) -> Candidates:
    """Return the candidates of several groups, at least one, as one."""
    return Candidates(*(torch.cat(each) for each in zip(*groups, strict=True)))


def suppressed(
    candidates: Candidates, size_hw: tuple[int, int], *, nms: float, detections: int
) -> Detection:
    """Return the best of an image's candidates that overlap no better one of their class.

    Args:
        candidates: Of the image.
        size_hw: Of the image, pixels; boxes are cut to it.
        nms: IoU above which the lower of two goes.
        detections: Most that are left.
    """
    boxes = clip_boxes_to_image(candidates.boxes, size_hw)
    has_area = remove_small_boxes(boxes, LEAST_SIDE)
    boxes = boxes[has_area]
    labels, scores = candidates.labels[has_area], candidates.scores[has_area]
    kept = batched_nms(boxes, scores, labels, nms)[:detections]
    return {"boxes": boxes[kept], "labels": labels[kept], "scores": scores[kept]}
