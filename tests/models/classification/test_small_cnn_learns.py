"""A small network learns drawn pictures by every loss, in the training loop."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest
import torch

from data_pipeline.samples import ClassificationBatch
from models.classification.small_cnn_settings import SmallCNNSettings
from models.loss_settings import IMAGE_LOSSES
from models.training import train
from tests.models.drawn_source import DrawnSource

SIZE = 12
TINY = SmallCNNSettings(filters=(6, 8), hidden_units=(12,), grid=2, batch_norm=True)
SETTINGS: list[dict[str, Any]] = [
    *({"loss": name} for name in IMAGE_LOSSES),
    {"loss": "cross_entropy", "label_smoothing": 0.1, "class_weights": "median_frequency"},
    {"loss": "triplet", "mining": "batch_all"},
    {"loss": "triplet", "mining": "semi_hard"},
]


@dataclass
class Bars(DrawnSource[ClassificationBatch]):
    """A bright bar that lies, stands or is slanted, on noise."""

    seed: int

    def batch(self, chosen: Sequence[int]) -> ClassificationBatch:
        return ClassificationBatch(
            tuple(f"bar-{index}" for index in chosen),
            torch.from_numpy(np.stack([self._image(index) for index in chosen])),
            torch.tensor(chosen) % 3,
        )

    def _image(self, index: int) -> Any:
        random = np.random.default_rng((self.seed, index))
        image = random.integers(0, 80, (3, SIZE, SIZE), dtype=np.uint8)
        at = int(random.integers(2, SIZE - 3))
        if index % 3 == 0:
            image[:, at : at + 2] = 240
        elif index % 3 == 1:
            image[:, :, at : at + 2] = 240
        else:
            places = np.arange(SIZE)
            image[:, places, (places + at) % SIZE] = 240
            image[:, places, (places + at + 1) % SIZE] = 240
        return image


class BarData:
    class_names = ("lying", "standing", "slanted")
    size = SIZE

    def training(self, batch_size: int) -> Bars:
        return Bars(48, batch_size, is_training=True, seed=0)

    training_images = training

    def class_counts(self) -> tuple[int, ...]:
        return (16, 16, 16)

    def validation(self, batch_size: int) -> Bars:
        return Bars(12, batch_size, is_training=False, seed=1)

    def test(self, batch_size: int) -> Bars:
        return Bars(12, batch_size, is_training=False, seed=2)


@pytest.fixture
def cell(attempts: Callable[..., Any]) -> Callable[..., Any]:
    """Make a cell of the small network to attempt."""

    def make(**training: Any) -> Any:
        usual = {"epochs": 12, "learning_rate": 0.02, "batch_size": 12}
        return attempts(
            TINY,
            {**usual, **training},
            BarData(),
            task="image_classification",
            objective="val/top1",
        )

    return make


@pytest.mark.parametrize("settings", SETTINGS, ids=lambda each: "-".join(map(str, each.values())))
def test_every_loss_tells_all_bars_apart(
    cell: Callable[..., Any], settings: dict[str, Any]
) -> None:
    made = cell(**settings)
    train(made.session())
    metrics = [report.metrics for report in made.reports]
    assert max(each["val/top1"] for each in metrics) == 1
    assert metrics[-1]["train/loss"] < 0.7 * metrics[0]["train/loss"]


def test_triplets_stand_beside_the_loss_and_fall(cell: Callable[..., Any]) -> None:
    made = cell(loss="triplet", batch_size=24)  # in which no image is alone of its class
    train(made.session())
    first, last = made.reports[0].metrics, made.reports[-1].metrics
    assert last["train/triplet_loss"] < 0.5 * first["train/triplet_loss"]
    assert first["train/triplets"] == 1  # for each image as an anchor
    assert not {"val/triplet_loss", "val/triplets"} & set(last)


def test_weights_that_were_counted_are_recorded(cell: Callable[..., Any]) -> None:
    made = cell(loss="mse", class_weights="median_frequency", epochs=1)
    train(made.session())
    expected = {"lying": 1.0, "standing": 1.0, "slanted": 1.0}
    assert made.effective[0]["class_weights"] == expected
