"""Objects lie in the picture where the network saw them, and are COCO results."""

import csv
import json
import os
from dataclasses import replace
from pathlib import Path
from typing import Any, get_args

import cv2
import numpy as np
import pytest
import torch
from pycocotools import mask as rle_masks  # type: ignore[import-untyped]

from data_pipeline.datasets.settings.generated import StreetScenesData
from data_pipeline.loading.resizing import Policy, placement
from models.detection.settings import MaskRCNNSettings
from models.metrics.coco_ap import decoded
from models.predictions import FoundMask, FoundObjects
from models.settings import EvaluationSettings, TrainingSettings
from studies.predicting.choosing import ChosenRun, Member
from studies.predicting.networks import View
from studies.predicting.objects import Objects
from studies.predicting.wishes import Wishes
from studies.spec.schema import CellSettings

SIZE = 64
PICTURE_HW = (96, 160)
TOP, LEFT, BOTTOM, RIGHT = 36, 60, 66, 110  # of the object in the picture


def run() -> ChosenRun:
    settings = CellSettings.model_construct(
        data=StreetScenesData(image_size=SIZE),
        model=MaskRCNNSettings(),
        training=TrainingSettings(),
        evaluation=EvaluationSettings(),
    )
    member = Member(
        cell="a",
        trained="a",
        role="",
        group="",
        seed=0,
        settings=settings,
        class_names=("car", "bus"),
        threshold=0.5,
        weights=Path("best-1.pt"),
        scored_batch=1,
    )
    return ChosenRun("demo", "instance_segmentation", (member,), member.class_names)


def seen(policy: Policy) -> View:
    """Return what a perfect network says of the object, and a weaker bus in the corner."""
    place = placement(policy, SIZE, PICTURE_HW)
    picture = np.zeros((*PICTURE_HW, 3), np.uint8)
    picture[TOP:BOTTOM, LEFT:RIGHT] = 255
    mask = place.image(picture)[..., 0].astype(np.float32) / 255
    mask[mask == 114 / 255] = 0  # the padding
    box = place.boxes(np.array([[LEFT, TOP, RIGHT, BOTTOM]], np.float32), PICTURE_HW)[0]
    height, width = place.canvas_hw
    corner = torch.tensor([0.0, 0.0, 1.0, 1.0])
    return View(
        place,
        FoundObjects(
            input_hw=(height, width),
            boxes_xyxy=torch.stack([torch.from_numpy(box), corner]),
            labels=torch.tensor([0, 1]),
            scores=torch.tensor([0.9, 0.2]),
            masks=(
                FoundMask(0, 0, torch.from_numpy(mask)),
                FoundMask(0, 0, torch.zeros(0, 0)),
            ),
        ),
    )


def written(folder: Path, policy: Policy, **wishes: Any) -> tuple[dict[str, Any], list[Any]]:
    writer = Objects(run(), Wishes(**wishes))
    pixels = np.full((*PICTURE_HW, 3), 90, np.uint8)
    entry = writer.write(folder, "a/7", pixels, views=[seen(policy)])
    return entry, json.loads((folder / entry["files"]["objects"]).read_text())


@pytest.mark.parametrize("policy", get_args(Policy))
def test_box_and_mask_lie_where_the_object_is(tmp_path: Path, policy: Policy) -> None:
    entry, [car, _] = written(tmp_path, policy)
    pixel = max(PICTURE_HW) / SIZE  # of the network's input, in the picture
    truth = np.zeros(PICTURE_HW, np.bool_)
    truth[TOP:BOTTOM, LEFT:RIGHT] = True
    [mask] = decoded([car["segmentation"]], PICTURE_HW)

    assert car["bbox"] == pytest.approx([LEFT, TOP, RIGHT - LEFT, BOTTOM - TOP], abs=0.1)
    assert mask.shape == PICTURE_HW
    assert (mask & truth).sum() / (mask | truth).sum() > 0.9
    assert np.abs(np.argwhere(mask).min(axis=0) - (TOP, LEFT)).max() <= pixel
    assert entry["objects"] == {"car": 1, "bus": 1}


def test_only_sure_objects_are_drawn_and_all_are_written(tmp_path: Path) -> None:
    entry, objects = written(tmp_path, "stretch")
    overlay = cv2.imread(str(tmp_path / entry["files"]["overlay"]))
    assert overlay is not None
    assert len(objects) == 2
    inside = overlay[(TOP + BOTTOM) // 2, (LEFT + RIGHT) // 2].astype(int)
    assert inside[1] > inside[0] + 80  # green, as the thesis draws cars
    assert np.abs(overlay[-5, :20].astype(int) - 90).max() < 12
    _, only_buses = written(tmp_path, "stretch", classes=("bus",), least_score=0.1)
    assert [each["category_id"] for each in only_buses] == [1]


@pytest.mark.parametrize(
    ("names", "numbers"),
    [
        (("000007", "000012"), [7, 12]),
        (("a", "b"), [1, 2]),
        (("a/7", "b/7"), [1, 2]),
        (("07", "7"), [1, 2]),
        (("7", "b"), [1, 2]),
    ],
)
def test_all_objects_are_one_file_of_coco_results(
    tmp_path: Path, names: tuple[str, ...], numbers: list[int]
) -> None:
    writer = Objects(run(), Wishes(overlay=False))
    images = []
    for name in names:
        pixels = np.zeros((*PICTURE_HW, 3), np.uint8)
        entry = writer.write(tmp_path, name, pixels, views=[seen("letterbox")])
        images.append({"name": name, **entry})
    writer.finish(tmp_path, images)
    results = json.loads((tmp_path / "coco_results.json").read_text())

    assert [each["image_id"] for each in images] == numbers
    assert [each["image_id"] for each in results] == [numbers[0]] * 2 + [numbers[1]] * 2
    assert results[0].keys() == {"image_id", "category_id", "bbox", "score", "segmentation"}
    assert rle_masks.area(results[0]["segmentation"]) > 1000


def boxes_alone(policy: Policy) -> View:
    """Return what a network without masks says of the same objects."""
    view = seen(policy)
    return View(view.place, replace(view.prediction, masks=None))  # type: ignore[arg-type]  # this kind of prediction has masks


def of_boxes(threshold: float = 0.5) -> ChosenRun:
    masked = run()
    member = replace(masked.members[0], threshold=threshold)
    return replace(masked, task="object_detection", members=(member,))


@pytest.mark.parametrize("policy", get_args(Policy))
def test_boxes_without_masks_lie_where_they_were_seen(tmp_path: Path, policy: Policy) -> None:
    writer = Objects(of_boxes(), Wishes())
    pixels = np.full((*PICTURE_HW, 3), 90, np.uint8)
    entry = writer.write(tmp_path, "a/7", pixels, views=[boxes_alone(policy)])
    car, bus = json.loads((tmp_path / entry["files"]["objects"]).read_text())
    assert car.keys() == bus.keys() == {"category_id", "bbox", "score"}
    assert car["bbox"] == pytest.approx([LEFT, TOP, RIGHT - LEFT, BOTTOM - TOP], abs=0.1)
    assert (car["score"], bus["score"]) == (0.9, 0.2)


@pytest.mark.parametrize(
    ("threshold", "least_score", "is_drawn"),
    [(0.5, None, True), (0.95, None, False), (0.95, 0.1, True)],
)
def test_boxes_are_drawn_from_the_runs_score_on(
    tmp_path: Path, threshold: float, least_score: float | None, is_drawn: bool
) -> None:
    writer = Objects(of_boxes(threshold), Wishes(least_score=least_score))
    pixels = np.full((*PICTURE_HW, 3), 90, np.uint8)
    writer.write(tmp_path, "a", pixels, views=[boxes_alone("stretch")])
    edge = pixels[(TOP + BOTTOM) // 2, LEFT - 1 : LEFT + 2].astype(int)
    assert (edge[:, 1] > 200).any() == is_drawn  # the line of a car is green
    inside = pixels[BOTTOM - 8, RIGHT - 8]
    assert inside.tolist() == [90, 90, 90]  # boxes are not filled


@pytest.mark.parametrize("name", ["a/7", os.fsdecode(b"caf\xe9")])  # may not be UTF-8
def test_all_objects_are_a_table_too(tmp_path: Path, name: str) -> None:
    writer = Objects(of_boxes(), Wishes(overlay=False))
    pixels = np.zeros((*PICTURE_HW, 3), np.uint8)
    entry = writer.write(tmp_path, name, pixels, views=[boxes_alone("letterbox")])
    writer.finish(tmp_path, [{"name": name, **entry}])
    with (tmp_path / "objects.csv").open(newline="", errors="surrogateescape") as stream:
        car, bus = csv.DictReader(stream)
    assert (car["picture"], car["class"], bus["class"]) == (name, "car", "bus")
    corners = [float(car[side]) for side in ("left", "top", "right", "bottom")]
    assert corners == pytest.approx([LEFT, TOP, RIGHT, BOTTOM], abs=0.1)
    assert float(car["score"]) == 0.9
