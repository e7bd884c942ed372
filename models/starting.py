"""What a network starts from: random or pretrained weights, then those of an earlier training."""

import logging
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from models.catalog import MODELS
from models.named_layers import TransferError
from models.pretrained_settings import names_weights
from models.resolve import resolve
from models.session import StartingWeights, TrainingSession
from models.settings import ModelSettings
from models.transfer import carry_over, class_rows_of, copy_over, require_no_frozen_noise
from models.workbench import load_pretrained

logger = logging.getLogger(__name__)


def load_start(
    network: nn.Module, session: TrainingSession, class_names: Sequence[str]
) -> dict[str, Any]:
    """Give a new network the weights that its session names; return what they were.

    Args:
        network: Just built.
        session: Says what to start from.
        class_names: Of the network, in label order.

    Returns:
        "pretrained" and "transfer", as JSON; [] and None where there is no such thing.

    Raises:
        PretrainedWeightsError: Pretrained weights cannot be had.
        TransferError: Those of an earlier training cannot be had, or do not fit.
        OSError: The disk is full.
    """
    pretrained = load_pretrained_classes(network, session.model, class_names)
    start, transfer = session.start, session.training.transfer
    if start is None and transfer is not None and transfer.init_from is not None:
        raise TransferError(
            f"a training that starts from {transfer.init_from} must be given its weights, got "
            "none; this is a fault of the program, not of the study"
        )
    if start is None:
        return {"pretrained": pretrained, "transfer": None}
    fit = carry_over(network, start, class_names)
    if not pretrained:
        require_no_frozen_noise(network, fit)
    found = fit.describe()
    of_classes = {rows.layer for rows in class_rows_of(network)}
    if fresh := [layer for layer in found["new_layers"] if layer not in of_classes]:
        logger.warning(
            "%s has nothing for %s, which start anew",
            start.name,
            ", ".join(fresh),
            extra={"topic": f"layers that {start.name} lacks"},
        )
    facts = {"init_from": start.name, "file": start.file.name, "sha256": start.sha256}
    return {"pretrained": pretrained, "transfer": {**facts, **found}}


def load_pretrained_classes(
    network: nn.Module, settings: ModelSettings, class_names: Sequence[str]
) -> list[dict[str, str]]:
    """Load pretrained weights, and rows of classes by name where the file's classes are known.

    Returns:
        As `load_pretrained`; with "classes", those that were carried over, where there are any.

    Raises:
        PretrainedWeightsError: They cannot be had.
        OSError: The disk is full.
    """
    entry = MODELS[settings.name]
    source = entry.pretrained_classes.get(str(getattr(settings, "pretrained", "")))
    if source is None or entry.builder is None or not names_weights(settings):
        return load_pretrained(network, settings)
    known: tuple[str, ...] = resolve(source)()
    if not set(known) & set(class_names):
        return load_pretrained(network, settings)
    with torch.random.fork_rng(devices=[]):  # the network's own weights were drawn already
        whole: nn.Module = resolve(entry.builder)(settings, len(known) + 1)
    drawn = _weights_of_classes(whole)
    loaded = load_pretrained(whole, settings)
    if all(torch.equal(drawn[name], each) for name, each in _weights_of_classes(whole).items()):
        return load_pretrained(network, settings)  # other priors: its last layers do not fit
    start = StartingWeights(loaded[0]["file"], Path(loaded[0]["file"]), "", known)
    fit = copy_over(network, whole.state_dict(), start, class_names)
    return [{**each, "classes": ", ".join(fit.classes["carried"])} for each in loaded]


def _weights_of_classes(network: nn.Module) -> dict[str, Tensor]:
    layers = {rows.layer for rows in class_rows_of(network)}
    weights = network.state_dict()
    return {n: w.clone() for n, w in weights.items() if n.rpartition(".")[0] in layers}
