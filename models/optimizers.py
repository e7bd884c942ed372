"""Update rules by name."""

from collections.abc import Iterable

from torch import nn, optim

from models.settings import TrainingSettings


def build_optimizer(
    training: TrainingSettings, parameters: Iterable[nn.Parameter]
) -> optim.Optimizer:
    """Build the optimizer that the settings name; fields that are unset keep torch's default."""
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
