"""The trainer that plays recorded trainings back."""

import json
from collections.abc import Callable
from typing import Any

import pytest

from models.session import Interrupted
from models.settings import TrainingSettings
from models.tabulated import score_test, train
from models.tabulated_settings import (
    SETTINGS,
    TabulatedSettings,
    point_of,
    read_landscape,
    training_fault,
)

Make = Callable[..., Any]
GOOD = {"learning_rate": 0.03, "batch_size": 2, "optimizer": "adam", "epochs": 27}


def test_the_recording_is_whole() -> None:
    landscape = read_landscape("unet_street_scenes")
    points = {point for point, _ in landscape.curves}
    counts = [len(landscape.values(name)) for name in SETTINGS]
    assert counts == [6, 4, 3]
    assert len(points) == 6 * 4 * 3
    assert len(landscape.curves) == len(points) * landscape.seeds == 144
    assert {len(curve) for curve in landscape.curves.values()} == {landscape.epochs} == {27}


def test_every_epoch_scores_what_was_recorded_and_the_best_one_counts(attempts: Make) -> None:
    cell = attempts(TabulatedSettings(), GOOD, seed=1)
    result = train(cell.session(objective="val/iou", maximize=True))
    curve = read_landscape("unet_street_scenes").curves[(0.03, 2, "adam"), 1]
    assert [each.metrics["val/iou"] for each in cell.reports] == [e["val/iou"] for e in curve]
    assert result.metrics["val/iou"] == max(each["val/iou"] for each in curve)
    assert curve[result.best_epoch - 1]["val/iou"] == result.metrics["val/iou"]


def test_a_lower_loss_is_better(attempts: Make) -> None:
    cell = attempts(TabulatedSettings(), GOOD)
    result = train(cell.session(objective="val/loss", maximize=False))
    assert result.metrics["val/loss"] == min(each.metrics["val/loss"] for each in cell.reports)


def test_a_stopped_training_goes_on_where_it_was(attempts: Make) -> None:
    whole = train(attempts(TabulatedSettings(), GOOD).session())
    cell = attempts(TabulatedSettings(), GOOD)
    with pytest.raises(Interrupted):
        train(cell.session(stop_at_poll=5))
    stopped = len(cell.reports)
    assert 0 < stopped < 27
    again = train(cell.session())
    assert (again.metrics, again.best_epoch) == (whole.metrics, whole.best_epoch)
    assert [each.epoch for each in cell.reports] == list(range(1, 28)), "each epoch once"


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (
            {"learning_rate": 0.02},
            "learning_rate must be one that was recorded (0.0003, 0.001, 0.003, 0.01, 0.03, "
            "0.1), got 0.02",
        ),
        ({"epochs": 28}, "epochs must be from 1 to the 27 recorded, got 28"),
    ],
)
def test_what_was_not_recorded_is_refused(
    attempts: Make, changes: dict[str, Any], message: str
) -> None:
    wanted = TrainingSettings.model_validate({**GOOD, **changes})
    assert training_fault(TabulatedSettings(), wanted) == message
    with pytest.raises(ValueError, match=message.split(" ", 1)[0]):
        train(attempts(TabulatedSettings(), {**GOOD, **changes}).session())


def test_a_seed_that_was_not_recorded_is_refused(attempts: Make) -> None:
    with pytest.raises(ValueError, match="seed must be one that was recorded, got 2"):
        train(attempts(TabulatedSettings(), GOOD, seed=2).session())


def test_the_test_split_has_no_scores(attempts: Make) -> None:
    cell = attempts(TabulatedSettings(), GOOD)
    result = train(cell.session())
    weights = cell.folders[0] / result.files["weights"]
    assert json.loads(weights.read_text()) == {"epoch": result.best_epoch}
    assert score_test(cell.session(), weights).metrics == {}


def test_settings_lie_at_one_point_of_the_table() -> None:
    assert point_of(TrainingSettings.model_validate(GOOD)) == (0.03, 2, "adam")
