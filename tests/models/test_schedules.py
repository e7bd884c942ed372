import random
from typing import Any

import pytest
import torch
from torch.optim import lr_scheduler

from models.schedules import learning_rate
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
            settings(name="constant"),
            lambda optimizer: lr_scheduler.ConstantLR(optimizer, factor=1.0),
        ),
    ],
    ids=["step", "cosine", "plateau", "constant"],
)
def test_rates_are_those_of_torchs_scheduler(training: TrainingSettings, build: Any) -> None:
    losses = falling_then_flat(12)
    optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=0.4)
    expected = torch_rates(build(optimizer), losses)
    rates = [learning_rate(training, losses[:epoch]) for epoch in range(12)]
    assert rates == pytest.approx(expected, rel=1e-9)
    if training.schedule.name != "constant":
        assert len(set(rates)) > 2, "the case must show the schedule at work"
