"""Street scenes in the layout of COCO: boxes, outlines and crowds."""

import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any

from data_pipeline.scenes.composition import VERSION
from data_pipeline.scenes.description import DescribedScene
from data_pipeline.splitting.splits import SplitName

COCO_IDS: Mapping[str, int] = MappingProxyType(
    {"person": 1, "car": 3, "bus": 6, "traffic light": 10, "stop sign": 13}
)


def pictures_folder(split: SplitName) -> str:
    """Return where a split's pictures belong, relative to the root."""
    return split


def write_annotations(root: Path, split: SplitName, scenes: Iterable[DescribedScene]) -> None:
    """Write annotations/instances_<split>.json."""
    images: list[dict[str, Any]] = []
    annotations: list[dict[str, Any]] = []
    for scene in scenes:
        height, width = scene.size_hw
        images.append(
            {
                "id": scene.number,
                "file_name": scene.file_name,
                "height": height,
                "width": width,
            }
        )
        annotations += _annotations(scene, first_id=len(annotations) + 1)
    content = {
        "info": {"description": "Street scenes drawn by visionstudy", "version": str(VERSION)},
        "images": images,
        "annotations": annotations,
        "categories": [{"id": number, "name": name} for name, number in COCO_IDS.items()],
    }
    file = root / "annotations" / f"instances_{split}.json"
    file.parent.mkdir(exist_ok=True)
    file.write_text(json.dumps(content))


def _annotations(scene: DescribedScene, *, first_id: int) -> list[dict[str, Any]]:
    annotations = []
    for annotation_id, thing in enumerate(scene.objects, start=first_id):
        x1, y1, x2, y2 = (float(value) for value in thing.box_xyxy)
        annotations.append(
            {
                "id": annotation_id,
                "image_id": scene.number,
                "category_id": COCO_IDS[thing.class_name],
                "segmentation": {"size": list(scene.size_hw), "counts": thing.runs},
                "area": thing.area,
                "bbox": [x1, y1, x2 - x1, y2 - y1],
                "iscrowd": int(thing.is_crowd),
            }
        )
    return annotations
