"""Update rules by name."""

from collections.abc import Iterable
from typing import Any

from torch import nn, optim

from models.settings import TrainingSettings


def build_optimizer(
    training: TrainingSettings, parameters: Iterable[nn.Parameter] | Iterable[dict[str, Any]]
) -> optim.Optimizer:
    """Build the optimizer that the settings name; fields that are unset keep torch's default.

    Args:
        training: Names it.
        parameters: What it changes, or groups of that with a learning rate each.
    """
    rate, decay = training.learning_rate, training.weight_decay
    momentum = training.momentum or 0.0
    match training.optimizer:
        case "adam":
            return optim.Adam(parameters, lr=rate, weight_decay=decay)
        case "adamw":
            return optim.AdamW(parameters, lr=rate, weight_decay=decay)
        case "sgd":
            return optim.SGD(
                parameters,
                lr=rate,
                momentum=momentum,
                weight_decay=decay,
                nesterov=training.nesterov,
            )
        case "rmsprop":
            return optim.RMSprop(parameters, lr=rate, momentum=momentum, weight_decay=decay)


def set_learning_rate(optimizer: optim.Optimizer, rate: float) -> None:
    """Set the rate of every group, those of a layer with a factor to that multiple of it."""
    for group in optimizer.param_groups:
        group["lr"] = rate * group.get("factor", 1.0)


def read_learning_rate(optimizer: optim.Optimizer) -> float:
    """Return the rate of what has no factor."""
    first = optimizer.param_groups[0]
    return float(first["lr"]) / float(first.get("factor", 1.0))
