"""What a study is going to run and take, before anything is trained.

Stages below an undecided one are planned as if the first candidate won: the numbers of cells and
epochs do not depend on it, the time does, and the plan says so.
"""

import json
import subprocess
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

from data_pipeline.settings import DataSettings
from models.catalog import MODELS
from models.entries import ClipShape
from studies.running.module_process import run_module
from studies.spec.clip_checks import clip_shape
from studies.spec.schema import StudySpec
from studies.spec.settings import base_settings, for_class
from studies.tree.afterwards import planned_afterwards
from studies.tree.assemblies import SINGLE_NETWORK, waiting_cells
from studies.tree.cells import CellResult, PlannedCell
from studies.tree.grown import GrownStage, Tree
from studies.tree.growth import Proposals, grow
from studies.tree.ledger import RETRIED_AT_LAUNCH
from studies.tree.sources import Sources
from studies.tree.stages import groups_of
from trackers.records import JsonValue, Outcome

TIMING_TIMEOUT_S = 600
NOT_OF_KEPT = {"augment", "balance", "normalize", "cache", "workers"}  # the kept is the same
ASSEMBLY = "assembly"  # what only the assemblies need is listed under


@dataclass(frozen=True, slots=True)
class TimedBatch:
    """One training step of the base settings on this machine."""

    device: str
    seconds: float  # of one optimizer step
    images: int  # in the batch
    image_size: int  # pixels
    train_images: int
    val_images: int
    weights_bytes: int
    checkpoint_bytes: int  # weights and optimizer state
    frames: int = 1  # of a clip; 1: a picture
    scored: int = 1  # clips of a video among the validation images: views times crops
    fetch_s: float = 0.0  # to decode and change one picture or clip, optical flow included
    keep_s: float = 0.0  # to decode what the cache keeps of one picture or video
    loaders: int = 1  # processes that decode side by side


@dataclass(frozen=True, slots=True)
class PlannedRow:
    """A cell, or the reason why a stage's cells are not known yet."""

    stage: str
    cell: PlannedCell
    varied: Mapping[str, JsonValue]
    is_assumed: bool  # a winner above was assumed
    is_reused: bool  # an earlier stage measures it already
    epochs: int  # 0: scored without training
    seconds: float | None  # None: not estimated
    outcome: Outcome | None

    @property
    def needs_trial(self) -> bool:
        """Whether a process trains it, or scores what it starts from."""
        return self.cell.source is None


@dataclass(frozen=True, slots=True)
class Forecast:
    """A study's plan."""

    rows: tuple[PlannedRow, ...]
    unknown_cells: Mapping[str, int]  # stage -> cells whose settings a sampler will propose
    timed: TimedBatch | None
    epochs: int
    seconds: float | None
    disk_bytes: int | None


def forecast(
    spec: StudySpec,
    results: Mapping[str, CellResult],
    *,
    sources: Sources,
    timed: TimedBatch | None,
    workers: int,
    proposals: Proposals | None = None,
) -> Forecast:
    """Plan every cell that can be known; those a sampler will propose count as the base's."""
    regrow = partial(
        grow,
        spec,
        data_fingerprint=sources.data_fingerprint,
        start_fingerprint=sources.start_fingerprint,
        proposals=proposals or {},
        image_difference=sources.image_difference,
    )
    tree, decided = _assume_winners(spec, results, regrow)
    if decided < len(tree.stages):  # who the finalists are is not assumed, only how many at most
        tree = replace(tree, afterwards=planned_afterwards(spec))
    timed = _shared(timed, spec.data, workers)
    rows = _rows(tree, results, decided=decided, timed=timed)
    to_train = [row for row in rows if not row.is_reused and row.needs_trial and _is_open(row)]
    unknown = {each.stage.name: count for each in tree.every_stage if (count := _unknown(each))}
    if singles := waiting_cells(spec, tree.assemblies):
        unknown[SINGLE_NETWORK] = singles
    trained = (
        []
        if tree.blocked
        else [each for each in tree.every_stage if not each.stage.after_training]
    )
    to_propose = sum(_unknown(each) for each in trained)
    base = PlannedCell("", base_settings(spec), 0, "", None)
    estimates = [row.seconds or 0.0 for row in to_train]
    estimates += [estimate_s(base, timed) or 0.0] * to_propose
    estimates += [(estimate_s(base, timed) or 0.0) * len(spec.data.classes)] * singles
    return Forecast(
        rows=tuple(rows),
        unknown_cells=unknown,
        timed=timed,
        epochs=sum(row.epochs for row in to_train) + to_propose * spec.training.epochs,
        seconds=sum(estimates, start=_keeping_s(to_train, timed)) / workers if timed else None,
        disk_bytes=_disk_bytes(timed, cells=len(estimates), workers=workers) if timed else None,
    )


def _rows(
    tree: Tree, results: Mapping[str, CellResult], *, decided: int, timed: TimedBatch | None
) -> list[PlannedRow]:
    """List the cells of every stage, then those that only the assemblies need."""
    places = [
        (grown.stage.name, cell, number > decided)
        for number, grown in enumerate(tree.every_stage)
        for cell in grown.cells()
    ]
    measured = {cell.id for _, cell, _ in places}
    places += [
        (ASSEMBLY if cell.group else SINGLE_NETWORK, cell, decided < len(tree.stages))
        for assembly in tree.assemblies
        for cell in assembly.cells()
        if cell.id not in measured
    ]
    varied = {
        (grown.stage.name, cell.id): each.varied
        for grown in tree.every_stage
        for each in grown.configurations
        for cell in each.cells
    }
    seen: set[str] = set()
    rows = []
    for stage, cell, is_assumed in places:
        is_single = stage == SINGLE_NETWORK and cell.id not in measured
        rows.append(
            PlannedRow(
                stage=stage,
                cell=cell,
                varied=varied.get((stage, cell.id), {}),
                is_assumed=is_assumed,
                is_reused=cell.id in seen,
                epochs=0 if cell.source else cell.settings.training.epochs,
                seconds=_single_s(tree, timed) if is_single else estimate_s(cell, timed),
                outcome=results[cell.id].outcome if cell.id in results else None,
            )
        )
        seen.add(cell.id)
    return rows


def _single_s(tree: Tree, timed: TimedBatch | None) -> float | None:
    """Estimate a single network: it takes as long as the class networks of its seed together."""
    if timed is None:
        return None
    members = tree.assemblies[0].members.values()
    return sum(estimate_s(replace(cell, source=None), timed) or 0.0 for cell in members)


def _unknown(grown: GrownStage) -> int:
    """Count a stage's cells whose settings a sampler has yet to propose."""
    return max(0, grown.planned_cells - sum(len(each.cells) for each in grown.configurations))


def time_one_batch(spec: StudySpec) -> TimedBatch | None:
    """Time one step of the base settings in a process of its own; None for scripted models.

    Raises:
        RuntimeError: the step failed, then the message is the process's last line; or it takes
            too long.
    """
    if MODELS[spec.model.name].builder is None:
        return None
    base, group = base_settings(spec), groups_of(spec)[0]
    settings = for_class(base, group) if group else base
    order = {"task": spec.task, "settings": settings.model_dump(mode="json")}
    try:
        done = run_module("studies.running.timed_batch", order, timeout_s=TIMING_TIMEOUT_S)
    except subprocess.TimeoutExpired as error:
        raise RuntimeError(
            f"timing one batch took more than {TIMING_TIMEOUT_S:g} s and was stopped; plan with "
            "--no-estimate, or with a smaller training.batch_size or data.image_size"
        ) from error
    if done.returncode:
        last = (done.stderr.strip().splitlines() or ["no output"])[-1]
        raise RuntimeError(f"timing one batch failed: {last}")
    fields: dict[str, Any] = json.loads(done.stdout.strip().splitlines()[-1])
    return TimedBatch(**fields)


def estimate_s(cell: PlannedCell, timed: TimedBatch | None) -> float | None:
    """Scale the timed batch to a cell: by images, pixels, frames and epochs.

    Validation costs a third of training. What the cache keeps is decoded once for all cells, and
    is none of a cell's; what it does not keep is decoded each time, on a GPU meanwhile.
    """
    if cell.source is not None:
        return 0.0
    if timed is None:
        return None
    data, epochs = cell.settings.data, cell.settings.training.epochs
    clip = clip_shape(data) or ClipShape(frames=1)
    train, samples = _samples(data, timed)
    val = samples * clip.scored
    size = _pixels(data, timed) * clip.frames / timed.frames
    steps = timed.seconds / timed.images * size
    steps_s = steps * ((train + val / 3) * epochs if epochs else val / 3)
    if data.cache != "off":
        return steps_s
    fetching_s = timed.fetch_s * size / timed.loaders * ((train + val) * epochs or val)
    return max(steps_s, fetching_s) if timed.device.startswith("cuda") else steps_s + fetching_s


def _shared(timed: TimedBatch | None, data: DataSettings, workers: int) -> TimedBatch | None:
    """Leave each trial its share of the cores to decode with, unless the study says how many."""
    if timed is None or data.workers != "auto":
        return timed
    return replace(timed, loaders=max(1, timed.loaders // workers))


def _keeping_s(to_train: Sequence[PlannedRow], timed: TimedBatch | None) -> float:
    """Estimate how long it takes to decode what the cache keeps for all cells, once each."""
    if timed is None:
        return 0.0
    kept = {
        _kept_form(row.cell.settings.data): row.cell.settings.data
        for row in to_train
        if row.cell.settings.data.cache != "off"
    }
    samples = sum(_pixels(data, timed) * sum(_samples(data, timed)) for data in kept.values())
    return timed.keep_s / timed.loaders * samples


def _kept_form(data: DataSettings) -> str:
    """Name what is kept: cells with the same name share it."""
    form = data.model_dump(mode="json", exclude=NOT_OF_KEPT)
    clip = form.pop("clip", None)
    if clip is not None:
        form["side"] = clip["shorter_side"]
        form["flow"] = clip["flow"] and [clip["flow"], clip["stride"]]
    return json.dumps(form, sort_keys=True)


def _samples(data: DataSettings, timed: TimedBatch) -> tuple[int, int]:
    """Return how many pictures or videos a cell trains on, and how many it validates on."""
    val = timed.val_images // timed.scored
    train = min(timed.train_images, data.limit.train or timed.train_images)
    return train, min(val, data.limit.val or val)


def _pixels(data: DataSettings, timed: TimedBatch) -> float:
    """Return how many times as many pixels a picture has as the timed one."""
    return float((data.image_size / timed.image_size) ** 2)


def _is_open(row: PlannedRow) -> bool:
    return row.outcome is None or row.outcome in RETRIED_AT_LAUNCH


def _assume_winners(
    spec: StudySpec,
    results: Mapping[str, CellResult],
    regrow: Callable[[Mapping[str, CellResult]], Tree],
) -> tuple[Tree, int]:
    """Grow to the end, the first candidate winning where nothing is decided yet.

    Returns:
        The tree, and the number of stages that are truly decided.
    """
    tree = regrow(results)
    decided = sum(bool(grown.decisions) for grown in tree.stages)
    assumed = dict(results)
    while True:
        open_stages = [each for each in tree.stages if not each.decisions and each.configurations]
        if not open_stages or all(cell.id in assumed for cell in open_stages[0].cells()):
            return tree, decided
        assumed |= _assumed_results(open_stages[0], spec, assumed)
        tree = regrow(assumed)


def _assumed_results(
    grown: GrownStage, spec: StudySpec, known: Mapping[str, CellResult]
) -> dict[str, CellResult]:
    sign = 1.0 if spec.objective.direction == "maximize" else -1.0
    assumed = {}
    for cell in grown.sources:
        assumed[cell.id] = _assumed_result(spec, cell, 0.0)
    for rank, configuration in enumerate(grown.configurations):
        for cell in configuration.cells:
            assumed.setdefault(cell.id, _assumed_result(spec, cell, -sign * rank))
    return {cell: result for cell, result in assumed.items() if cell not in known}


def _assumed_result(spec: StudySpec, cell: PlannedCell, value: float) -> CellResult:
    return CellResult(Outcome.COMPLETE, {spec.objective.metric: value}, 0.0, 0.0, cell.source)


def _disk_bytes(timed: TimedBatch, *, cells: int, workers: int) -> int:
    """Best weights of every cell until the end, two checkpoints per running trial."""
    return cells * timed.weights_bytes + workers * 2 * timed.checkpoint_bytes
