"""Before a trial starts: are the weights there that cells start from, and do they fit?

Published weights are not looked at, but for which layers they are is known without them.

Each stage is tried on the base settings. What only comes together when a stage above has decided
is found by the trial itself, before its first step.
"""

import json
from collections.abc import Iterator
from typing import Any

from data_pipeline.catalog import label_names
from models.catalog import MODELS, TASKS
from models.entries import TRAINING_LOOP
from models.pretrained_settings import names_weights
from models.resolve import resolve
from models.session import StartingWeights
from studies.running.progress import View
from studies.running.starting import Starts, UnusableStartError
from studies.spec.schema import CellSettings, StudySpec
from studies.spec.settings import base_settings, for_all_classes, for_class, with_changes
from studies.tree.stages import Stage, groups_of, stages_of

START_FACT = "weights of "  # before what a study names, in the record of its environment
TOUCHING = ("training.transfer", "training.loss", "training.epochs", "model", "data.classes")
HASH_DIGITS = 12


def starting_facts(spec: StudySpec, starts: Starts) -> dict[str, str]:
    """Return which weights a study starts from, for its record.

    Raises:
        UnusableStartError: They are not there.
    """
    facts: dict[str, str] = {}
    for settings in starting_settings(spec):
        start = starts.find(settings)
        if start is not None:
            classes = settings.data.classes if spec.data.one_model_per_class else ()
            name = ", ".join([f"{START_FACT}{start.name}", *classes])
            facts[name] = f"{start.file.name}, SHA-256 {start.sha256[:HASH_DIGITS]}"
    return facts


def check_starts(spec: StudySpec, starts: Starts, view: View) -> None:
    """Build every network that starts from something, without its values, and try what it names.

    A network without `training.transfer` is tried where it is scored without an epoch.

    Raises:
        UnusableStartError: Weights are not there or do not fit, or a layer is unknown.
        DataError: The classes of the data cannot be told.
    """
    said: set[str] = set()
    for settings in starting_settings(spec):
        start = starts.find(settings)
        _require_fit(settings, spec.task, start)
        if start is not None and str(start.file) not in said:
            said.add(str(start.file))
            view.say(f"training starts from {start.name}: {start.file}")


def starting_settings(spec: StudySpec) -> Iterator[CellSettings]:
    """Yield the settings that differ in what a network starts from, or in the network."""
    seen: set[str] = set()
    for settings in _variants(spec):
        transfer = settings.training.transfer
        if transfer is None and not _scores_pretrained(settings):
            continue
        content: dict[str, Any] = {
            "model": settings.model.model_dump(mode="json"),
            "transfer": transfer and transfer.model_dump(mode="json"),
            "loss": settings.training.loss,
            "learns": settings.training.epochs > 0,
            "classes": list(settings.data.classes),
        }
        key = json.dumps(content, sort_keys=True)
        if key not in seen:
            seen.add(key)
            yield settings


def _scores_pretrained(settings: CellSettings) -> bool:
    """Tell whether published weights are scored as they are."""
    is_trained = MODELS[settings.model.name].trainer == TRAINING_LOOP
    return is_trained and not settings.training.epochs and names_weights(settings.model)


def _variants(spec: StudySpec) -> Iterator[CellSettings]:
    base = base_settings(spec)
    for group in groups_of(spec):
        own = for_class(base, group) if group else base
        yield own
        for stage in stages_of(spec):
            yield from _varied(own, stage)
    if spec.assembly is not None and spec.assembly.single_network:
        yield for_all_classes(base, spec.data.classes)


def _varied(base: CellSettings, stage: Stage) -> Iterator[CellSettings]:
    """Yield what a stage makes of the base settings, as far as it touches the network."""
    held = {path: value for path, value in stage.held.items() if path.startswith(TOUCHING)}
    seen: list[dict[str, Any]] = []
    for combination in stage.combinations():
        varied = {path: v for path, v in combination.items() if path.startswith(TOUCHING)}
        if varied in seen:
            continue
        seen.append(varied)
        try:
            yield with_changes(base, {**held, **varied})
        except ValueError:  # it needs what a stage above chooses
            continue


def _require_fit(settings: CellSettings, task: str, start: StartingWeights | None) -> None:
    # Lazy: torch, which only studies that start from trained weights need here.
    from models.named_layers import TransferError
    from models.start_check import check_start

    names = label_names(settings.data, task)
    channels = TASKS[task].output_channels(settings.training, names)
    builder = resolve(MODELS[settings.model.name].builder or "")
    try:
        check_start(
            lambda: builder(settings.model, channels),
            settings.model,
            settings.training,
            start,
            class_names=names,
        )
    except TransferError as error:
        setting = "transfer" if settings.training.transfer is not None else "epochs"
        raise UnusableStartError(f"training.{setting}: {error}") from error
