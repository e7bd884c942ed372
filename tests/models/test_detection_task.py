"""Boxes: training steps, scores, and what is kept of a split."""

import base64
import gzip
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
import torch
from torch import Tensor, nn

from data_pipeline.datasets.settings.generated import StreetScenesData
from data_pipeline.samples import DetectionBatch
from data_pipeline.source import DataSource, open_data
from models.catalog import TASKS
from models.detection.outputs import Detection, Learned, Scored, Target, Targets
from models.metrics.box_metrics import rescore
from models.metrics.coco_files import load_scored_boxes
from models.metrics.names import AT_THRESHOLD, detection_metric_names
from models.settings import EvaluationSettings, TrainingSettings
from models.tasks.detection import build_task
from models.tasks.object_task import ObjectTask

TASK = "object_detection"
SIZE = 96


class Oracle(nn.Module):
    """Answers with the targets, moved by some pixels, and fixed losses and measures."""

    def __init__(self, shift: float = 0.0) -> None:
        super().__init__()
        self.shift = shift
        self.seen: list[Tensor] = []

    def forward(
        self, images: Sequence[Tensor], targets: Targets | None = None
    ) -> Learned | Scored | list[Detection]:
        self.seen.extend(images)
        if targets is None:
            return [self.found({"boxes": torch.zeros(0, 4), "labels": torch.zeros(0)})]
        count = len(images)
        losses = {
            "bbox_regression": torch.full((count,), 2.0),
            "classification": torch.ones(count),
        }
        terms = torch.tensor([[len(each["labels"]), 8.0] for each in targets.of_images])
        measures = {"region_accuracy": terms, "box_mse": torch.zeros(count, 2)}
        if self.training:
            return Learned(
                {name: values.mean() for name, values in losses.items()},
                {name: values.sum(dim=0) for name, values in measures.items()},
            )
        return Scored([self.found(target) for target in targets.of_images], losses, measures)

    def found(self, target: Target) -> Detection:
        count = len(target["labels"])
        moved = torch.tensor([self.shift, 0, self.shift, 0])
        scores = torch.linspace(0.9, 0.3, count)
        return {"boxes": target["boxes"] + moved, "labels": target["labels"], "scores": scores}


@pytest.fixture(scope="module")
def data() -> DataSource:
    settings = StreetScenesData(
        images=20, image_size=SIZE, classes=["person", "car"], cache="off", augment=[]
    )
    return open_data(settings, TASK, 0)


def batches(data: DataSource, size: int = 4) -> list[DetectionBatch]:
    found = list(data.training_images(size).epoch(1))
    assert all(isinstance(batch, DetectionBatch) for batch in found)
    return found  # type: ignore[return-value]  # as was just checked


def made(data: DataSource, threshold: float = 0.5) -> ObjectTask:
    evaluation = EvaluationSettings(threshold=threshold)
    task = build_task(TrainingSettings(), evaluation, data.class_names)
    task.prepare(data)
    return task


def scored(
    data: DataSource, shift: float = 0.0, threshold: float = 0.5, *, is_saved: bool = True
) -> Any:
    evaluator = made(data, threshold).evaluator(is_saved=is_saved)
    network = Oracle(shift).eval()
    for batch in batches(data):
        evaluator.update(network, batch)
    return evaluator


def test_boxes_train_without_masks(data: DataSource) -> None:
    task, oracle = made(data), Oracle()
    result = task.training_step(oracle, batches(data)[0])
    assert result.loss == pytest.approx(3.0)
    assert result.images == 4
    assert task.to_device(batches(data)[0], torch.device("meta")).boxes_xyxy[0].is_meta


def test_measures_are_quotients_of_what_all_batches_summed_up(data: DataSource) -> None:
    task, oracle = made(data), Oracle()
    sums: dict[str, Tensor] = {}
    chosen = batches(data)[:2]
    for batch in chosen:
        for name, value in task.training_step(oracle, batch).sums.items():
            sums[name] = sums[name] + value if name in sums else value
    boxes = sum(
        int(((each[:, 2:] > each[:, :2]).all(dim=1) & ~crowd).sum())
        for batch in chosen
        for each, crowd in zip(batch.boxes_xyxy, batch.is_crowd, strict=True)
    )
    summary = task.summarise(sums)
    assert summary.pop("region_accuracy") == pytest.approx(boxes / (8 * 8))
    # A measure without a term is left out.
    assert summary == {"loss": 3.0, "bbox_regression": 2.0, "classification": 1.0}


class TestScores:
    def test_truth_fed_back_scores_1_by_every_rule(self, data: DataSource) -> None:
        metrics = scored(data).compute()
        maps = ("voc07_map", "voc10_map", "thesis_map")
        for name in ("ap", "ap50", "ap75", "ar100", "ap_car", "ap50_car", *maps):
            assert metrics[name] == pytest.approx(1.0), name
        assert 0.9 < metrics["open_images_map"] < 1  # a crowd, which was not fed back, counts
        assert metrics["loss"] == pytest.approx(3.0)
        assert 0 < metrics["region_accuracy"] < 1
        assert "box_mse" not in metrics
        assert set(metrics) <= set(detection_metric_names(data.class_names))

    def test_moved_boxes_score_less(self, data: DataSource) -> None:
        metrics = scored(data, shift=3).compute()
        assert 0 < metrics["ap"] < 0.9
        assert metrics["ap"] < metrics["ap50"]

    def test_threshold_decides_precision_and_recall_and_no_average_precision(
        self, data: DataSource
    ) -> None:
        low, high = (scored(data, 2, threshold).compute() for threshold in (0.3, 0.8))
        assert high["recall"] < low["recall"]
        differing = {name for name in low if low[name] != high[name]}
        assert differing <= set(AT_THRESHOLD)
        assert "recall" in differing

    def test_reference_program_has_the_last_word_and_says_the_same(self, data: DataSource) -> None:
        final, fast = (
            scored(data, shift=2, is_saved=is_saved).compute() for is_saved in (True, False)
        )
        assert final.keys() == fast.keys()
        assert all(final[name] == pytest.approx(fast[name], abs=1e-12) for name in fast)

    def test_images_without_objects_and_with_crowds_alone_are_scored(
        self, data: DataSource
    ) -> None:
        task, oracle = made(data), Oracle()
        batch = odd_batch()
        result = task.training_step(oracle, batch)
        assert result.loss.isfinite()
        evaluator = task.evaluator()
        evaluator.update(oracle.eval(), batch)
        metrics = evaluator.compute()
        assert metrics["ap"] == pytest.approx(34 / 101)  # of 301 objects 101 can be found
        assert all(np.isfinite(list(metrics.values())))


class TestFiles:
    def test_saved_boxes_are_scored_again_at_another_threshold_as_in_a_trial(
        self, data: DataSource, tmp_path: Path
    ) -> None:
        evaluator = scored(data, shift=1.37)
        files = evaluator.save(tmp_path, "val")
        assert files["predictions_val"] == TASKS[TASK].predictions.format(split="val")
        file = tmp_path / files["predictions_val"]
        assert rescore(file, EvaluationSettings()) == evaluator.compute()
        other = scored(data, shift=1.37, threshold=0.7)
        other.save(tmp_path / "..", "test")
        assert rescore(file, EvaluationSettings(threshold=0.7)) == other.compute()

    def test_saved_boxes_are_read_back_as_they_were_scored(
        self, data: DataSource, tmp_path: Path
    ) -> None:
        evaluator = scored(data, shift=1.37)
        evaluator.save(tmp_path, "val")
        saved = load_scored_boxes(tmp_path / "predictions_val.json.gz")
        assert saved.class_names == data.class_names
        kept = evaluator._images
        for ours, theirs in zip(saved.images, kept, strict=True):
            assert ours.image_id == theirs.image_id
            assert ours.pixel_area == theirs.pixel_area
            assert (ours.found.boxes_xyxy == theirs.found.boxes_xyxy).all()
            assert (ours.truth.boxes_xyxy == theirs.truth.boxes_xyxy).all()
            assert (ours.scores == theirs.scores).all()
            assert (ours.is_ignored == theirs.is_ignored).all()

    @pytest.mark.parametrize(
        ("content", "error"),
        [
            (b"", ValueError),
            (gzip.compress(b'{"format": 2}', mtime=0)[:-9], ValueError),
            (gzip.compress(b'{"format": 1}', mtime=0), ValueError),
            (b"no gzip", OSError),
        ],
    )
    def test_damaged_file_is_told(
        self, content: bytes, error: type[Exception], tmp_path: Path
    ) -> None:
        file = tmp_path / "predictions_val.json.gz"
        file.write_bytes(content)
        with pytest.raises(error):
            rescore(file, EvaluationSettings())

    def test_analysis_of_each_split_is_kept(self, data: DataSource, tmp_path: Path) -> None:
        kinds = ("curves", "confusion", "errors", "decisions")
        for split in ("val", "test"):
            files = scored(data, shift=2).save(tmp_path, split)
            assert {f"detection_{kind}_{split}" for kind in kinds} < set(files)
            for kind in kinds:
                json.loads((tmp_path / files[f"detection_{kind}_{split}"]).read_text())
        confusion = json.loads((tmp_path / "detection_confusion_val.json").read_text())
        assert confusion["labels"] == [*data.class_names, "background"]
        assert confusion["threshold"] == 0.5
        curves = json.loads((tmp_path / "detection_curves_val.json").read_text())
        assert [each["name"] for each in curves["classes"]] == list(data.class_names)

    def test_first_images_of_validation_are_kept_with_their_boxes(
        self, data: DataSource, tmp_path: Path
    ) -> None:
        files = scored(data).save(tmp_path, "val")
        assert not {"probe_detections", "predictions_strip"} & set(
            scored(data).save(tmp_path, "test")
        )
        probes = json.loads((tmp_path / files["probe_detections"]).read_text())
        assert probes["class_names"] == list(data.class_names)
        first, batch = probes["images"][0], batches(data)[0]
        assert len(probes["images"]) == 6
        assert first["image_id"] == batch.image_ids[0]
        picture = cv2.imdecode(
            np.frombuffer(base64.b64decode(first["jpeg"]), np.uint8), cv2.IMREAD_COLOR
        )
        assert isinstance(picture, np.ndarray)
        assert picture.shape == (first["height"], first["width"], 3)
        assert first["truth"]["boxes_xyxy"] == pytest.approx(batch.boxes_xyxy[0].numpy(), abs=1e-3)
        assert len(first["found"]["scores"]) <= len(first["truth"]["labels"])

    def test_missed_and_false_boxes_are_crossed_out(
        self, data: DataSource, tmp_path: Path
    ) -> None:
        strips = []
        for shift in (0, 40):
            scored(data, shift, threshold=0.3).save(tmp_path, "val")
            strips.append(cv2.imread(str(tmp_path / "predictions_strip.png")))
        right, wrong = strips
        assert right is not None
        assert wrong is not None
        assert right.shape[1] == 3 * (192 + 6)
        truth = slice(198, 390)
        assert (right[:, :192] == wrong[:, :192]).all()
        assert (right[34:, truth] != wrong[34:, truth]).any()

    def test_speed_says_where_and_how_it_was_measured(
        self, data: DataSource, tmp_path: Path
    ) -> None:
        evaluator = scored(data)
        files = evaluator.save(tmp_path, "val")
        speed = json.loads((tmp_path / files["detection_speed"]).read_text())
        assert 0 < speed["fastest"] <= speed["median"] <= speed["slowest"]
        assert (speed["device"], speed["images"]) == ("cpu", 6)
        assert speed["input_hw"] == [SIZE, SIZE]


def odd_batch() -> DetectionBatch:
    """No box, 300 boxes, a box of 1 pixel, crowds alone, difficult ones alone."""
    places = torch.arange(300.0)
    left, top = places % 20 * 4, places // 20 * 4
    many = torch.stack([left, top, left + 3, top + 3], dim=1)
    boxes = [
        torch.zeros(0, 4),
        many,
        torch.tensor([[5.0, 5.0, 6.0, 6.0]]),
        torch.tensor([[0.0, 0.0, 50.0, 50.0]]),
        torch.tensor([[9.0, 9.0, 40.0, 50.0]]),
    ]
    crowds = [torch.full((len(each),), index == 3) for index, each in enumerate(boxes)]
    return DetectionBatch(
        image_ids=("none", "many", "pixel", "crowd", "difficult"),
        images=tuple(torch.zeros(3, SIZE, SIZE, dtype=torch.uint8) for _ in boxes),
        stored_hw=((SIZE, SIZE),) * len(boxes),
        boxes_xyxy=tuple(boxes),
        labels=tuple(torch.zeros(len(each), dtype=torch.int64) for each in boxes),
        areas=tuple((each[:, 2:] - each[:, :2]).prod(dim=1) for each in boxes),
        is_crowd=tuple(crowds),
        is_difficult=tuple(
            torch.full((len(each),), index == 4) for index, each in enumerate(boxes)
        ),
    )
