"""Which weights of a network learn: all, those from a layer on, or the last layers alone.

What is frozen stays as it is to the last bit: its weights get no gradient and are kept from the
optimizer's weight decay, and its batch normalisation takes no statistics of a batch, neither to
normalise by nor to remember.
"""

from collections.abc import Iterator
from typing import Any

from torch import nn

from models.class_rows import HasClassRows
from models.named_layers import TransferError, is_within, unknown_layer
from models.settings import TrainingSettings, TransferSettings


def freeze(network: nn.Module, transfer: TransferSettings | None) -> None:
    """Freeze what the settings say, of a network that was just built.

    Raises:
        TransferError: A layer is not there, or nothing is left to learn or to freeze.
    """
    if transfer is None:
        return
    for module in _frozen(network, transfer):
        for weights in module.parameters(recurse=False):
            weights.requires_grad_(False)
        if getattr(module, "running_mean", None) is not None:
            module.register_forward_pre_hook(_keep_statistics)


def frozen_weights(network: nn.Module, transfer: TransferSettings | None) -> set[str]:
    """Return the names of the weights that `freeze` freezes.

    Weights that a network never trains, as those of a fixed upsampling, are none of them.
    """
    if transfer is None:
        return set()
    frozen = {id(module) for module in _frozen(network, transfer)}
    return {
        f"{layer}.{name}" if layer else name
        for layer, module in network.named_modules()
        if id(module) in frozen
        for name, _ in module.named_parameters(recurse=False)
    }


def parameter_groups(
    network: nn.Module, training: TrainingSettings
) -> Iterator[nn.Parameter] | list[dict[str, Any]]:
    """Return what the optimizer changes, each layer at its own rate where the settings say so.

    A group is of a `layer`, "" those that no factor is given for, which come first. The `factor`
    beside it is what `models.optimizers.set_learning_rate` multiplies every epoch's rate by.

    Raises:
        TransferError: A layer with a factor is not there, or frozen; or all is that makes the
            embedding which the loss needs.
    """
    if training.transfer is None:
        return network.parameters()
    factors = training.transfer.learning_rate_factors
    layers = sorted(factors, key=len, reverse=True)
    members: dict[str, list[nn.Parameter]] = {layer: [] for layer in ("", *factors)}
    for name, weights in network.named_parameters():
        if weights.requires_grad:
            layer = next((each for each in layers if is_within(name, each)), "")
            members[layer].append(weights)
    _require_members(network, members)
    if training.loss == "triplet":
        _require_embedding(network)
    rate = training.learning_rate
    return [
        {
            "params": members[layer],
            "lr": rate * factors.get(layer, 1.0),
            "layer": layer,
            "factor": factors.get(layer, 1.0),
        }
        for layer in members
        if members[layer]
    ]


def _frozen(network: nn.Module, transfer: TransferSettings) -> list[nn.Module]:
    modules = dict(network.named_modules())
    if transfer.mode == "feature_extractor":
        if not isinstance(network, HasClassRows):
            raise TransferError(
                "mode feature_extractor needs a network that says which layers are of classes, "
                f"got {type(network).__name__}; use mode fine_tuning with freeze_to"
            )
        learning = [rows.layer for rows in network.class_rows]
        if not any([*network.get_submodule(layer).parameters()] for layer in learning):
            raise TransferError(
                "mode feature_extractor needs layers of classes with weights, which alone would "
                f"learn, but {', '.join(learning)} of {type(network).__name__} has none; use mode "
                "fine_tuning"
            )
        return [
            module
            for name, module in modules.items()
            if not any(is_within(name, layer) for layer in learning)
        ]
    if transfer.freeze_to is None:
        return []
    if transfer.freeze_to not in modules:
        raise TransferError(unknown_layer("freeze_to", transfer.freeze_to, network))
    names = list(modules)
    before = [modules[name] for name in names[: names.index(transfer.freeze_to)]]
    if not any(list(module.parameters(recurse=False)) for module in before):
        raise TransferError(
            f"freeze_to must name a layer with weights before it, got '{transfer.freeze_to}', "
            "the first one; name a later layer, or write null"
        )
    return before


def _require_members(network: nn.Module, members: dict[str, list[nn.Parameter]]) -> None:
    """Refuse a factor that multiplies nothing."""
    if not any(members.values()):
        raise TransferError(
            "a training must have weights that learn, but all are frozen; name an earlier layer "
            "in freeze_to"
        )
    names = [name for name, _ in network.named_parameters()]
    for layer in (layer for layer in members if layer and not members[layer]):
        if not any(is_within(name, layer) for name in names):
            raise TransferError(unknown_layer("learning_rate_factors", layer, network))
        raise TransferError(
            f"learning_rate_factors has no effect on '{layer}', whose weights are all frozen or "
            "have a factor of their own; remove it"
        )


def _require_embedding(network: nn.Module) -> None:
    """Refuse triplets of embeddings that never change."""
    logits = (
        [rows.layer for rows in network.class_rows] if isinstance(network, HasClassRows) else []
    )
    for name, weights in network.named_parameters():
        if weights.requires_grad and not any(is_within(name, layer) for layer in logits):
            return
    raise TransferError(
        "loss 'triplet' needs weights that learn before the layer of the logits "
        f"({', '.join(logits)}), but all are frozen; name an earlier layer in freeze_to, or use "
        "loss 'cross_entropy'"
    )


def _keep_statistics(module: nn.Module, _given: object) -> None:
    """Stay in evaluation mode, whatever mode the network was put into since."""
    module.training = False
