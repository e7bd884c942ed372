"""A split's objects and detections as one JSON file in COCO's format, compressed.

Boxes and run lengths are in pixels of the network's input, areas in stored square pixels, as
they are scored. "images", "categories" and "annotations" are the truth; "detections" are COCO
results, which pycocotools reads as they are. "image_ids" names the images, from number 1 on.
"""

import gzip
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from models.checkpoints import write_atomically
from models.metrics.coco_ap import (
    RULE,
    Kind,
    ScoredImage,
    found_annotations,
    truth_annotations,
)

FORMAT = 1
SCORE_DIGITS, PIXEL_DIGITS = 6, 3  # decimals kept


def save_scored_images(
    file: Path, images: Sequence[ScoredImage], *, class_names: Sequence[str], kind: Kind
) -> None:
    """Write the file, whole or not at all; the same objects give the same bytes.

    Args:
        file: Where to, `.json.gz`.
        images: Of a split.
        class_names: In label order.
        kind: What the areas of detections are of: "segm" their masks, "bbox" their boxes.
    """
    content = {
        "format": FORMAT,
        "rule": RULE,
        "image_ids": [image.image_id for image in images],
        "images": [
            {"id": number, "height": image.size_hw[0], "width": image.size_hw[1]}
            for number, image in enumerate(images, start=1)
        ],
        "categories": [{"id": label, "name": name} for label, name in enumerate(class_names)],
        "annotations": [_plain(each) for each in truth_annotations(images)],
        "detections": [_plain(each) for each in found_annotations(images, kind)],
    }
    text = json.dumps(content, separators=(",", ":"))
    write_atomically(file, lambda stream: stream.write(gzip.compress(text.encode(), mtime=0)))


def _plain(annotation: dict[str, Any]) -> dict[str, Any]:
    """Return what JSON can hold."""
    plain = dict(annotation)
    plain["bbox"] = [round(value, PIXEL_DIGITS) for value in annotation["bbox"]]
    plain["area"] = round(annotation["area"], PIXEL_DIGITS)
    if "score" in plain:
        plain["score"] = round(annotation["score"], SCORE_DIGITS)
    if "segmentation" in plain:
        rle = annotation["segmentation"]
        plain["segmentation"] = {"size": rle["size"], "counts": rle["counts"].decode("ascii")}
    return plain
