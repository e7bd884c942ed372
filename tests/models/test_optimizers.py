from typing import Any

import pytest
import torch

from models.optimizers import build_optimizer, read_rule, set_momentum
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
        (
            {"optimizer": "rmsprop", "rms_decay": 0.5, "centered": True, "epsilon": 0.1},
            torch.optim.RMSprop,
            {"alpha": 0.5, "centered": True, "eps": 0.1},
        ),
        (
            {"optimizer": "adamw", "beta1": 0.5, "beta2": 0.7, "amsgrad": True, "epsilon": 0.1},
            torch.optim.AdamW,
            {"betas": (0.5, 0.7), "amsgrad": True, "eps": 0.1},
        ),
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


@pytest.mark.parametrize("name", ["adam", "adamw", "sgd", "rmsprop"])
def test_what_is_not_given_is_torchs_default(name: str) -> None:
    training = TrainingSettings.model_validate({"optimizer": name})
    weights = [torch.nn.Parameter(torch.zeros(2))]
    kind: Any = {
        "adam": torch.optim.Adam,
        "adamw": torch.optim.AdamW,
        "sgd": torch.optim.SGD,
        "rmsprop": torch.optim.RMSprop,
    }[name]
    group = build_optimizer(training, weights).param_groups[0]
    usual = kind(weights, lr=training.learning_rate, weight_decay=0.0).param_groups[0]
    assert {**group, "params": None} == {**usual, "params": None}


def test_a_live_optimizer_is_read_back_by_the_names_of_a_study() -> None:
    given = {"beta1": 0.5, "beta2": 0.7, "amsgrad": True, "epsilon": 0.1}
    training = TrainingSettings.model_validate({"optimizer": "adam", **given})
    optimizer = build_optimizer(training, [torch.nn.Parameter(torch.zeros(2))])
    assert read_rule(optimizer) == given == training.rule_parameters()
    set_momentum(optimizer, 0.25)
    assert read_rule(optimizer) == {**given, "beta1": 0.25}


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"optimizer": "sgd", "beta1": 0.5}, "beta1 .*'sgd'; remove it or use 'adam' or 'adamw'"),
        ({"optimizer": "rmsprop", "beta2": 0.5}, "beta2 has no effect with optimizer 'rmsprop'"),
        ({"optimizer": "rmsprop", "amsgrad": True}, "amsgrad has no effect"),
        ({"optimizer": "sgd", "epsilon": 1e-4}, "epsilon has no effect with optimizer 'sgd'"),
        ({"optimizer": "adam", "rms_decay": 0.9}, "rms_decay .* remove it or use 'rmsprop'"),
        ({"optimizer": "adam", "centered": True}, "centered has no effect"),
        ({"optimizer": "adam", "momentum": 0.0}, "momentum .* use 'sgd' or 'rmsprop'"),
        ({"optimizer": "sgd", "nesterov": True}, "nesterov needs optimizer 'sgd' and a momentum"),
        ({"optimizer": "adam", "beta1": 1.0}, "less than 1"),
    ],
)
def test_a_parameter_that_the_rule_does_not_have_is_refused(
    settings: dict[str, Any], message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        TrainingSettings.model_validate(settings)
