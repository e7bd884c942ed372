"""Mask R-CNN in the training loop, on drawn scenes and on real images."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any

import pytest
import torch

from data_pipeline.datasets.settings.boxes import CocoData
from data_pipeline.datasets.settings.generated import StreetScenesData
from data_pipeline.samples import InstanceBatch
from data_pipeline.source import DataSource, open_data
from models.detection.mask_rcnn import build_mask_rcnn
from models.detection.settings import MaskRCNNSettings
from models.settings import EvaluationSettings, TrainingSettings
from models.tasks.instances import build_task
from models.training import train
from tests.models.drawn_source import stopped_anywhere_ends_bit_identical

TASK = "instance_segmentation"
SMALL = MaskRCNNSettings(
    backbone="resnet18",
    anchor_sizes=(8, 16, 24, 32, 48),
    sampled_regions=16,
    proposals_training=100,
    proposals=50,
)
TINY = SMALL.model_copy(update={"sampled_regions": 4, "proposals_training": 20, "proposals": 10})


@dataclass
class Scenes:
    """Drawn scenes: 4 to train on, one to validate on and one to test on."""

    source: DataSource
    size: int = 64

    def __getattr__(self, name: str) -> Any:
        return getattr(self.source, name)


@pytest.fixture
def cell(attempts: Callable[..., Any]) -> Callable[..., Any]:
    """Make a cell of Mask R-CNN to attempt."""
    settings = StreetScenesData(images=6, image_size=64, cache="off", augment=[])

    def make(**training: Any) -> Any:
        return attempts(
            TINY,
            {"epochs": 2, "optimizer": "sgd", "learning_rate": 1e-3, **training},
            Scenes(open_data(settings, TASK, 0)),
            task=TASK,
            objective="val/loss",
            maximize=False,
        )

    return make


@pytest.mark.slow
def test_training_stopped_in_an_epoch_ends_bit_identical(cell: Callable[..., Any]) -> None:
    whole, stopped = cell(), cell()
    stopped_anywhere_ends_bit_identical(whole, stopped, moments=(1, 2))
    assert stopped.effective[1]["resumed_from_step"] == 1


@pytest.mark.slow
def test_micro_batches_train_with_every_image_and_each_loss_is_logged(
    cell: Callable[..., Any],
) -> None:
    small = cell(epochs=1, precision="bf16-mixed")
    result = train(small.session(micro_batch_divisor=2, scores_test=True))
    effective = small.effective[0]
    assert effective["batch_shapes"] == [[2, 3, 64, 64]]
    assert effective["micro_batch"] == 1
    assert effective["macs_per_image"] > 0
    (report,) = small.reports
    assert report.images_seen == 4
    parts = {"classifier", "box_reg", "mask", "objectness", "rpn_box_reg"}
    logged = {name: report.metrics[name] for name in report.metrics if name.startswith("train/")}
    assert 0 <= logged.pop("train/region_accuracy") <= 1
    assert logged.pop("train/box_mse") > 0
    assert set(logged) == {"train/loss", *(f"train/loss_{part}" for part in parts)}
    total = logged.pop("train/loss")
    assert sum(logged.values()) == pytest.approx(total, rel=0.01)  # of bfloat16
    assert {"weights", "predictions_val", "predictions_test", "predictions_strip"} <= set(
        result.files
    )
    assert all((small.folders[0] / name).exists() for name in result.files.values())


def test_image_size_that_did_not_arrive_ends_the_trial(cell: Callable[..., Any]) -> None:
    with pytest.raises(RuntimeError, match=r"data.image_size did not take effect: .* \[80, 80\]"):
        train(cell().session(image_size=80))


def few_large_objects(source: DataSource, size: int) -> Iterator[InstanceBatch]:
    """Yield images of one or two objects that can be seen at a small size."""
    for batch in source.training_images(1).epoch(1):
        assert isinstance(batch, InstanceBatch)
        is_large = batch.areas[0] > 0.06 * size**2
        if 1 <= len(is_large) <= 2 and is_large.all() and not batch.is_crowd[0].any():
            yield batch


@pytest.mark.exhaustive
@pytest.mark.timeout(900)
def test_four_real_images_are_learnt_by_heart(real_data: Path) -> None:
    """Mask AP50 of 0.9 after 50 steps here; 100 are allowed."""
    size = 64
    settings = CocoData(
        root=real_data / "coco_mini", classes=["person", "car"], image_size=size, cache="off"
    )
    source = open_data(settings, TASK, 0, examines=False)
    chosen = few_large_objects(source, size)
    images = [next(chosen) for _ in range(4)]
    joined = {f.name: sum((getattr(i, f.name) for i in images), ()) for f in fields(images[0])}
    batch = replace(images[0], **joined)
    task = build_task(TrainingSettings(), EvaluationSettings(), source.class_names)
    task.prepare(source)
    torch.manual_seed(0)
    network = build_mask_rcnn(SMALL, len(source.class_names) + 1)
    optimizer = torch.optim.Adam(network.parameters(), lr=1e-3)
    score = 0.0
    for step in range(1, 101):
        task.training_step(network.train(), batch).loss.backward()  # type: ignore[no-untyped-call]
        optimizer.step()
        optimizer.zero_grad()
        if step % 10 == 0 and step >= 40:
            evaluator = task.evaluator()
            with torch.no_grad():
                evaluator.update(network.eval(), batch)
            score = evaluator.compute()["mask_ap50"]
            if score >= 0.9:
                return
    pytest.fail(f"mask AP50 must reach 0.9 within 100 steps, got {score:.3f}")
