"""Compute ends a training, by counting and not by the clock."""

import math
from collections.abc import Callable
from typing import Any

import pytest

from models.epochs import with_last_epoch
from models.noop import train as train_noop
from models.noop_settings import NoopSettings
from models.schedules import Place, step_factor
from models.session import Interrupted
from models.settings import TrainingSettings
from models.training import train

COSINE = {"schedule": {"name": "cosine", "final_learning_rate": 0.001}}


@pytest.fixture
def epoch_macs(attempts: Callable[..., Any]) -> float:
    """Return what an epoch of the small network costs."""
    return train(attempts(training={"epochs": 1}).session()).train_macs


@pytest.mark.parametrize(("limit", "epochs"), [(0.2, 1), (1.0, 1), (1.1, 2), (3.0, 3), (99.0, 7)])
def test_training_ends_with_the_epoch_that_spends_the_limit(
    attempts: Callable[..., Any], epoch_macs: float, limit: float, epochs: int
) -> None:
    cell = attempts(training={"epochs": 7, "macs_limit": limit * epoch_macs})
    result = train(cell.session())
    assert result.epochs == epochs
    assert result.train_macs == pytest.approx(epochs * epoch_macs)
    assert ("macs_limit" in result.note) == (limit < 99)


def test_the_schedule_ends_where_the_compute_does(
    attempts: Callable[..., Any], epoch_macs: float
) -> None:
    limited = attempts(training={"epochs": 50, "macs_limit": 3 * epoch_macs, **COSINE})
    planned = attempts(training={"epochs": 3, **COSINE})
    train(limited.session())
    train(planned.session())
    rates = [
        [report.metrics["learning_rate"] for report in cell.reports] for cell in (limited, planned)
    ]
    assert rates[0] == rates[1]


def test_a_limited_training_that_was_stopped_ends_as_one_that_was_not(
    attempts: Callable[..., Any], epoch_macs: float
) -> None:
    recipe = {"epochs": 50, "macs_limit": 2.5 * epoch_macs, **COSINE}
    expected = train(attempts(training=recipe).session())
    cell = attempts(training=recipe)
    for poll in (2, 5, 3):
        with pytest.raises(Interrupted):
            train(cell.session(stop_at_poll=poll))
    result = train(cell.session())
    assert (result.metrics, result.epochs, result.train_macs, result.note) == (
        expected.metrics,
        expected.epochs,
        expected.train_macs,
        expected.note,
    )


def test_the_scripted_trainer_keeps_to_the_limit(attempts: Callable[..., Any]) -> None:
    model = NoopSettings(macs_per_image=10.0, images=4)
    cell = attempts(model=model, training={"epochs": 9, "macs_limit": 3 * 10.0 * 4 * 2})
    result = train_noop(cell.session())
    assert (result.epochs, result.train_macs) == (2, 240.0)


def test_a_warmup_beyond_the_compute_is_refused_before_the_first_step(
    attempts: Callable[..., Any], epoch_macs: float
) -> None:
    recipe = {"epochs": 50, "macs_limit": 2 * epoch_macs}
    too_long = attempts(training={**recipe, "warmup": {"epochs": 5}})
    with pytest.raises(
        ValueError, match=r"below the 2 of 50 epochs .* got 5; shorten the warm-up"
    ):
        train(too_long.session())
    assert not too_long.reports
    assert train(attempts(training={**recipe, "warmup": {"epochs": 1.5}}).session()).epochs == 2


@pytest.mark.parametrize(
    ("schedule", "message"),
    [
        ({"name": "final_drop", "last_epochs": 2}, "schedule.last_epochs .* drop it later"),
        ({"name": "multi_step", "after_epochs": [1, 4]}, "after_epochs .* name earlier epochs"),
        ({"name": "cyclical"}, "half_cycle_epochs .* shorten the cycle, or raise macs_limit"),
    ],
)
def test_a_schedule_beyond_the_compute_is_refused(schedule: dict[str, Any], message: str) -> None:
    training = TrainingSettings.model_validate(
        {"epochs": 9, "macs_limit": 2.0, "schedule": schedule}
    )
    with pytest.raises(ValueError, match=message):
        with_last_epoch(training, 1.0)
    assert with_last_epoch(training, 0.3).epochs == 7


def test_a_schedule_by_steps_ends_where_the_compute_does() -> None:
    one_cycle = {"epochs": 9, "macs_limit": 3.0, "schedule": {"name": "one_cycle"}}
    training = with_last_epoch(TrainingSettings.model_validate(one_cycle), 1.0)
    assert step_factor(training, Place(2, 4, 5)) == pytest.approx(4e-6)


def test_a_limit_never_adds_epochs() -> None:
    training = TrainingSettings(epochs=3, macs_limit=1e12)
    assert with_last_epoch(training, 1.0).epochs == 3
    assert with_last_epoch(TrainingSettings(epochs=3), 1.0).epochs == 3
    assert with_last_epoch(TrainingSettings(epochs=3, macs_limit=1.0), 0.0).epochs == 3


def test_rounding_in_a_sum_of_products_adds_no_epoch() -> None:
    epoch = 0.1 + 0.2  # not quite 0.3
    limited = TrainingSettings(epochs=9, macs_limit=math.nextafter(3 * epoch, math.inf))
    assert with_last_epoch(limited, epoch).epochs == 3
