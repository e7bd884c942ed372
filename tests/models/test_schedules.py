import random
from typing import Any

import pytest
import torch
from torch.optim import lr_scheduler

from models.schedules import Place, learning_rate, step_factor, step_momentum
from models.settings import TrainingSettings


def settings(**schedule: Any) -> TrainingSettings:  # fields of a schedule
    return TrainingSettings.model_validate(
        {"learning_rate": 0.4, "epochs": 12, "schedule": schedule}
    )


def falling_then_flat(epochs: int) -> list[float]:
    noise = random.Random(3)
    return [max(0.5, 2 - 0.3 * epoch) + 0.02 * noise.random() for epoch in range(epochs)]


def torch_rates(scheduler: Any, losses: list[float]) -> list[float]:
    rates = []
    for loss in losses:
        rates.append(scheduler.optimizer.param_groups[0]["lr"])
        scheduler.optimizer.step()
        if isinstance(scheduler, lr_scheduler.ReduceLROnPlateau):
            scheduler.step(loss)
        else:
            scheduler.step()
    return rates


@pytest.mark.parametrize(
    ("training", "build"),
    [
        (
            settings(name="step", every_epochs=3, factor=0.1),
            lambda optimizer: lr_scheduler.StepLR(optimizer, 3, 0.1),
        ),
        (
            settings(name="cosine", final_learning_rate=0.01),
            lambda optimizer: lr_scheduler.CosineAnnealingLR(optimizer, 12, 0.01),
        ),
        (
            settings(name="plateau", patience_epochs=1, factor=0.5),
            lambda optimizer: lr_scheduler.ReduceLROnPlateau(optimizer, factor=0.5, patience=1),
        ),
        (
            settings(name="multi_step", after_epochs=[2, 3, 9], factor=0.5),
            lambda optimizer: lr_scheduler.MultiStepLR(optimizer, [2, 3, 9], 0.5),
        ),
        (
            settings(name="constant"),
            lambda optimizer: lr_scheduler.ConstantLR(optimizer, factor=1.0),
        ),
    ],
    ids=["step", "cosine", "plateau", "multi_step", "constant"],
)
def test_rates_are_those_of_torchs_scheduler(training: TrainingSettings, build: Any) -> None:
    losses = falling_then_flat(12)
    optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=0.4)
    expected = torch_rates(build(optimizer), losses)
    rates = [learning_rate(training, losses[:epoch]) for epoch in range(12)]
    assert rates == pytest.approx(expected, rel=1e-9)
    if training.schedule.name != "constant":
        assert len(set(rates)) > 2, "the case must show the schedule at work"


def by_steps(training: TrainingSettings, steps: int) -> list[float]:
    """Return the rate of every step of a training."""
    return [
        learning_rate(training, [1.0] * epoch) * step_factor(training, Place(epoch, step, steps))
        for epoch in range(training.epochs)
        for step in range(steps)
    ]


def torch_steps(build: Any, count: int, *, lr: float = 0.4) -> tuple[list[float], list[float]]:
    """Return rate and momentum of every step under a scheduler of torch's."""
    optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=lr, momentum=0.95)
    scheduler = build(optimizer)
    rates, momenta = [], []
    for step in range(count):
        rates.append(optimizer.param_groups[0]["lr"])
        momenta.append(optimizer.param_groups[0]["momentum"])
        optimizer.step()
        if step + 1 < count:
            scheduler.step()
    return rates, momenta


STEPS = 5
SHAPES: dict[str, dict[str, Any]] = {
    "triangular": {"mode": "triangular"},
    "triangular2": {"mode": "triangular2"},
    "exp_range": {"mode": "exp_range", "gamma": 0.8 ** (1 / STEPS)},
}


@pytest.mark.parametrize("shape", SHAPES)
def test_cyclical_rates_are_those_of_torchs_scheduler(shape: str) -> None:
    decay = {"decay": 0.8} if shape == "exp_range" else {}
    training = settings(
        name="cyclical", half_cycle_epochs=1.4, low_factor=0.25, shape=shape, **decay
    )
    expected, _ = torch_steps(
        lambda optimizer: lr_scheduler.CyclicLR(
            optimizer, 0.1, 0.4, step_size_up=7, cycle_momentum=False, **SHAPES[shape]
        ),
        12 * STEPS,
    )
    assert by_steps(training, STEPS) == pytest.approx(expected, rel=1e-9)


@pytest.mark.parametrize("share", [0.3, 0.5])
def test_one_cycle_is_that_of_torchs_scheduler(share: float) -> None:
    training = TrainingSettings.model_validate(
        {
            "optimizer": "sgd",
            "momentum": 0.95,
            "learning_rate": 0.4,
            "epochs": 12,
            "schedule": {"name": "one_cycle", "rising_share": share, "lowest_momentum": 0.85},
        }
    )
    rates, momenta = torch_steps(
        lambda optimizer: lr_scheduler.OneCycleLR(
            optimizer, 0.4, total_steps=12 * STEPS, pct_start=share
        ),
        12 * STEPS,
    )
    assert by_steps(training, STEPS) == pytest.approx(rates, rel=1e-9)
    found = [
        step_momentum(training, Place(*divmod(step, STEPS), STEPS)) for step in range(12 * STEPS)
    ]
    assert found == pytest.approx(momenta, rel=1e-9)


def test_one_cycle_leaves_momentum_alone_unless_it_is_asked_to() -> None:
    assert step_momentum(settings(name="one_cycle"), Place(1, 1, STEPS)) is None


def test_one_cycle_of_a_single_step_takes_it_at_the_learning_rate() -> None:
    training = TrainingSettings.model_validate(
        {"learning_rate": 0.4, "epochs": 1, "schedule": {"name": "one_cycle"}}
    )
    assert by_steps(training, 1) == [0.4]


def test_polynomial_rates_are_those_of_torchs_scheduler() -> None:
    expected, _ = torch_steps(
        lambda optimizer: lr_scheduler.PolynomialLR(optimizer, 12 * STEPS, power=0.9), 12 * STEPS
    )
    rates = by_steps(settings(name="polynomial"), STEPS)
    assert rates == pytest.approx(expected, rel=1e-9)


def test_final_drop_divides_the_rate_for_the_last_epochs() -> None:
    training = settings(name="final_drop", last_epochs=4)
    rates = [learning_rate(training, [1.0] * epoch) for epoch in range(12)]
    assert rates == pytest.approx([0.4] * 8 + [0.04] * 4)


def test_cycle_goes_from_its_lowest_rate_to_the_learning_rate_and_back() -> None:
    training = settings(name="cyclical", half_cycle_epochs=2)
    assert by_steps(training, 1)[:9] == pytest.approx(
        [0.1, 0.25, 0.4, 0.25, 0.1, 0.25, 0.4, 0.25, 0.1]
    )


def test_warm_up_multiplies_a_schedule_that_goes_by_steps() -> None:
    with_warmup = TrainingSettings.model_validate(
        {
            "learning_rate": 0.4,
            "epochs": 12,
            "schedule": {"name": "polynomial", "power": 1},
            "warmup": {"epochs": 2, "start_factor": 0.5},
        }
    )
    assert by_steps(with_warmup, 1)[:3] == pytest.approx(
        [0.4 * 0.5, 0.4 * 0.75 * 11 / 12, 0.4 * 10 / 12]
    )


@pytest.mark.parametrize(
    ("schedule", "message"),
    [
        ({"name": "final_drop", "last_epochs": 12}, r"last_epochs must be below epochs 12, or no"),
        (
            {"name": "multi_step", "after_epochs": [3, 12]},
            "after_epochs must be below epochs 12, or the last step is never taken; got 12",
        ),
        ({"name": "multi_step", "after_epochs": [3, 3]}, r"must ascend .*, got \[3, 3\]"),
        (
            {"name": "cyclical", "half_cycle_epochs": 13},
            "half_cycle_epochs must be below epochs 12, or the learning rate is never reached",
        ),
        (
            {"name": "cyclical", "decay": 0.5},
            "decay has no effect with shape 'triangular'; remove it or use 'exp_range'",
        ),
        (
            {"name": "cosine", "final_learning_rate": 0.5},
            "final_learning_rate must be at most learning_rate 0.4, from which .*; got 0.5; lower",
        ),
        (
            {"name": "one_cycle", "lowest_momentum": 0.9},
            "lowest_momentum must be below beta1 0.9, from which it falls; got 0.9; raise beta1",
        ),
    ],
)
def test_a_schedule_without_its_effect_is_refused(schedule: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        settings(**schedule)


def test_one_cycle_begins_with_no_other_warm_up() -> None:
    given = {"epochs": 9, "warmup": {"epochs": 1}, "schedule": {"name": "one_cycle"}}
    with pytest.raises(ValueError, match="warmup has no place before schedule one_cycle"):
        TrainingSettings.model_validate(given)


def test_one_cycle_of_rmsprop_never_comes_to_no_momentum() -> None:
    given = {
        "epochs": 9,
        "optimizer": "rmsprop",
        "momentum": 0.9,
        "schedule": {"name": "one_cycle", "lowest_momentum": 0.0},
    }
    with pytest.raises(ValueError, match=r"must be above 0 with optimizer 'rmsprop', .* got 0;"):
        TrainingSettings.model_validate(given)
    assert TrainingSettings.model_validate({**given, "optimizer": "sgd"}).momentum == 0.9
