"""What a network starts from: random or pretrained weights, then those of an earlier training.

What neither gave it is random: that may learn, but must not be kept as it is, nor be scored.
"""

import logging
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import nn

from models.catalog import MODELS, TASKS
from models.class_synonyms import named_as
from models.entries import TRAINING_LOOP, ModelEntry
from models.freezing import frozen_weights
from models.named_layers import TransferError
from models.pretrained import is_rehearsal, taking_classes
from models.pretrained_settings import names_weights
from models.resolve import resolve
from models.session import StartingWeights, TrainingSession
from models.settings import ModelSettings, TrainingSettings
from models.transfer import (
    Fit,
    carry_over,
    class_rows_of,
    copy_over,
    require_no_frozen_noise,
    some,
)
from models.workbench import load_pretrained
from models.written import never_written, untouched_layers, write_counts

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
        TransferError: Those of an earlier training cannot be had, or do not fit; or random
            weights would be kept as they are, or scored.
        OSError: The disk is full.
    """
    start, transfer = session.start, session.training.transfer
    if start is None and transfer is not None and transfer.init_from is not None:
        raise TransferError(
            f"a training that starts from {transfer.init_from} must be given its weights, got "
            "none; this is a fault of the program, not of the study"
        )
    return put_start(network, session.model, session.training, start, class_names=class_names)


def put_start(
    network: nn.Module,
    model: ModelSettings,
    training: TrainingSettings,
    start: StartingWeights | None,
    *,
    class_names: Sequence[str],
) -> dict[str, Any]:
    """Do as `load_start` does, told by settings; the network may be on "meta" in a rehearsal."""
    since = write_counts(network)
    pretrained = load_pretrained_classes(network, model, class_names)
    fit = carry_over(network, start, class_names) if start is not None else None
    frozen = frozen_weights(network, training.transfer)
    require_no_frozen_noise(name for name in never_written(network, since) if name in frozen)
    # R-CNN's own trainer fits its last layers anew, also to a network that never learned.
    if not training.epochs and MODELS[model.name].trainer == TRAINING_LOOP:
        _require_no_scored_noise(network, since, pretrained, fit)
    if start is None or fit is None:
        return {"pretrained": pretrained, "transfer": None}
    found = fit.describe()
    _warn_of_layers(network, start, found["new_layers"])
    if not training.epochs:
        _warn_of_classes(start.name, fit.classes.get("new", ()))
    facts = {"init_from": start.name, "file": start.file.name, "sha256": start.sha256}
    return {"pretrained": pretrained, "transfer": {**facts, **found}}


def load_pretrained_classes(
    network: nn.Module, settings: ModelSettings, class_names: Sequence[str]
) -> list[dict[str, str]]:
    """Load pretrained weights, and rows of classes by name where the file's classes are known.

    Returns:
        As `load_pretrained`; with "classes" that were carried over and "new_classes" that start
        anew, where there are any of the former.

    Raises:
        PretrainedWeightsError: They cannot be had.
        OSError: The disk is full.
    """
    entry = MODELS[settings.name]
    pretrained = str(getattr(settings, "pretrained", ""))
    source, name = entry.pretrained_classes.get(pretrained), f"pretrained '{pretrained}'"
    if source is None or entry.builder is None or not names_weights(settings):
        return load_pretrained(network, settings)
    known: tuple[str, ...] = named_as(class_names, resolve(source)())
    if not set(known) & set(class_names):
        _warn_of_classes(name, class_names)
        return load_pretrained(network, settings)
    with torch.random.fork_rng(devices=[]):  # the network's own weights were drawn already
        whole: nn.Module = resolve(entry.builder)(settings, _channels(entry, known))
    since = write_counts(whole)
    with taking_classes():
        loaded = load_pretrained(whole, settings)
    untouched = set(untouched_layers(whole, since))
    if all(rows.layer in untouched for rows in class_rows_of(whole)):
        _warn_of_classes(name, class_names)
        return load_pretrained(network, settings)  # other priors: its last layers do not fit
    start = StartingWeights(loaded[0]["file"], Path(loaded[0]["file"]), "", known)
    fit = copy_over(network, whole.state_dict(), start, class_names)
    _warn_of_classes(name, fit.classes["new"])
    named = {"classes": fit.classes["carried"], "new_classes": fit.classes["new"]}
    return [{**each, **{k: ", ".join(v) for k, v in named.items() if v}} for each in loaded]


def _channels(entry: ModelEntry, class_names: Sequence[str]) -> int:
    """Count the output channels of a network for classes, in the task that is the model's."""
    (task,) = entry.tasks
    return TASKS[task].output_channels(TrainingSettings(), class_names)


def _warn_of_layers(network: nn.Module, start: StartingWeights, new: Sequence[str]) -> None:
    of_classes = {rows.layer for rows in class_rows_of(network)}
    fresh = [layer for layer in new if layer not in of_classes]
    if fresh and not is_rehearsal():
        logger.warning(
            "%s has nothing for %s, which start anew",
            start.name,
            ", ".join(fresh),
            extra={"topic": f"layers that {start.name} lacks"},
        )


def _warn_of_classes(source: str, new: Sequence[str]) -> None:
    if new and not is_rehearsal():
        logger.warning(
            "%s knows no class named %s, which start anew",
            source,
            ", ".join(new),
            extra={"topic": f"classes that {source} lacks"},
        )


def _require_no_scored_noise(
    network: nn.Module,
    since: Mapping[str, int],
    pretrained: Sequence[Mapping[str, str]],
    fit: Fit | None,
) -> None:
    """Refuse to score layers that were drawn at random, or of which every class was.

    Raises:
        TransferError: There are such layers.
    """
    noise = untouched_layers(network, since)
    is_known = any(each.get("classes") for each in pretrained)
    if not is_known and (fit is None or (fit.by_class and not fit.classes["carried"])):
        noise += [rows.layer for rows in class_rows_of(network) if rows.layer not in noise]
    if noise:
        raise TransferError(
            f"0 epochs score the weights that a network starts from, but {some(noise)} would be "
            "random; train for at least 1 epoch, or start from weights that know these classes by "
            "name (training.transfer.init_from, or model.pretrained of the classes)"
        )
