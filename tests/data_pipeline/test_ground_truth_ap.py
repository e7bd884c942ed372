"""Ground truth that goes through a reader and comes back as detections must score AP 1.0.

pycocotools knows one way to ignore an object, `iscrowd`: crowds and groups, and VOC's difficult
objects. Of these only crowds are no detections: no detector answers with a region of many.
"""

import contextlib
import io
from collections.abc import Callable, Iterable, Iterator
from itertools import count
from pathlib import Path
from typing import Any, cast

import numpy as np
import pytest
from numpy.typing import NDArray
from pycocotools.coco import COCO  # type: ignore[import-untyped]
from pycocotools.cocoeval import COCOeval  # type: ignore[import-untyped]

from data_pipeline.catalog import DATASETS, resolve
from data_pipeline.datasets.dataset import Dataset, Item
from data_pipeline.datasets.settings.boxes import BoxData, CocoData, OpenImagesData, VocData
from data_pipeline.samples import DetectionSample
from data_pipeline.splitting.splits import SplitName

AP, AP50, AP75, AR100 = 0, 1, 2, 8  # places in COCOeval.stats
EVERY = (AP, AP50, AP75, AR100)

Case = tuple[BoxData, SplitName, int]  # settings, split, objects that count

CASES: dict[str, Callable[[Path], Case]] = {
    # 1580 and 893 annotations less 15 and 9 crowds
    "coco train": lambda d: (CocoData(root=d / "coco_mini", keep_empty=True), "train", 1565),
    "coco val": lambda d: (CocoData(root=d / "coco_mini", keep_empty=True), "val", 884),
    # 84 and 105 boxes less 2 and 3 groups
    "open images train": lambda d: (_open_images(d), "train", 82),
    "open images val": lambda d: (_open_images(d), "val", 102),
    # 4888 boxes in all, less 2 without area
    "bccd train": lambda d: (_bccd(d), "train", 2804),
    "bccd val": lambda d: (_bccd(d), "val", 1137),
    "bccd test": lambda d: (_bccd(d), "test", 945),
    # 4 objects less 2 difficult ones
    "voc": lambda d: (VocData(root=d / "voc_sample"), "train", 2),
}


def _open_images(data: Path) -> OpenImagesData:
    return OpenImagesData(root=data / "openimages_mini", keep_empty=True)


def _bccd(data: Path) -> VocData:
    return VocData(root=data / "bccd", corners="edges")


def samples(dataset: Dataset) -> Iterator[DetectionSample]:
    for item in dataset.items:
        sample = cast(Item, item).read()
        assert isinstance(sample, DetectionSample)
        yield sample


def xywh(sample: DetectionSample) -> list[list[float]]:
    corners = sample.boxes_xyxy.astype(np.float64)
    return np.hstack([corners[:, :2], corners[:, 2:] - corners[:, :2]]).tolist()  # type: ignore[no-any-return]


def truth(dataset: Dataset, read: Iterable[DetectionSample]) -> COCO:
    """Write samples as the ground truth of pycocotools; images are numbered in their order."""
    numbers = count(1)
    annotations: list[dict[str, Any]] = []
    images = []
    for number, sample in enumerate(read, start=1):
        height, width = sample.stored_hw
        images.append({"id": number, "height": height, "width": width})
        annotations += [
            {
                "id": next(numbers),
                "image_id": number,
                "category_id": int(sample.labels[i]),
                "bbox": box,
                "area": float(sample.areas[i]),
                "iscrowd": int(sample.is_crowd[i] or sample.is_difficult[i]),
            }
            for i, box in enumerate(xywh(sample))
        ]
    classes = [{"id": label, "name": name} for label, name in enumerate(dataset.class_names)]
    scored = COCO()
    scored.dataset = {"images": images, "annotations": annotations, "categories": classes}
    scored.createIndex()
    return scored


def detections(read: Iterable[DetectionSample], numbers: Iterable[int]) -> list[dict[str, Any]]:
    """Answer with every object but crowds, all equally sure."""
    return [
        {
            "image_id": number,
            "category_id": int(sample.labels[i]),
            "bbox": box,
            "score": 0.5,
        }
        for number, sample in zip(numbers, read, strict=True)
        for i, box in enumerate(xywh(sample))
        if not sample.is_crowd[i]
    ]


def scores(scored: COCO, found: list[dict[str, Any]]) -> NDArray[np.float64]:
    with contextlib.redirect_stdout(io.StringIO()):
        evaluation = COCOeval(scored, scored.loadRes(found), "bbox")
        evaluation.evaluate()
        evaluation.accumulate()
        evaluation.summarize()
    return np.array(evaluation.stats)


@pytest.mark.parametrize("name", CASES)
def test_ground_truth_fed_back_as_detections_scores_1(real_data: Path, name: str) -> None:
    settings, split, objects = CASES[name](real_data)
    build = resolve(DATASETS[settings.dataset].builder)
    dataset: Dataset = build(settings, "object_detection", split)
    read = list(samples(dataset))
    scored = truth(dataset, read)
    found = detections(read, range(1, len(read) + 1))
    assert sum(not a["iscrowd"] for a in scored.anns.values()) == objects
    assert scores(scored, found)[[*EVERY]] == pytest.approx(1.0, abs=1e-12)


def test_a_moved_box_scores_less(real_data: Path) -> None:
    settings, split, _ = CASES["voc"](real_data)
    build = resolve(DATASETS[settings.dataset].builder)
    dataset: Dataset = build(settings, "object_detection", split)
    read = list(samples(dataset))
    found = detections(read, [1])
    found[0]["bbox"][0] += 0.3 * found[0]["bbox"][2]
    assert scores(truth(dataset, read), found)[AP] < 0.9


@pytest.mark.parametrize("split", ["train", "val"])
def test_coco_boxes_score_1_against_the_annotations_themselves(
    real_data: Path, split: SplitName
) -> None:
    root = real_data / "coco_mini"
    official = COCO(root / "annotations" / f"instances_{split}2017.json")
    build = resolve(DATASETS["coco"].builder)
    dataset: Dataset = build(CocoData(root=root, keep_empty=True), "object_detection", split)
    numbers = [int(image_id) for image_id in dataset.image_ids]
    found = detections(samples(dataset), numbers)
    category = {c["name"]: c["id"] for c in official.loadCats(official.getCatIds())}
    for detection in found:
        detection["category_id"] = category[dataset.class_names[detection["category_id"]]]
    assert sorted(numbers) == sorted(official.getImgIds())
    assert scores(official, found)[[*EVERY]] == pytest.approx(1.0, abs=1e-12)
