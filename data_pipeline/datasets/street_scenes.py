"""Street scenes that are drawn, written to disk as COCO, and read by the COCO reader.

    cache/street_scenes-<hash>/annotations/instances_{train,val,test}.json
    cache/street_scenes-<hash>/{train,val,test}/000001.jpg          cache/…/complete

The folder's name is a hash of the drawing's version, seed, count and size, so other settings
get another folder. It is drawn under another name and renamed when whole; two processes that
draw at once write the same bytes, and the second one's are thrown away.
"""

import json
import tempfile
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray
from pycocotools import mask as run_lengths  # type: ignore[import-untyped]

from data_pipeline.cache import cache_folder
from data_pipeline.datasets import coco
from data_pipeline.datasets.dataset import Dataset
from data_pipeline.datasets.labels import BACKGROUND, chosen_classes, class_problems
from data_pipeline.datasets.settings import CocoData, StreetScenesData
from data_pipeline.errors import InvalidDataError
from data_pipeline.integrity import hash_of
from data_pipeline.scenes.composition import CLASS_NAMES, VERSION, Scene, draw_scene
from data_pipeline.settings import Split
from data_pipeline.splits import SplitName, cut

COCO_IDS: Mapping[str, int] = MappingProxyType(
    {"person": 1, "car": 3, "bus": 6, "traffic light": 10, "stop sign": 13}
)
JPEG_QUALITY = 92
MARKER = "complete"  # written last


def check(settings: StreetScenesData) -> list[str]:
    """Return a sentence for every class that is not drawn; the pictures are drawn at first use."""
    return class_problems(settings, CLASS_NAMES)


def class_names(settings: StreetScenesData) -> tuple[str, ...]:  # noqa: ARG001
    """Return the classes that are drawn, in the order of COCO."""
    return CLASS_NAMES


def label_names(settings: StreetScenesData, task: str) -> tuple[str, ...]:  # noqa: ARG001
    """Return background and the chosen classes, in label order."""
    return (BACKGROUND, *chosen_classes(settings, CLASS_NAMES))


def fingerprint(settings: StreetScenesData) -> str:
    """Hash what decides the pixels, drawn or not yet."""
    return hash_of(
        f"{name} {value}"
        for name, value in (
            ("version", VERSION),
            ("seed", settings.scene_seed),
            ("images", settings.images),
            ("width", settings.picture_width),
            ("height", settings.picture_height),
            ("quality", JPEG_QUALITY),
        )
    )


def build(settings: StreetScenesData, task: str, split: SplitName) -> Dataset | None:
    """List a split's images, drawing them all if no one has yet."""
    fields = settings.model_dump(include={"classes", "image_size", "limit", "augment"})
    drawn = CocoData(
        root=drawn_scenes(settings),
        annotations="instances_{split}.json",
        images="{split}",
        **fields,
    )
    return coco.build(drawn, task, split)


def drawn_scenes(settings: StreetScenesData) -> Path:
    """Return the folder of the scenes; the first call draws them, some dozens per second.

    Raises:
        InvalidDataError: A folder of this name exists and is not whole.
    """
    parent = settings.cache or cache_folder()
    folder = parent / f"street_scenes-{fingerprint(settings)[:16]}"
    if (folder / MARKER).is_file():
        return folder
    parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=".street_scenes-", dir=parent) as temporary:
        unfinished = Path(temporary) / "scenes"
        write_scenes(unfinished, settings)
        try:
            unfinished.rename(folder)
        except OSError as error:
            if not (folder / MARKER).is_file():  # else another process was first
                raise InvalidDataError(
                    f"folder {folder} must hold whole street scenes, but has no file "
                    f"'{MARKER}'; delete the folder, and it is drawn again"
                ) from error
    return folder


def write_scenes(root: Path, settings: StreetScenesData) -> None:
    """Draw all scenes into a folder in the layout of COCO; the same settings, the same bytes."""
    numbers = {f"{number:06d}": number for number in range(1, settings.images + 1)}
    for split, ids in cut(numbers, Split()).items():
        (root / split).mkdir(parents=True)
        images: list[dict[str, Any]] = []
        annotations: list[dict[str, Any]] = []
        for image_id in sorted(ids):
            number = numbers[image_id]
            scene = draw_scene(
                settings.scene_seed,
                number,
                width=settings.picture_width,
                height=settings.picture_height,
            )
            file_name = f"{image_id}.jpg"
            (root / split / file_name).write_bytes(_jpeg(scene.image))
            height, width = scene.image.shape[:2]
            images.append({"id": number, "file_name": file_name, "height": height, "width": width})
            annotations += _annotations(scene, number, first_id=len(annotations) + 1)
        _write_annotations(root, split, {"images": images, "annotations": annotations})
    (root / MARKER).write_text(f"version {VERSION}\n")


def _write_annotations(root: Path, split: SplitName, content: Mapping[str, Any]) -> None:
    file = root / "annotations" / f"instances_{split}.json"
    file.parent.mkdir(exist_ok=True)
    info = {"description": "Street scenes drawn by visionstudy", "version": str(VERSION)}
    categories = [{"id": number, "name": name} for name, number in COCO_IDS.items()]
    file.write_text(json.dumps({"info": info, **content, "categories": categories}))


def _annotations(scene: Scene, image_id: int, *, first_id: int) -> list[dict[str, Any]]:
    """Describe the visible part of every object; run lengths, for polygons have no holes."""
    described = []
    for annotation_id, thing in enumerate(scene.objects, start=first_id):
        runs = run_lengths.encode(np.asfortranarray(thing.mask, dtype=np.uint8))
        described.append(
            {
                "id": annotation_id,
                "image_id": image_id,
                "category_id": COCO_IDS[thing.class_name],
                "segmentation": {"size": runs["size"], "counts": runs["counts"].decode()},
                "area": int(run_lengths.area(runs)),
                "bbox": [float(value) for value in run_lengths.toBbox(runs)],  # x, y, w, h
                "iscrowd": int(thing.is_crowd),
            }
        )
    return described


def _jpeg(image: NDArray[np.uint8]) -> bytes:
    quality = [cv2.IMWRITE_JPEG_QUALITY, JPEG_QUALITY]
    _, encoded = cv2.imencode(".jpg", cv2.cvtColor(image, cv2.COLOR_RGB2BGR), quality)
    return encoded.tobytes()
