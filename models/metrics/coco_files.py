"""A split's objects and detections as one JSON file in COCO's format, compressed.

Boxes and run lengths are in pixels of the network's input, areas in stored square pixels, as
they are scored. "images", "categories" and "annotations" are the truth; "detections" are COCO
results, which pycocotools reads as they are. "image_ids" names the images, from number 1 on, and
"metrics" is what was measured of them.
"""

import gzip
import json
import zlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from models.checkpoints import write_atomically
from models.metrics.coco_ap import (
    RULE,
    Kind,
    found_annotations,
    truth_annotations,
)
from models.metrics.scored_images import Objects, ScoredImage
from models.metrics.scored_split import ScoredSplit

FORMAT = 2
PIXEL_DIGITS = 3  # decimals kept
SCORE_DIGITS = 9  # significant ones, which tell all float32 apart


@dataclass(frozen=True, slots=True)
class SavedBoxes:
    """What `load_scored_boxes` reads."""

    class_names: tuple[str, ...]  # in label order
    images: tuple[ScoredImage, ...]  # without masks
    metrics: Mapping[str, float]  # of these, as they were scored


def save_scored_split(
    file: Path, split: ScoredSplit, *, kind: Kind, metrics: Mapping[str, float]
) -> None:
    """Write the file, whole or not at all; the same objects give the same bytes.

    Args:
        file: Where to, `.json.gz`.
        split: What was scored.
        kind: What the areas of detections are of: "segm" their masks, "bbox" their boxes.
        metrics: Of the split.
    """
    images = split.images
    content = {
        "format": FORMAT,
        "rule": RULE,
        "image_ids": [image.image_id for image in images],
        "images": [
            {
                "id": number,
                "height": image.size_hw[0],
                "width": image.size_hw[1],
                "pixel_area": image.pixel_area,
            }
            for number, image in enumerate(images, start=1)
        ],
        "categories": [
            {"id": label, "name": name} for label, name in enumerate(split.class_names)
        ],
        "annotations": [_plain(each) for each in truth_annotations(images)],
        "detections": [_plain(each) for each in found_annotations(images, kind)],
        "metrics": dict(metrics),
    }
    text = json.dumps(content, separators=(",", ":"))
    write_atomically(file, lambda stream: stream.write(gzip.compress(text.encode(), mtime=0)))


def load_scored_boxes(file: Path) -> SavedBoxes:
    """Read the boxes of a file: what was kept to a thousandth of a pixel comes back as it was.

    Raises:
        FileNotFoundError: There is none.
        OSError: It is no gzip file.
        ValueError: It is cut off, no JSON, or of another format.
        KeyError: It holds something else.
    """
    try:
        content = json.loads(gzip.decompress(file.read_bytes()))
    except (EOFError, zlib.error) as error:
        raise ValueError(f"{file.name} must be a whole gzip file, but is damaged") from error
    if content["format"] != FORMAT:
        raise ValueError(
            f"{file.name} must be of format {FORMAT}, got {content['format']}; train the cell "
            "again, or use the version that wrote it"
        )
    truth = _by_image(content["annotations"])
    found = _by_image(content["detections"])
    images = [
        ScoredImage(
            image_id=name,
            size_hw=(entry["height"], entry["width"]),
            pixel_area=entry["pixel_area"],
            truth=_objects(own := truth.get(entry["id"], [])),
            truth_areas=_numbers(own, "area"),
            is_ignored=_numbers(own, "iscrowd").astype(np.bool_),
            found=_objects(detections := found.get(entry["id"], [])),
            scores=_numbers(detections, "score").astype(np.float32).astype(np.float64),
        )
        for name, entry in zip(content["image_ids"], content["images"], strict=True)
    ]
    names = tuple(str(each["name"]) for each in content["categories"])
    return SavedBoxes(names, tuple(images), content["metrics"])


def _by_image(annotations: Iterable[dict[str, Any]]) -> dict[int, list[dict[str, Any]]]:
    found: dict[int, list[dict[str, Any]]] = {}
    for each in annotations:
        found.setdefault(each["image_id"], []).append(each)
    return found


def _objects(annotations: list[dict[str, Any]]) -> Objects:
    labels = np.array([each["category_id"] for each in annotations], np.int64)
    boxes = np.array([each["bbox"] for each in annotations], np.float64).reshape(-1, 4)
    corners = np.round(boxes[:, :2] + boxes[:, 2:], PIXEL_DIGITS)
    return Objects(labels, np.hstack([boxes[:, :2], corners]), None)


def _numbers(annotations: list[dict[str, Any]], key: str) -> NDArray[np.float64]:
    return np.array([each[key] for each in annotations], np.float64)


def _plain(annotation: dict[str, Any]) -> dict[str, Any]:
    """Return what JSON can hold."""
    plain = dict(annotation)
    plain["bbox"] = [round(value, PIXEL_DIGITS) for value in annotation["bbox"]]
    plain["area"] = round(annotation["area"], PIXEL_DIGITS)
    if "score" in plain:
        plain["score"] = float(f"{annotation['score']:.{SCORE_DIGITS}g}")
    if "segmentation" in plain:
        rle = annotation["segmentation"]
        plain["segmentation"] = {"size": rle["size"], "counts": rle["counts"].decode("ascii")}
    return plain
