"""Networks of whole images and their reference in the training loop, on drawn and real images."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from data_pipeline.datasets.settings.pictures import ImageFolderData
from data_pipeline.samples import ClassificationBatch
from data_pipeline.source import DataSource, open_data
from models.classification.small_cnn_settings import SmallCNNSettings
from models.loss_settings import IMAGE_LOSSES
from models.reference_settings import ConstantSettings
from models.references import score_test
from models.references import train as count
from models.training import train
from tests.models.drawn_source import DrawnSource, history, stopped_anywhere_ends_bit_identical

TASK = "image_classification"
SIZE = 16
TINY = SmallCNNSettings(filters=(8, 8), hidden_units=(16,))
Cell = Callable[..., Any]


class Bars(DrawnSource[ClassificationBatch]):
    """A bright bar on noise: upright, lying, or both."""

    def batch(self, chosen: Sequence[int]) -> ClassificationBatch:
        pixels = torch.from_numpy(np.stack([self._image(index) for index in chosen]))
        return ClassificationBatch(
            tuple(f"image-{index}" for index in chosen),
            pixels.permute(0, 3, 1, 2),
            torch.tensor(chosen) % 3,
        )

    def _image(self, index: int) -> Any:
        random = np.random.default_rng((index, self.is_training))
        image = random.integers(0, 80, (SIZE, SIZE, 3), dtype=np.uint8)
        row, column = random.integers(2, SIZE - 4, 2)
        if index % 3 != 1:
            image[:, column : column + 3] = 230
        if index % 3 != 0:
            image[row : row + 3] = 230
        return image


@dataclass
class BarsData:
    count: int = 10
    size: int = SIZE
    class_names: tuple[str, ...] = ("upright", "lying", "both")

    def training(self, batch_size: int) -> Bars:
        return Bars(self.count, batch_size, is_training=True)

    def training_images(self, batch_size: int) -> Bars:
        return self.training(batch_size)

    def validation(self, batch_size: int) -> Bars:
        return Bars(6, batch_size, is_training=False)

    def test(self, batch_size: int) -> Bars:
        return Bars(7, batch_size, is_training=False)


@pytest.fixture
def cell(attempts: Cell) -> Cell:
    """Make a cell of a tiny network to attempt."""

    def make(model: Any = TINY, data: Any = None, **training: Any) -> Any:
        return attempts(
            model,
            {"epochs": 1, "optimizer": "sgd", "learning_rate": 1e-2, "batch_size": 4, **training},
            data or BarsData(),
            task=TASK,
            objective="val/top1",
        )

    return make


def test_training_stopped_anywhere_ends_bit_identical(cell: Cell) -> None:
    settings = {"epochs": 2, "momentum": 0.9, "accumulate": 2}
    stopped_anywhere_ends_bit_identical(cell(**settings), cell(**settings))


def test_everything_is_logged_and_kept(cell: Cell) -> None:
    made = cell()
    result = train(made.session(scores_test=True))
    (report,) = made.reports
    expected = {"train/loss", "train/top1", "val/top1", "val/class_recall", "val/auc", "val/ece"}
    assert expected <= set(report.metrics)
    assert "val/top5" not in report.metrics  # of three classes all are among the first five
    roles = {
        "predictions",
        "confusion",
        "confusion_picture",
        "class_scores",
        "calibration",
        "image_scores",
    }
    kept = {f"{role}_{split}" for role in roles for split in ("val", "test")}
    assert set(result.files) == kept | {"weights", "predictions_strip"}
    assert all((made.folders[0] / name).exists() for name in result.files.values())
    effective = made.effective[0]
    assert effective["batch_shapes"] == [[4, 3, SIZE, SIZE]]
    assert effective["macs_per_image"] > 0


def test_micro_batches_take_the_steps_of_the_whole_batch(cell: Cell) -> None:
    parts, together = cell(), cell()
    train(parts.session(micro_batch_divisor=2))
    train(together.session())
    assert parts.effective[0]["micro_batch"] == 2
    assert parts.reports[0].images_seen == 10
    ours, theirs = history(parts)[1], history(together)[1]
    assert ours["train/loss"] == pytest.approx(theirs["train/loss"], rel=1e-4)
    assert ours["val/loss"] == pytest.approx(theirs["val/loss"], rel=1e-4)


class TestConstant:
    def test_says_the_shares_of_the_training_images(self, cell: Cell) -> None:
        made = cell(ConstantSettings())
        result = count(made.session(scores_test=True))
        with np.load(made.folders[0] / result.files["predictions_val"]) as saved:
            for row in saved["probabilities"]:
                assert row == pytest.approx([4 / 10, 3 / 10, 3 / 10])
        assert result.metrics["val/top1"] == pytest.approx(1 / 3)
        assert result.metrics["val/auc"] == 0.5
        assert result.metrics["val/ece"] == pytest.approx(0.4 - 1 / 3)

    @pytest.mark.parametrize("loss", IMAGE_LOSSES)
    def test_is_scored_with_every_loss(self, cell: Cell, loss: str) -> None:
        made = cell(ConstantSettings(), loss=loss)
        metrics = count(made.session()).metrics
        own = "cross_entropy" if loss == "triplet" else loss  # triplets need an embedding
        assert (
            metrics["val/loss"]
            == count(cell(ConstantSettings(), loss=own).session()).metrics["val/loss"]
        )
        assert "train/loss" in made.reports[0].metrics

    def test_winner_is_scored_on_the_test_split_as_in_training(self, cell: Cell) -> None:
        made = cell(ConstantSettings())
        result = count(made.session(scores_test=True))
        scored = score_test(made.session(seed=99), made.folders[0] / result.files["weights"])
        expected = {name: v for name, v in result.metrics.items() if name.startswith("test/")}
        assert scored.metrics == expected


@dataclass
class Sized:
    """A data source whose images have a size."""

    source: DataSource
    size: int

    def __getattr__(self, name: str) -> Any:
        return getattr(self.source, name)


def test_photographs_of_ants_and_bees_are_learned_by_heart(cell: Cell, real_data: Path) -> None:
    settings = ImageFolderData.model_validate(
        {
            "root": real_data / "hymenoptera_mini",
            "image_size": 32,
            "limit": {"train": 16, "val": 8},
            "cache": "off",
        }
    )
    data = Sized(open_data(settings, TASK, 0), 32)
    steps = {"epochs": 30, "batch_size": 8, "optimizer": "adam", "learning_rate": 5e-3}
    made = cell(TINY, data, **steps)
    result = train(made.session(objective="val/loss", maximize=False))
    assert made.effective[0]["classes"] == ["ants", "bees"]
    losses = [report.metrics["train/loss"] for report in made.reports]
    assert losses[-1] < losses[0] / 3
    assert made.reports[-1].metrics["train/top1"] == 1
    with np.load(made.folders[0] / result.files["predictions_val"]) as saved:
        assert saved["image_ids"].tolist() == list(data.image_ids("val"))
