from typing import Any

import pytest
import torch

from models.optimizers import build_optimizer
from models.settings import TrainingSettings


@pytest.mark.parametrize(
    ("settings", "kind", "live"),
    [
        ({"optimizer": "adam", "weight_decay": 0.1}, torch.optim.Adam, {"weight_decay": 0.1}),
        ({"optimizer": "adamw", "weight_decay": 0.1}, torch.optim.AdamW, {"weight_decay": 0.1}),
        ({"optimizer": "sgd"}, torch.optim.SGD, {"momentum": 0.0, "nesterov": False}),
        (
            {"optimizer": "sgd", "momentum": 0.9, "nesterov": True},
            torch.optim.SGD,
            {"momentum": 0.9, "nesterov": True},
        ),
        ({"optimizer": "rmsprop", "momentum": 0.3}, torch.optim.RMSprop, {"momentum": 0.3}),
    ],
)
def test_settings_reach_the_optimizer(
    settings: dict[str, Any], kind: type[torch.optim.Optimizer], live: dict[str, Any]
) -> None:
    training = TrainingSettings.model_validate({**settings, "learning_rate": 0.25})
    optimizer = build_optimizer(training, [torch.nn.Parameter(torch.zeros(2))])
    assert type(optimizer) is kind
    group = optimizer.param_groups[0]
    assert group["lr"] == 0.25
    assert {name: group[name] for name in live} == live
