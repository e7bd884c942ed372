"""Detectors and their reference in the training loop, on drawn scenes and on real images."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from data_pipeline.datasets.settings.boxes import (
    BoxListData,
    CocoData,
    ListFiles,
    OpenImagesData,
    VocData,
    YoloData,
    YoloFolders,
)
from data_pipeline.datasets.settings.generated import StreetScenesData
from data_pipeline.settings import DataSettings
from data_pipeline.source import DataSource, open_data
from models.detection.faster_rcnn_settings import FasterRCNNVGG16Settings
from models.metrics.box_metrics import rescore
from models.reference_settings import ConstantBoxesSettings
from models.references import score_test
from models.references import train as count
from models.settings import EvaluationSettings
from models.training import train
from tests.models.drawn_source import stopped_anywhere_ends_bit_identical

TASK = "object_detection"
SIZE = 64
TINY = FasterRCNNVGG16Settings(
    base_channels=4,
    head_width=16,
    anchor_sizes=(16, 32),
    sampled_regions=8,
    proposals_training=20,
    proposals=10,
    candidates_training=40,
    candidates=40,
)
Cell = Callable[..., Any]


@dataclass
class Sized:
    """A data source whose images have a size."""

    source: DataSource
    size: int = SIZE

    def __getattr__(self, name: str) -> Any:
        return getattr(self.source, name)


def scenes(**changes: Any) -> DataSettings:
    fields = {"images": 12, "image_size": SIZE, "cache": "off", "classes": ["person", "car"]}
    return StreetScenesData.model_validate({**fields, **changes})


@pytest.fixture
def cell(attempts: Cell) -> Cell:
    """Make a cell of a tiny detector to attempt."""

    def make(settings: DataSettings, model: Any = TINY, **training: Any) -> Any:
        return attempts(
            model,
            {"epochs": 1, "optimizer": "sgd", "learning_rate": 1e-3, "batch_size": 2, **training},
            Sized(open_data(settings, TASK, 0)),
            task=TASK,
            objective="val/loss",
            maximize=False,
        )

    return make


@pytest.mark.slow
def test_training_stopped_in_an_epoch_ends_bit_identical(cell: Cell) -> None:
    data = scenes(augment=["horizontal_flip"])
    whole, stopped = cell(data, epochs=2), cell(data, epochs=2)
    stopped_anywhere_ends_bit_identical(whole, stopped, moments=(2, 3, 6))


def test_losses_and_measures_are_logged_and_everything_is_kept(cell: Cell) -> None:
    made = cell(scenes())
    result = train(made.session(scores_test=True))
    (report,) = made.reports
    logged = {name for name in report.metrics if name.startswith("train/")}
    losses = {"loss_classifier", "loss_box_reg", "loss_objectness", "loss_rpn_box_reg"}
    assert {"train/loss", *(f"train/{name}" for name in losses)} <= logged
    measures = {"region_accuracy", "box_mse"}
    assert {f"train/{name}" for name in measures} <= logged
    scored = {f"val/{name}" for name in (*measures, "overlapping_boxes")}
    assert all(result.metrics[name] >= 0 for name in scored)
    assert {"predictions_test", "detection_errors_test", "probe_detections"} <= set(result.files)
    assert all((made.folders[0] / name).exists() for name in result.files.values())
    for split in ("val", "test"):
        scores = rescore(made.folders[0] / f"predictions_{split}.json.gz", EvaluationSettings())
        assert {f"{split}/{name}": value for name, value in scores.items()} == {
            name: value for name, value in result.metrics.items() if name.startswith(split)
        }


@pytest.mark.parametrize("resize", ["shorter_side", "letterbox", "center_crop"])
def test_pictures_of_every_resizing_are_batches(cell: Cell, resize: str) -> None:
    result = train(cell(scenes(resize=resize)).session())
    assert np.isfinite(list(result.metrics.values())).all()


def box_list(root: Path) -> DataSettings:
    """Write pictures with a bright square each, of two shapes, and their boxes as lines."""
    generator = np.random.default_rng(0)
    for split in ("train", "val", "test"):
        lines = []
        for index in range(3):
            picture = generator.integers(0, 60, (60, 80 + 20 * index, 3), dtype=np.uint8)
            picture[10:40, 20:60] = 220
            cv2.imwrite(str(root / f"{split}{index}.jpg"), picture)
            lines.append(f"{split}{index}.jpg,20,10,60,40,Car\n")
        (root / f"{split}.txt").write_text("".join(lines))
    return BoxListData(root=root, lists=ListFiles(), image_size=SIZE, cache="off")


def datasets(real_data: Path, folder: Path) -> dict[str, DataSettings]:
    """Return a small part of every dataset of boxes."""
    few = {"limit": {"train": 4, "val": 3, "test": 3}, "image_size": SIZE, "cache": "off"}

    def of(kind: type[DataSettings], **fields: Any) -> DataSettings:
        return kind.model_validate({**few, **fields})

    return {
        "coco": of(CocoData, root=real_data / "coco_mini", classes=["person", "car"]),
        "open_images": of(OpenImagesData, root=real_data / "openimages_from_coco"),
        "voc": of(VocData, root=real_data / "bccd", corners="edges"),
        "yolo": of(
            YoloData,
            root=real_data / "coco128_yolo_mini",
            names="coco128.yaml",
            folders=YoloFolders(train="train2017", val="val2017"),
        ),
        "box_list": box_list(folder),
        "street_scenes": scenes(images=8),
    }


@pytest.mark.slow
@pytest.mark.parametrize("resize", ["stretch", "shorter_side"])
@pytest.mark.parametrize(
    "name", ["coco", "open_images", "voc", "yolo", "box_list", "street_scenes"]
)
def test_every_dataset_of_boxes_trains_a_detector(
    name: str, resize: str, cell: Cell, real_data: Path, tmp_path: Path
) -> None:
    settings = datasets(real_data, tmp_path)[name].model_copy(update={"resize": resize})
    made = cell(settings)
    result = train(made.session())
    assert np.isfinite(list(result.metrics.values())).all()
    assert 0 <= result.metrics["val/ap"] <= 1
    assert made.effective[0]["batch_shapes"][0][0] == 2


class TestConstantBoxes:
    def test_reference_takes_the_way_of_a_network(self, cell: Cell) -> None:
        made = cell(scenes(images=20), ConstantBoxesSettings(boxes=4), epochs=30)
        result = count(made.session(scores_test=True))
        assert (result.epochs, result.best_epoch, result.train_macs) == (1, 1, 0)
        (report,) = made.reports
        assert report.metrics["train/loss"] == report.metrics["train/loss_cover"]
        assert 0 <= result.metrics["val/ap50"] < 1
        assert {"predictions_val", "probe_detections", "predictions_strip"} <= set(result.files)
        assert (made.effective[0]["parameters"], made.effective[0]["epochs"]) == (0, 1)

    def test_winner_is_scored_on_the_test_split_as_in_training(self, cell: Cell) -> None:
        made = cell(scenes(images=20), ConstantBoxesSettings(boxes=3))
        result = count(made.session(scores_test=True))
        scored = score_test(made.session(seed=99), made.folders[0] / result.files["weights"])
        expected = {name: v for name, v in result.metrics.items() if name.startswith("test/")}
        assert scored.metrics == expected

    def test_more_boxes_cover_the_training_images_better(self, cell: Cell) -> None:
        losses = []
        for boxes in (1, 3, 9):
            made = cell(scenes(images=20), ConstantBoxesSettings(boxes=boxes))
            count(made.session())
            losses.append(made.reports[0].metrics["train/loss"])
        assert losses == sorted(losses, reverse=True)
        assert losses[0] > losses[-1]

    def test_pictures_of_different_shapes_have_boxes_of_their_shape(self, cell: Cell) -> None:
        made = cell(scenes(images=20, resize="shorter_side"), ConstantBoxesSettings())
        stretched = cell(scenes(images=20, resize="stretch"), ConstantBoxesSettings())
        ours, theirs = count(made.session()).metrics, count(stretched.session()).metrics
        assert ours["val/ap50"] == pytest.approx(theirs["val/ap50"], abs=0.05)

    def test_on_real_cells_it_finds_some_and_few_exactly(
        self, cell: Cell, real_data: Path
    ) -> None:
        settings = VocData(root=real_data / "bccd", corners="edges", image_size=SIZE, cache="off")
        metrics = count(cell(settings, ConstantBoxesSettings()).session()).metrics
        assert 0 < metrics["val/ap50"] < 0.3
        assert metrics["val/ap"] < metrics["val/ap50"]
