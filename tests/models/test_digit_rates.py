"""Learning rates of a classifier of real digits: the range test, one cycle, early stopping."""

from collections.abc import Callable
from typing import Any

import pytest

from data_pipeline.datasets.settings.pictures import DigitsData
from data_pipeline.source import open_data
from models.classification.small_cnn_settings import SmallCNNSettings
from models.growing_rate import train_with_growing_rate
from models.rate_range import RateRange, suggested_rates
from models.training import train

TASK = "image_classification"
SIDE = 16  # pixels
TINY = SmallCNNSettings(filters=(8, 8), hidden_units=(16,))
Cell = Callable[..., Any]


@pytest.fixture
def cell(attempts: Cell) -> Cell:
    """Make a cell of a tiny network on a few digits to attempt: `cell(epochs=3)`."""
    settings = DigitsData.model_validate(
        {"image_size": SIDE, "limit": {"train": 120, "val": 60}, "cache": "off"}
    )
    data = open_data(settings, TASK, 0)
    session = {"data": lambda: data, "image_size": SIDE}

    def make(**training: Any) -> tuple[Any, Any]:
        recipe = {"batch_size": 24, "optimizer": "sgd", "momentum": 0.9, **training}
        made = attempts(TINY, recipe, task=TASK, objective="val/top1")
        return made, made.session(**session)

    return make


def test_the_suggested_rate_learns_where_the_lowest_does_not(cell: Cell) -> None:
    _, session = cell()
    curve = train_with_growing_rate(session, RateRange(low=1e-5, high=100.0, steps=60))
    found = suggested_rates(curve)
    assert curve.has_exploded
    assert found is not None
    losses = {}
    for rate in (1e-5, found.high):
        made, session = cell(learning_rate=rate, epochs=8, schedule={"name": "one_cycle"})
        train(session)
        losses[rate] = made.reports[-1].metrics["train/loss"]
    assert losses[found.high] < 0.9 * losses[1e-5]


def test_early_stopping_ends_a_classifier_that_does_not_get_better(cell: Cell) -> None:
    _, session = cell(learning_rate=1e-9, epochs=9, early_stopping_epochs=2)
    result = train(session)
    assert (result.epochs, result.best_epoch) == (3, 1)
    assert result.note == "stopped early after epoch 3: no better val/top1 since epoch 1"
