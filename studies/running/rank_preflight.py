"""Before a trial starts: can the models of a study be trained by several processes each?"""

from collections.abc import Iterator
from itertools import product
from typing import Any

from data_pipeline.catalog import label_names
from models.catalog import MODELS, TASKS
from models.entries import TRAINING_LOOP
from models.resolve import resolve
from studies.running.devices import slots, visible_gpus
from studies.running.executors import Placement
from studies.spec.schema import CellSettings, StudySpec
from studies.spec.search_schema import Range, Vary
from studies.spec.settings import base_settings, for_class, with_changes
from studies.tree.stages import groups_of, stages_of

BATCH_SIZE = "training.batch_size"


class RanksRefusedError(ValueError):
    """A study cannot be trained by as many processes per trial."""


def check_ranks(spec: StudySpec, placement: Placement) -> None:
    """Refuse processes that a study's trainer does not know, or that would change its result.

    Each stage is tried on the base settings, of a range its ends and a step; what only comes
    together when a stage above has decided, a trial says before its first step.

    Raises:
        RanksRefusedError: They are refused, with the reason.
        TooFewGpusError: A trial takes more GPUs than this machine has.
    """
    count = placement.processes
    if count == 1:
        return
    if placement.executor == "local":
        slots(placement.workers, count)
    variants = list(_variants(spec))
    largest = max(each.training.batch_size for each in variants)
    if largest < count:
        raise RanksRefusedError(
            f"--processes-per-trial must be at most training.batch_size, whose largest is "
            f"{largest}, got {count}: each process takes a part of every batch"
        )
    seen: set[tuple[str, str, int]] = set()
    for settings in variants:
        model = settings.model
        key = (model.name, model.model_dump_json(), settings.training.batch_size)
        if key not in seen:
            seen.add(key)
            _require_network(settings, spec.task, placement)


def _variants(spec: StudySpec) -> Iterator[CellSettings]:
    base = base_settings(spec)
    for group in groups_of(spec)[:1]:
        own = for_class(base, group) if group else base
        yield own
        for stage in stages_of(spec):
            edges = [{}, *_edges(stage.space())]
            for combination, edge in product(stage.combinations(), edges):
                try:
                    yield with_changes(own, {**stage.held, **combination, **edge})
                except ValueError:  # it needs what a stage above chooses
                    continue


def _edges(space: Vary) -> Iterator[dict[str, Any]]:
    """Yield values of the ranges that count here, one range at a time: path -> value.

    The ends, and one step from each: if all of these are multiples of a number, each value is.
    """
    for path, values in space.items():
        if isinstance(values, Range):
            if path == BATCH_SIZE or path.startswith("model."):
                yield from ({path: value} for value in _ends(values))
        elif isinstance(values, dict):
            for choice, inner in values.items():
                yield from ({path: choice, **edge} for edge in _edges(inner))


def _ends(values: Range) -> list[float]:
    if values.is_countable:
        every = values.values()
        return [*every[:2], *every[-1:]]
    if values.integer:
        return [int(values.low), int(values.low) + 1, int(values.high)]
    return [values.low, values.high]


def _require_network(settings: CellSettings, task: str, placement: Placement) -> None:
    entry = MODELS[settings.model.name]
    if entry.trainer != TRAINING_LOOP or entry.builder is None:
        able = ", ".join(sorted(name for name in MODELS if _is_able(name, task)))
        raise RanksRefusedError(
            f"--processes-per-trial must be 1 for model '{settings.model.name}', whose trainer "
            f"runs in one process, got {placement.processes}; models of this task that several "
            f"train: {able}"
        )
    # Lazy: torch, which only a launch of several processes needs here.
    import torch

    from models.synced_norm import RanksError, require_ranks

    channels = TASKS[task].output_channels(settings.training, label_names(settings.data, task))
    with torch.device("meta"):
        network = resolve(entry.builder)(settings.model, channels)
    is_on_gpus = placement.executor == "ray" or bool(visible_gpus())  # Ray's nodes say themselves
    try:
        require_ranks(
            network,
            placement.processes,
            batch_size=settings.training.batch_size,
            has_gpus=is_on_gpus,
        )
    except RanksError as error:
        raise RanksRefusedError(f"--processes-per-trial {placement.processes}: {error}") from error


def _is_able(name: str, task: str) -> bool:
    entry = MODELS[name]
    is_network = entry.builder is not None and entry.trainer == TRAINING_LOOP
    return is_network and task in entry.tasks
