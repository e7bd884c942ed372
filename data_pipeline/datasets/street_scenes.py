"""Street scenes that are drawn, written to disk in a public layout, and read by its reader.

    cache/street_scenes-<hash>/annotations/instances_{train,val,test}.json
    cache/street_scenes-<hash>/{train,val,test}/000001.jpg          cache/…/complete

So it is for the layout of COCO. The folder's name is a hash of the drawing's version, seed,
count, size and layout, so other settings get another folder. It is drawn under another name and
renamed when whole; two processes that draw at once write the same bytes, and the second one's are
thrown away.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from data_pipeline.cache import cache_folder
from data_pipeline.datasets import coco, open_images, voc
from data_pipeline.datasets.dataset import Dataset
from data_pipeline.datasets.drawn_folder import drawn_folder
from data_pipeline.datasets.labels import class_problems, task_labels
from data_pipeline.datasets.settings.boxes import BoxData, CocoData, OpenImagesData, VocData
from data_pipeline.datasets.settings.generated import StreetScenesData
from data_pipeline.errors import UnsupportedTaskError
from data_pipeline.hashing import hash_of
from data_pipeline.scenes import as_coco, as_open_images, as_voc
from data_pipeline.scenes.composition import CLASS_NAMES, VERSION, draw_scene
from data_pipeline.scenes.description import DescribedScene, described
from data_pipeline.settings import Split
from data_pipeline.splitting.splits import SplitName, random_cut

JPEG_QUALITY = 92
DETECTION = "object_detection"


@dataclass(frozen=True, slots=True)
class Layout:
    """How scenes lie on disk; the root exists and pictures are there when it is called."""

    pictures_folder: Callable[[SplitName], str]
    write_annotations: Callable[[Path, SplitName, Iterable[DescribedScene]], None]


LAYOUTS: Mapping[str, Layout] = MappingProxyType(
    {
        "coco": Layout(as_coco.pictures_folder, as_coco.write_annotations),
        "open_images": Layout(as_open_images.pictures_folder, as_open_images.write_annotations),
        "voc": Layout(as_voc.pictures_folder, as_voc.write_annotations),
    }
)


def check(settings: StreetScenesData) -> list[str]:
    """Return a sentence for every class that is not drawn; the pictures are drawn at first use."""
    return class_problems(settings, CLASS_NAMES)


def class_names(settings: StreetScenesData) -> tuple[str, ...]:  # noqa: ARG001
    """Return the classes that are drawn, in the order of COCO."""
    return CLASS_NAMES


def label_names(settings: StreetScenesData, task: str) -> tuple[str, ...]:
    """Return the chosen classes in label order, in a label map after background.

    Raises:
        DataError: The layout has no labels for the task, or a chosen class is unknown.
    """
    if settings.layout != "coco" and task != DETECTION:
        raise UnsupportedTaskError(
            f"street scenes in layout '{settings.layout}' have boxes alone, for {DETECTION}; task "
            f"'{task}' needs outlines: choose data.layout: coco"
        )
    return task_labels(settings, task, CLASS_NAMES)


def fingerprint(settings: StreetScenesData) -> str:
    """Hash what decides the pixels and boxes, drawn or not yet."""
    facts: list[tuple[str, object]] = [
        ("version", VERSION),
        ("seed", settings.scene_seed),
        ("images", settings.images),
        ("width", settings.picture_width),
        ("height", settings.picture_height),
        ("quality", JPEG_QUALITY),
    ]
    if settings.layout != "coco":
        facts.append(("layout", settings.layout))
    return hash_of(f"{name} {value}" for name, value in facts)


def build(settings: StreetScenesData, task: str, split: SplitName) -> Dataset | None:
    """List a split's images, drawing them all if no one has yet.

    Raises:
        DataError: The layout has no labels for the task, or a chosen class is unknown.
    """
    chosen = label_names(settings, DETECTION)
    label_names(settings, task)
    shared = settings.model_dump(include=BoxData.model_fields.keys() - {"dataset", "root"})
    fields: dict[str, Any] = {**shared, "root": drawn_scenes(settings), "classes": list(chosen)}
    match settings.layout:
        case "open_images":
            return open_images.build(OpenImagesData(**fields), task, split)
        case "voc":
            # few scenes may lack a class, which then is in no annotation
            return voc.build(VocData(**fields, all_classes=list(CLASS_NAMES)), task, split)
    names = {"annotations": "instances_{split}.json", "images": "{split}"}
    return coco.build(CocoData(**fields, **names), task, split)


def drawn_scenes(settings: StreetScenesData) -> Path:
    """Return the folder of the scenes; the first call draws them, some dozens per second.

    Raises:
        InvalidDataError: A folder of this name exists and is not whole.
    """
    parent = settings.drawn_in or cache_folder()
    folder = parent / f"street_scenes-{fingerprint(settings)[:16]}"
    return drawn_folder(folder, lambda empty: write_scenes(empty, settings))


def write_scenes(root: Path, settings: StreetScenesData) -> None:
    """Draw all scenes into a folder in their layout; the same settings, the same bytes."""
    layout = LAYOUTS[settings.layout]
    numbers = {f"{number:06d}": number for number in range(1, settings.images + 1)}
    for split, ids in random_cut(numbers, Split()).items():
        pictures = root / layout.pictures_folder(split)
        pictures.mkdir(parents=True, exist_ok=True)
        scenes = [
            _written_scene(pictures, settings, numbers[image_id]) for image_id in sorted(ids)
        ]
        layout.write_annotations(root, split, scenes)


def _written_scene(pictures: Path, settings: StreetScenesData, number: int) -> DescribedScene:
    """Draw a scene, write its picture, and keep what is to be annotated."""
    scene = draw_scene(
        settings.scene_seed,
        number,
        width=settings.picture_width,
        height=settings.picture_height,
    )
    description = described(scene, number)
    (pictures / description.file_name).write_bytes(_jpeg(scene.image))
    return description


def _jpeg(image: NDArray[np.uint8]) -> bytes:
    quality = [cv2.IMWRITE_JPEG_QUALITY, JPEG_QUALITY]
    _, encoded = cv2.imencode(".jpg", cv2.cvtColor(image, cv2.COLOR_RGB2BGR), quality)
    return encoded.tobytes()
