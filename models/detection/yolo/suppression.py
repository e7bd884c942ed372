"""From boxes and the scores of all their classes to detections."""

from torch import Tensor

from models.detection.one_stage_settings import DetectionLimits
from models.detection.outputs import Detection
from models.detection.suppression import best_of_all, suppressed


def best_boxes(
    boxes: Tensor, scores: Tensor, size_hw: tuple[int, int], *, limits: DetectionLimits
) -> Detection:
    """Keep the best boxes of an image, each class by itself.

    Args:
        boxes: (n, 4) xyxy, pixels.
        scores: (n, classes).
        size_hw: Of the image, pixels; boxes are cut to it.
        limits: Of what is detected.
    """
    candidates = best_of_all(boxes, scores, count=limits.candidates, above=limits.score_threshold)
    return suppressed(candidates, size_hw, nms=limits.nms, detections=limits.detections)
