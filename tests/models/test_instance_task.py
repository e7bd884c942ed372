import gzip
import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
import torch
from pycocotools.coco import COCO  # type: ignore[import-untyped]
from pycocotools.cocoeval import COCOeval  # type: ignore[import-untyped]
from torch import Tensor, nn

from data_pipeline.datasets.settings.generated import StreetScenesData
from data_pipeline.samples import InstanceBatch
from data_pipeline.source import DataSource, open_data
from models.detection.outputs import Detection, Learned, Scored, Target, Targets
from models.metrics.names import instance_metric_names
from models.settings import EvaluationSettings, TrainingSettings
from models.tasks.instances import build_task
from models.tasks.object_batches import targets, true_masks
from models.tasks.object_task import ObjectTask

TASK = "instance_segmentation"


class Oracle(nn.Module):
    """Answers with the targets, moved by some pixels, and fixed losses."""

    def __init__(self, shift: int = 0) -> None:
        super().__init__()
        self.shift = shift
        self.seen: list[Tensor] = []

    def forward(
        self, images: Sequence[Tensor], targets: Targets | None = None
    ) -> Learned | Scored:
        self.seen.extend(images)
        assert targets is not None
        losses = {
            "loss_mask": torch.arange(1.0, len(images) + 1),
            "loss_classifier": torch.full((len(images),), 0.5),
        }
        if self.training:
            return Learned({name: values.mean() for name, values in losses.items()}, {})
        return Scored([self.found(target) for target in targets.of_images], losses, {})

    def found(self, target: Target) -> Detection:
        count = len(target["labels"])
        masks = target["masks"].roll(self.shift, dims=2).float().unsqueeze(1)
        return {
            "boxes": target["boxes"] + torch.tensor([self.shift, 0, self.shift, 0]),
            "labels": target["labels"],
            "scores": torch.linspace(0.9, 0.6, count),
            "masks": masks * 0.6,
        }


@pytest.fixture(scope="module")
def data() -> DataSource:
    settings = StreetScenesData(images=20, image_size=96, classes=["person", "car"], cache="off")
    return open_data(settings, TASK, 0)


def batches(data: DataSource, size: int) -> list[InstanceBatch]:
    found = list(data.training_images(size).epoch(1))
    assert all(isinstance(batch, InstanceBatch) for batch in found)
    return found  # type: ignore[return-value]  # as was just checked


def made(data: DataSource, threshold: float = 0.5) -> ObjectTask:
    task = build_task(
        TrainingSettings(), EvaluationSettings(threshold=threshold), data.class_names
    )
    task.prepare(data)
    return task


def batch_of(boxes: Sequence[Any], **changes: Any) -> InstanceBatch:
    count = len(boxes)
    fields: dict[str, Any] = {
        "image_ids": ("a",),
        "images": (torch.zeros(3, 64, 64, dtype=torch.uint8),),
        "stored_hw": ((64, 64),),
        "boxes_xyxy": (torch.tensor(boxes, dtype=torch.float32).reshape(-1, 4),),
        "labels": (torch.arange(count),),
        "areas": (torch.ones(count),),
        "is_crowd": (torch.zeros(count, dtype=torch.bool),),
        "is_difficult": (torch.zeros(count, dtype=torch.bool),),
        "masks": (torch.ones(count, 64, 64, dtype=torch.bool),),
    }
    return InstanceBatch(**{**fields, **changes})


def test_crowds_and_boxes_without_area_are_no_targets() -> None:
    boxes = [(0, 0, 9, 9), (5, 5, 5, 9), (1, 1, 8, 8), (2, 7, 9, 7)]
    crowd = torch.tensor([False, False, True, False])
    (target,) = targets(batch_of(boxes, is_crowd=(crowd,))).of_images
    assert target["boxes"].tolist() == [[0, 0, 9, 9]]
    assert target["labels"].tolist() == [1]
    assert target["masks"].shape == (1, 64, 64)


def test_an_object_whose_mask_has_no_pixel_is_no_target() -> None:
    masks = torch.zeros(2, 64, 64, dtype=torch.bool)
    masks[1, 3, 5] = True
    (target,) = targets(batch_of([(0, 0, 9, 9), (5, 3, 6, 4)], masks=(masks,))).of_images
    assert target["labels"].tolist() == [2]
    assert target["masks"].sum() == 1


def test_an_image_without_objects_has_empty_targets() -> None:
    (target,) = targets(batch_of([])).of_images
    assert target["boxes"].shape == (0, 4)
    assert target["masks"].shape == (0, 64, 64)


def test_batch_is_cut_into_micro_batches_of_all_its_images(data: DataSource) -> None:
    task, batch = made(data), batches(data, 5)[0]
    for parts, sizes in ((1, [5]), (2, [3, 2]), (4, [2, 2, 1]), (8, [1] * 5)):
        cut = task.split_batch(batch, parts)
        assert [len(part.image_ids) for part in cut] == sizes
        assert sum((part.image_ids for part in cut), ()) == batch.image_ids
        masks = [mask for part in cut for mask in true_masks(part) or ()]
        assert all(torch.equal(a, b) for a, b in zip(masks, batch.masks, strict=True))
    (moved, *_) = true_masks(task.to_device(batch, torch.device("meta"))) or ()
    assert moved.is_meta
    assert task.input_shape(batch) == (5, 3, 96, 96)


def test_training_metrics_are_means_over_images(data: DataSource) -> None:
    task, oracle = made(data), Oracle()
    totals: dict[str, Tensor] = {}
    for batch in batches(data, 4)[:2]:
        result = task.training_step(oracle, batch)
        assert result.loss == pytest.approx(3.0)
        assert result.images == 4
        for name, value in result.sums.items():
            totals[name] = totals.get(name, torch.tensor(0.0)) + value
    assert task.summarise(totals) == {"loss": 3.0, "loss_mask": 2.5, "loss_classifier": 0.5}


def test_pixels_reach_the_network_as_for_every_other_network(data: DataSource) -> None:
    oracle, batch = Oracle(), batches(data, 2)[0]
    made(data).training_step(oracle, batch)
    for seen, image in zip(oracle.seen, batch.images, strict=True):
        torch.testing.assert_close(seen, image.float() / 127.5 - 1)


class TestEvaluator:
    def scored(self, data: DataSource, shift: int = 0, threshold: float = 0.5) -> Any:
        evaluator = made(data, threshold).evaluator(is_saved=True)
        network = Oracle(shift).eval()
        for batch in batches(data, 4):
            evaluator.update(network, batch)
        return evaluator

    def test_truth_fed_back_scores_1(self, data: DataSource) -> None:
        metrics = self.scored(data).compute()
        assert metrics["mask_ap"] == pytest.approx(1.0)
        assert metrics["box_ap"] == pytest.approx(1.0)
        assert metrics["mask_ap_car"] == pytest.approx(1.0)
        assert set(metrics) <= set(instance_metric_names(data.class_names))

    def test_moved_objects_score_less(self, data: DataSource) -> None:
        metrics = self.scored(data, shift=3).compute()
        assert 0 < metrics["mask_ap"] < 0.9
        assert 0 < metrics["box_ap"] < 0.9

    def test_pixels_below_the_threshold_are_of_no_mask(self, data: DataSource) -> None:
        metrics = self.scored(data, threshold=0.7).compute()
        assert metrics["mask_ap"] == 0.0
        assert metrics["box_ap"] == pytest.approx(1.0)

    def test_loss_is_the_mean_over_images_of_the_sum_of_losses(self, data: DataSource) -> None:
        images = data.training_images(4).images
        of_full = (1 + 2 + 3 + 4) / 4
        assert images % 4 == 0
        assert self.scored(data).compute()["loss"] == pytest.approx(of_full + 0.5)

    def test_areas_are_those_of_the_stored_picture(self, data: DataSource) -> None:
        """320x240 pictures are shrunk to 96x96: a car of 300 pixels is one of 2,500 stored."""
        metrics = self.scored(data).compute()
        assert data.stored_scale((240, 320)) == (2.5, 320 / 96)
        assert metrics["mask_ap_medium"] == pytest.approx(1.0)

    def test_saved_file_scores_the_same_by_pycocotools_alone(
        self, data: DataSource, tmp_path: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        evaluator = self.scored(data, shift=2)
        files = evaluator.save(tmp_path, "val")
        assert files == {
            "predictions_val": "predictions_val.json.gz",
            "predictions_strip": "predictions_strip.png",
        }
        content = json.loads(gzip.decompress((tmp_path / files["predictions_val"]).read_bytes()))
        truth = COCO()
        truth.dataset = content
        truth.createIndex()
        evaluation = COCOeval(truth, truth.loadRes(content["detections"]), "segm")
        evaluation.evaluate()
        evaluation.accumulate()
        evaluation.summarize()
        capsys.readouterr()
        assert evaluation.stats[0] == pytest.approx(evaluator.compute()["mask_ap"], abs=1e-9)
        assert content["rule"] == "coco"
        assert content["image_ids"] == list(data.image_ids("train"))

    def test_files_are_the_same_every_time(self, data: DataSource, tmp_path: Path) -> None:
        contents = []
        for _ in range(2):
            files = self.scored(data).save(tmp_path, "val")
            contents.append([(tmp_path / name).read_bytes() for name in files.values()])
        assert contents[0] == contents[1]

    def test_picture_shows_the_first_images(self, data: DataSource, tmp_path: Path) -> None:
        self.scored(data).save(tmp_path, "val")
        picture = cv2.imread(str(tmp_path / "predictions_strip.png"))
        assert isinstance(picture, np.ndarray)
        assert picture.shape[1] == 3 * (192 + 6)
        assert picture.shape[0] == 6 * (192 + 6) + 28 + 6
        assert self.scored(data).save(tmp_path, "test") == {
            "predictions_test": "predictions_test.json.gz"
        }

    def test_empty_split_is_told(self, data: DataSource) -> None:
        with pytest.raises(ValueError, match=r"must hold an image to be scored, got none"):
            made(data).evaluator().compute()

    def test_task_must_know_the_data(self, data: DataSource) -> None:
        task = build_task(TrainingSettings(), EvaluationSettings(), data.class_names)
        with pytest.raises(RuntimeError, match="must be prepared with the data"):
            task.evaluator()


@pytest.mark.parametrize("resize", ["stretch", "shorter_side", "letterbox", "center_crop"])
def test_scale_of_stored_pictures_is_that_of_their_resizing(resize: str) -> None:
    settings = StreetScenesData.model_validate({"image_size": 96, "resize": resize, "images": 3})
    scale = open_data(settings, TASK, 0, examines=False).stored_scale((240, 320))
    expected: dict[str, Callable[[], tuple[float, float]]] = {
        "stretch": lambda: (2.5, 320 / 96),
        "shorter_side": lambda: (2.5, 2.5),
        "letterbox": lambda: (240 / 72, 320 / 96),
        "center_crop": lambda: (2.5, 2.5),
    }
    assert scale == expected[resize]()
