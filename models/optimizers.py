"""Update rules by name."""

from collections.abc import Iterable
from typing import Any

from torch import nn, optim

from models.optimizer_settings import OPTIMIZERS_OF
from models.settings import TrainingSettings

MOMENTUM_OF_ADAM = "betas"  # beta1 and beta2, together


def build_optimizer(
    training: TrainingSettings, parameters: Iterable[nn.Parameter] | Iterable[dict[str, Any]]
) -> optim.Optimizer:
    """Build the optimizer that the settings name.

    Args:
        training: Names it.
        parameters: What it changes, or groups of that with a learning rate each.
    """
    given: dict[str, Any] = {"lr": training.learning_rate, "weight_decay": training.weight_decay}
    rule: dict[str, Any] = training.rule_parameters()
    match training.optimizer:
        case "adam" | "adamw":
            kind = optim.Adam if training.optimizer == "adam" else optim.AdamW
            betas = (rule["beta1"], rule["beta2"])
            return kind(
                parameters, betas=betas, eps=rule["epsilon"], amsgrad=rule["amsgrad"], **given
            )
        case "sgd":
            return optim.SGD(parameters, **rule, **given)
        case "rmsprop":
            return optim.RMSprop(
                parameters,
                alpha=rule["rms_decay"],
                eps=rule["epsilon"],
                momentum=rule["momentum"],
                centered=rule["centered"],
                **given,
            )


def read_rule(optimizer: optim.Optimizer) -> dict[str, float | bool]:
    """Return the parameters of a live optimizer by the names that a study has for them."""
    group = dict(optimizer.param_groups[0])
    if MOMENTUM_OF_ADAM in group:
        group["beta1"], group["beta2"] = group[MOMENTUM_OF_ADAM]
    names = {"eps": "epsilon", "alpha": "rms_decay"}
    found = {names.get(name, name): value for name, value in group.items()}
    return {name: found[name] for name in OPTIMIZERS_OF if name in found}


def set_learning_rate(optimizer: optim.Optimizer, rate: float) -> None:
    """Set the rate of every group, those of a layer with a factor to that multiple of it."""
    for group in optimizer.param_groups:
        group["lr"] = rate * group.get("factor", 1.0)


def read_learning_rate(optimizer: optim.Optimizer) -> float:
    """Return the rate of what has no factor."""
    first = optimizer.param_groups[0]
    return float(first["lr"]) / float(first.get("factor", 1.0))


def set_momentum(optimizer: optim.Optimizer, momentum: float) -> None:
    """Set how much of the step before is kept: beta1 of adam and adamw."""
    for group in optimizer.param_groups:
        if MOMENTUM_OF_ADAM in group:
            group[MOMENTUM_OF_ADAM] = (momentum, group[MOMENTUM_OF_ADAM][1])
        else:
            group["momentum"] = momentum
