"""What is kept of a split's boxes beside the boxes themselves.

    detection_curves_<split>     precision against recall of each class, and AP50
    detection_confusion_<split>  which class was taken for which, background included
    detection_errors_<split>     what kinds of errors cost how much AP50
    detection_decisions_<split>  precision, recall and F1 of each class at the trial's threshold
    probe_detections             val only: the first images, what is in them and what was found
    detection_speed              val only: seconds that the network takes for an image

All are JSON, and appear whole or not at all.
"""

import base64
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from models.checkpoints import write_atomically
from models.metrics.coco_files import PIXEL_DIGITS
from models.metrics.detection_confusion import detection_confusion
from models.metrics.detection_decisions import detection_decisions
from models.metrics.detection_errors import detection_errors
from models.metrics.pr_curves import pr_curves
from models.metrics.scored_split import ScoredSplit
from models.tasks.object_probes import ObjectProbe
from models.tasks.strips import ByteArray

LONGEST_SIDE = 480  # pixels of a probe's picture
JPEG_QUALITY = 88
MOST_BOXES = 100  # detections of a probe that are kept, the highest scores
SCORE_DIGITS = 4  # decimals kept of a probe's scores


def save_analysis(
    folder: Path, split: str, scored: ScoredSplit, *, threshold: float
) -> dict[str, str]:
    """Write what a split's boxes come to.

    Args:
        folder: Of the attempt; exists.
        split: "val" or "test".
        scored: The split.
        threshold: Least score of a detection that is decided on.

    Returns:
        Role -> name inside the folder.
    """
    images, names = scored.images, scored.class_names
    count = len(names)
    contents = {
        "curves": pr_curves(images, count).to_json(names),
        "confusion": detection_confusion(images, count, threshold=threshold).to_json(names),
        "errors": detection_errors(images, count).to_json(),
        "decisions": detection_decisions(images, count, threshold=threshold).to_json(names),
    }
    files = {f"detection_{what}_{split}": f"detection_{what}_{split}.json" for what in contents}
    for name, content in zip(files.values(), contents.values(), strict=True):
        write_json(folder / name, content)
    return files


def save_probes(
    file: Path, probes: Sequence[ObjectProbe], *, class_names: Sequence[str], threshold: float
) -> None:
    """Write pictures with their true and found boxes, so that detectors can be compared by eye.

    Boxes are xyxy, in pixels of the network's input, whose size is said; pictures are JPEGs,
    perhaps smaller.
    """
    content = {
        "class_names": list(class_names),
        "threshold": threshold,
        "images": [_probe(probe) for probe in probes],
    }
    write_json(file, content)


def write_json(file: Path, content: Mapping[str, Any]) -> None:
    """Write JSON without white space."""
    text = json.dumps(content, allow_nan=False, separators=(",", ":"))
    write_atomically(file, lambda stream: stream.write(text.encode()))


def _probe(probe: ObjectProbe) -> dict[str, Any]:
    scored = probe.objects
    kept = np.argsort(-scored.scores, kind="stable")[:MOST_BOXES]
    return {
        "image_id": scored.image_id,
        "height": scored.size_hw[0],
        "width": scored.size_hw[1],
        "jpeg": base64.b64encode(_jpeg(probe.pixels)).decode("ascii"),
        "truth": {
            "boxes_xyxy": scored.truth.boxes_xyxy.tolist(),
            "labels": scored.truth.labels.tolist(),
            "is_ignored": scored.is_ignored.tolist(),
        },
        "found": {
            "boxes_xyxy": scored.found.boxes_xyxy[kept].round(PIXEL_DIGITS).tolist(),
            "labels": scored.found.labels[kept].tolist(),
            "scores": scored.scores[kept].round(SCORE_DIGITS).tolist(),
        },
    }


def _jpeg(pixels: ByteArray) -> bytes:
    scale = min(1.0, LONGEST_SIDE / max(pixels.shape[:2]))
    if scale < 1:
        height, width = (max(1, round(side * scale)) for side in pixels.shape[:2])
        pixels = cv2.resize(pixels, (width, height), interpolation=cv2.INTER_AREA).astype(np.uint8)
    written, content = cv2.imencode(
        ".jpg", pixels[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, JPEG_QUALITY]
    )
    if not written:
        raise OSError(f"OpenCV could not encode a picture of shape {pixels.shape} as JPEG")
    return content.tobytes()
