"""COCO: instance annotations in JSON, one folder of pictures per split.

    root/annotations/instances_train2017.json   root/train2017/*.jpg   (and val, and test)

An image belongs to the dataset if it has an object, not only a crowd, of a chosen class. In its
label map the chosen classes are 1, 2, … in the study's order and all else is background, 0;
where objects overlap the smaller one is on top; crowds of a chosen class are `IGNORE` wherever
no object is. Lin et al. 2014, and pycocotools' reading of polygons.
"""

import json
import warnings
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pycocotools import mask as run_lengths  # type: ignore[import-untyped]

from data_pipeline.datasets.dataset import Dataset
from data_pipeline.datasets.labels import BACKGROUND, chosen_classes, class_problems
from data_pipeline.datasets.settings import CocoData
from data_pipeline.errors import DataError, InvalidDataError, MissingDataError
from data_pipeline.images import read_image
from data_pipeline.integrity import file_sha256, hash_of
from data_pipeline.samples import IGNORE, SegmentationSample
from data_pipeline.splits import SPLITS, SplitName

TAIL_BYTES = 1024**2  # the official files end with their categories, a few kB


@dataclass(frozen=True, slots=True)
class Region:
    """An annotation of a chosen class."""

    annotation_id: int
    label: int  # 1, 2, …
    area: float  # square pixels
    is_crowd: bool
    segmentation: Any  # polygons [[x, y, x, y, …], …], or run lengths {"counts", "size"}


@dataclass(frozen=True, slots=True)
class CocoImage:
    """An image and the annotations of the chosen classes."""

    image_id: str
    file: Path
    size_hw: tuple[int, int]  # as annotated, pixels
    regions: tuple[Region, ...]

    def read(self) -> SegmentationSample:
        """Decode the picture and draw its label map.

        Raises:
            DataError: The picture is missing, damaged or not of the annotated size.
        """
        image = read_image(self.file)
        if image.shape[:2] != self.size_hw:
            raise InvalidDataError(
                f"image {self.file} must have the annotated height and width {self.size_hw}, "
                f"got {image.shape[:2]}; restore the original file"
            )
        return SegmentationSample(self.image_id, image, label_map(self.regions, self.size_hw))


def label_map(regions: Iterable[Region], size_hw: tuple[int, int]) -> NDArray[np.uint8]:
    """Draw regions over each other: crowds below all, then large before small.

    Returns:
        (h, w) label; 0 background, IGNORE crowd.
    """
    labels = np.zeros(size_hw, dtype=np.uint8)
    for region in sorted(regions, key=_drawing_order):
        labels[_pixels(region, size_hw)] = IGNORE if region.is_crowd else region.label
    return labels


def _drawing_order(region: Region) -> tuple[bool, float, int]:
    return not region.is_crowd, -region.area, region.annotation_id


def _pixels(region: Region, size_hw: tuple[int, int]) -> NDArray[np.bool_]:
    outline = region.segmentation
    if isinstance(outline, list):
        parts = run_lengths.frPyObjects(outline, *size_hw) if outline else []
        outline = run_lengths.merge(parts)
    elif isinstance(outline["counts"], list):
        outline = run_lengths.frPyObjects(outline, *size_hw)
    if tuple(outline["size"]) != size_hw:  # an annotation without any polygon has size (0, 0)
        return np.zeros(size_hw, dtype=np.bool_)
    with warnings.catch_warnings():
        # pycocotools 2.0.11 hands NumPy 2 an array it warns of; remove when a release does not
        warnings.filterwarnings("ignore", "__array__ implementation", DeprecationWarning)
        return np.asarray(run_lengths.decode(outline), dtype=np.bool_)


def annotations_file(settings: CocoData, split: SplitName) -> Path:
    """Return where a split's annotations lie, or would lie."""
    return settings.root / "annotations" / _filled(settings.annotations, settings, split)


def images_folder(settings: CocoData, split: SplitName) -> Path:
    """Return where a split's pictures lie, or would lie."""
    return settings.root / _filled(settings.images, settings, split)


def _filled(pattern: str, settings: CocoData, split: SplitName) -> str:
    return pattern.replace("{split}", split).replace("{year}", str(settings.year))


def _present(settings: CocoData) -> list[SplitName]:
    return [split for split in SPLITS if annotations_file(settings, split).is_file()]


def check(settings: CocoData) -> list[str]:
    """Return a sentence for everything that is missing; reads no annotation."""
    if not settings.root.is_dir():
        return [
            f"data.root {settings.root} must be a folder that holds 'annotations' and the "
            "pictures' folders, got no folder; correct data.root or download the dataset"
        ]
    problems = [
        f"annotations file {annotations_file(settings, split)} does not exist; "
        "restore it or correct data.annotations and data.year"
        for split in ("train", "val")
        if split not in _present(settings) and settings.split.policy == "given"
    ]
    if not _present(settings):
        return problems or [
            f"no annotations file like {annotations_file(settings, 'train')} exists; "
            "correct data.annotations and data.year"
        ]
    problems += [
        f"images folder {images_folder(settings, split)} does not exist; "
        "restore it or correct data.images"
        for split in _present(settings)
        if not images_folder(settings, split).is_dir()
    ]
    try:
        return problems + class_problems(settings, class_names(settings))
    except DataError as error:
        return [*problems, str(error)]


def class_names(settings: CocoData) -> tuple[str, ...]:
    """Return every class of the training annotations, in the file's order.

    Raises:
        DataError: No annotations file, or it has no categories.
    """
    present = _present(settings)
    if not present:
        raise MissingDataError(
            f"annotations file {annotations_file(settings, 'train')} does not exist; "
            "correct data.root, data.annotations or data.year"
        )
    file = annotations_file(settings, present[0])
    categories = _last_categories(file) or _parsed(file)["categories"]
    return tuple(category["name"] for category in categories)


def label_names(settings: CocoData, task: str) -> tuple[str, ...]:  # noqa: ARG001
    """Return background and the chosen classes, in label order."""
    return (BACKGROUND, *chosen_classes(settings, class_names(settings)))


def fingerprint(settings: CocoData) -> str:
    """Hash the annotations of every split there is; pictures are taken to go with them."""
    return hash_of(
        f"{split} {file_sha256(annotations_file(settings, split))}" for split in _present(settings)
    )


def build(settings: CocoData, task: str, split: SplitName) -> Dataset | None:
    """List a split's images; None where the dataset has no such split.

    Raises:
        DataError: The annotations are damaged or lack a chosen class.
    """
    file = annotations_file(settings, split)
    if not file.is_file():
        return None
    content = _parsed(file)
    chosen = chosen_classes(settings, [c["name"] for c in content["categories"]])
    label_of = {name: label for label, name in enumerate(chosen, start=1)}
    labels = {c["id"]: label_of[c["name"]] for c in content["categories"] if c["name"] in label_of}
    regions = _regions_by_image(content["annotations"], labels)
    folder = images_folder(settings, split)
    items = tuple(
        CocoImage(
            image_id=str(image["id"]),
            file=folder / image["file_name"],
            size_hw=(image["height"], image["width"]),
            regions=tuple(regions[image["id"]]),
        )
        for image in content["images"]
        if any(not region.is_crowd for region in regions.get(image["id"], ()))
    )
    return Dataset(label_names(settings, task), items)


def _regions_by_image(
    annotations: Iterable[Mapping[str, Any]], labels: Mapping[int, int]
) -> Mapping[int, list[Region]]:
    regions: dict[int, list[Region]] = defaultdict(list)
    for annotation in annotations:
        label = labels.get(annotation["category_id"])
        if label is not None:
            regions[annotation["image_id"]].append(
                Region(
                    annotation_id=annotation["id"],
                    label=label,
                    area=annotation["area"],
                    is_crowd=bool(annotation.get("iscrowd", 0)),
                    segmentation=annotation["segmentation"],
                )
            )
    return regions


def _parsed(file: Path) -> dict[str, Any]:
    try:
        content = json.loads(file.read_bytes())
        if not {"images", "annotations", "categories"} <= content.keys():
            raise InvalidDataError(
                f"annotations file {file} must have images, annotations and categories, "
                f"got {sorted(content)}; restore the original file"
            )
    except (ValueError, AttributeError) as error:
        raise InvalidDataError(
            f"annotations file {file} must be COCO JSON: {error}; restore the original file"
        ) from error
    return content  # type: ignore[no-any-return]  # its keys were checked


def _last_categories(file: Path) -> list[dict[str, Any]]:
    """Read the categories without the half gigabyte before them; [] if they are elsewhere."""
    with file.open("rb") as stream:
        stream.seek(max(0, file.stat().st_size - TAIL_BYTES))
        tail = stream.read().decode(errors="ignore")
    _, key, rest = tail.rpartition('"categories"')
    try:
        value, _ = json.JSONDecoder().raw_decode(rest.lstrip(" \t\r\n:")) if key else ([], 0)
    except ValueError:
        return []
    found = isinstance(value, list) and all(isinstance(c, dict) and "name" in c for c in value)
    return value if found else []
