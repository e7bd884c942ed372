"""Grow the tree: from a study and the results so far to every cell that is known to be needed.

A pure function. Results are keyed by the cell's fingerprint, so growing again after a crash, an
added seed or an added stage keeps everything that was measured and asks only for the rest.

    base settings ──stage──► configurations ──cells──► decision ──winner──► next stage …
"""

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any

from data_pipeline.settings import DataSettings
from reports.notation import brief_settings, configuration_label
from studies.spec.schema import CellSettings, StudySpec
from studies.spec.settings import (
    base_settings,
    fingerprint,
    for_class,
    training_fingerprint,
    with_changes,
)
from studies.tree.assemblies import PlannedAssembly, plan_assemblies
from studies.tree.cells import CellResult, PlannedCell, no_start
from studies.tree.decisions import Candidate, Rule, decide
from studies.tree.stages import Stage, groups_of, stages_of
from trackers.records import DecisionRecord, Outcome


@dataclass(frozen=True, slots=True)
class Configuration:
    """A candidate of a stage."""

    id: str
    parent: str | None
    varied: Mapping[str, Any]
    group: str  # with `per`: the class that decides for itself
    settings: Mapping[str, CellSettings]  # group -> what its cells are trained with
    cells: tuple[PlannedCell, ...]
    brief: Mapping[str, Any] = field(default_factory=dict)  # of `varied`, what tells it apart

    @property
    def label(self) -> str:
        """Name the varied settings for people."""
        return configuration_label(self.brief)


@dataclass(frozen=True, slots=True)
class GrownStage:
    """A stage as far as it is known."""

    stage: Stage
    configurations: tuple[Configuration, ...]  # () while the stage above is undecided
    sources: tuple[PlannedCell, ...]  # trained only because predictions are to be re-scored
    decisions: tuple[DecisionRecord, ...]  # one per deciding group, () while undecided
    planned_cells: int
    is_settled: bool  # every cell ended

    def cells(self) -> Iterator[PlannedCell]:
        """Yield the stage's cells, sources first, in the order they should run."""
        yield from self.sources
        for configuration in self.configurations:
            yield from configuration.cells


@dataclass(frozen=True, slots=True)
class Tree:
    """All stages of a study."""

    stages: tuple[GrownStage, ...]
    assemblies: tuple[PlannedAssembly, ...] = ()  # one per seed; () before every stage is decided

    @property
    def is_complete(self) -> bool:
        """Whether every stage is decided."""
        return all(stage.decisions for stage in self.stages)

    @property
    def blocked(self) -> GrownStage | None:
        """Return the stage whose cells all ended without a winner, if there is one."""
        for stage in self.stages:
            if stage.configurations and stage.is_settled and not stage.decisions:
                return stage
        return None

    def cells(self) -> dict[str, PlannedCell]:
        """Return every known cell once, in running order."""
        planned = {cell.id: cell for stage in self.stages for cell in stage.cells()}
        for assembly in self.assemblies:
            for cell in assembly.cells():
                planned.setdefault(cell.id, cell)
        return planned


@dataclass(frozen=True, slots=True)
class Branch:
    """What a stage inherits: settings per group, and the configuration they come from."""

    settings: Mapping[str, CellSettings]
    origin: Mapping[str, str | None]  # group -> configuration id


Proposals = Mapping[str, Sequence[Mapping[str, Any]]]  # search name -> what a sampler proposed


@dataclass(slots=True)
class _Growth:
    """The state of one walk down the tree."""

    spec: StudySpec
    results: Mapping[str, CellResult]
    proposals: Proposals
    data_fingerprint: Callable[[DataSettings], str]
    start_fingerprint: Callable[[CellSettings], str]
    cells: dict[str, PlannedCell] = field(default_factory=dict)
    trained: dict[str, str] = field(default_factory=dict)  # training fingerprint -> cell id


def grow(
    spec: StudySpec,
    results: Mapping[str, CellResult],
    *,
    data_fingerprint: Callable[[DataSettings], str],
    start_fingerprint: Callable[[CellSettings], str] = no_start,
    proposals: Proposals | None = None,
) -> Tree:
    """Grow a study's tree as far as the results allow.

    Args:
        spec: The study.
        results: By cell.
        data_fingerprint: Hashes the data on disk.
        start_fingerprint: Hashes the weights that cells start from; "" of those that start anew.
        proposals: What samplers proposed.
    """
    growth = _Growth(spec, results, proposals or {}, data_fingerprint, start_fingerprint)
    branches = [_base_branch(spec)]
    expected = 1  # branches, also below an undecided stage
    grown: list[GrownStage] = []
    for stage in stages_of(spec):
        if grown and not grown[-1].decisions:
            count = _count_cells(spec, stage, branches=expected)
            grown.append(GrownStage(stage, (), (), (), planned_cells=count, is_settled=False))
        else:
            grown.append(_grow_stage(growth, stage, branches, position=len(grown)))
            branches = _inherit(grown[-1], branches)
        most = min(stage.beam, expected * stage.candidates_per_branch)
        expected = len(branches) if grown[-1].decisions else most
    tree = Tree(tuple(grown))
    if not tree.is_complete:
        return tree
    assemblies = plan_assemblies(spec, branches[0].settings, results, partial(_plan_cell, growth))
    return replace(tree, assemblies=assemblies)


def search_name(stage: str, branch: int, group: str) -> str:
    """Name the Optuna study of one branch (and group) of a stage."""
    return stage + (f" / {group}" if group else "") + (f" #{branch + 1}" if branch else "")


def _base_branch(spec: StudySpec) -> Branch:
    base = base_settings(spec)
    groups = groups_of(spec)
    settings = {group: for_class(base, group) if group else base for group in groups}
    return Branch(settings, dict.fromkeys(groups))


def _count_cells(spec: StudySpec, stage: Stage, *, branches: int) -> int:
    """Count the cells of a stage that inherits some branches, proposed or not."""
    return branches * stage.candidates_per_branch * len(stage.groups) * spec.search.replicates


def _grow_stage(
    growth: _Growth, stage: Stage, branches: Sequence[Branch], *, position: int
) -> GrownStage:
    configurations: list[Configuration] = []
    sources: dict[str, PlannedCell] = {}
    for branch, groups, varied in _candidates(growth, stage, branches):
        changes = {**stage.held, **varied}
        settings = {group: with_changes(branch.settings[group], changes) for group in groups}
        cells, needed = _plan_cells(growth, branch, settings, rescores=stage.after_training)
        sources.update(needed)
        configurations.append(
            Configuration(
                id=f"{position + 1}.{len(configurations) + 1}",
                parent=branch.origin[groups[0]],
                varied=varied,
                group=groups[0] if stage.decides_per_group else "",
                settings=settings,
                cells=cells,
            )
        )
    choices = [each.varied for each in configurations]
    configurations = [
        replace(each, brief=brief_settings(each.varied, choices)) for each in configurations
    ]
    own = {cell.id for each in configurations for cell in each.cells}
    grown = GrownStage(
        stage=stage,
        configurations=tuple(configurations),
        sources=tuple(cell for cell in sources.values() if cell.id not in own),
        decisions=(),
        planned_cells=_count_cells(growth.spec, stage, branches=len(branches)),
        is_settled=False,
    )
    return _judge(growth, grown)


def _candidates(
    growth: _Growth, stage: Stage, branches: Sequence[Branch]
) -> Iterator[tuple[Branch, tuple[str, ...], Mapping[str, Any]]]:
    """Yield each branch with the groups that are measured together and what varies."""
    together = [(group,) for group in stage.groups] if stage.decides_per_group else [stage.groups]
    for number, branch in enumerate(branches):
        for groups in together:
            group = groups[0] if stage.decides_per_group else ""
            if stage.sampler is None:
                combinations: Iterator[Mapping[str, Any]] = stage.combinations()
            else:
                name = search_name(stage.name, number, group)
                combinations = iter(growth.proposals.get(name, ()))
            for varied in combinations:
                yield branch, groups, varied


def _plan_cells(
    growth: _Growth, branch: Branch, settings: Mapping[str, CellSettings], *, rescores: bool
) -> tuple[tuple[PlannedCell, ...], dict[str, PlannedCell]]:
    """Plan one cell per group and seed, and the training that a re-scoring still lacks."""
    cells: list[PlannedCell] = []
    sources: dict[str, PlannedCell] = {}
    for group, wanted in settings.items():
        for seed in range(growth.spec.search.replicates):
            if rescores:
                inherited = _plan_cell(growth, branch.settings[group], group, seed)
                source = growth.cells.get(inherited.source or inherited.id)
                if source is not None:  # else it ended, and is planned no longer
                    sources[source.id] = source
            cells.append(_plan_cell(growth, wanted, group, seed))
    return tuple(cells), sources


def _plan_cell(growth: _Growth, settings: CellSettings, group: str, seed: int) -> PlannedCell:
    """Find the cell with these settings, re-score one trained alike, or plan to train one.

    A cell that ended stays what it was: only where it was trained are there predictions.
    """
    data = growth.data_fingerprint(settings.data)
    start = growth.start_fingerprint(settings)
    identity = fingerprint(settings, seed=seed, data=data, start=start)
    if identity in growth.cells:
        return growth.cells[identity]
    training = training_fingerprint(settings, seed=seed, data=data, start=start)
    ended = growth.results.get(identity)
    if ended is None:
        source = growth.trained.setdefault(training, identity)
    else:
        source = ended.source or identity
        growth.trained.setdefault(training, source)
    cell = PlannedCell(
        id=identity,
        settings=settings,
        seed=seed,
        group=group,
        source=None if source == identity else source,
    )
    growth.cells[identity] = cell
    return cell


def _judge(growth: _Growth, grown: GrownStage) -> GrownStage:
    """Decide the stage if every configuration is there and all its cells ended."""
    measured = sum(len(each.cells) for each in grown.configurations)
    is_settled = measured >= grown.planned_cells and all(
        cell.id in growth.results for cell in grown.cells()
    )
    if not is_settled:
        return grown
    decisions = _decisions(growth, grown.stage, grown.configurations)
    return replace(grown, decisions=decisions, is_settled=True)


def _decisions(
    growth: _Growth, stage: Stage, configurations: Sequence[Configuration]
) -> tuple[DecisionRecord, ...]:
    """Return one decision per deciding group; () when a group has no winner."""
    select = growth.spec.search.select
    decisions = []
    for group in stage.groups if stage.decides_per_group else ("",):
        rule = Rule(
            stage=stage.name,
            group=group,
            metric=growth.spec.objective.metric,
            maximize=growth.spec.objective.direction == "maximize",
            confidence=select.confidence,
            prefers_cheapest=select.ties == "cheapest",
            beam=stage.beam,
        )
        rivals = [each for each in configurations if each.group == group]
        is_beam = len({each.parent for each in rivals}) > 1
        candidates = [
            _candidate(growth, each, is_free=stage.after_training, is_beam=is_beam)
            for each in rivals
        ]
        decision = decide(candidates, rule)
        if decision is None:
            return ()
        decisions.append(decision)
    return tuple(decisions)


def _candidate(
    growth: _Growth, configuration: Configuration, *, is_free: bool, is_beam: bool
) -> Candidate:
    """Collect a configuration's results; re-scoring is free, whoever trained the cell."""
    values: dict[str, float] = {}
    missing: list[str] = []
    measured = []
    for cell in configuration.cells:
        name = replicate_name(cell)
        result = growth.results[cell.id]
        value = objective_value(result, growth.spec.objective.metric)
        if value is None:
            missing.append(name)
        else:
            values[name] = value
            measured.append(growth.results.get(result.source or cell.id, result))
    count = max(1, len(measured))
    branch = f" from {configuration.parent}" if is_beam else ""  # else two have one name
    return Candidate(
        id=configuration.id,
        label=configuration.label + branch,
        values=values,
        missing=tuple(missing),
        train_macs=0.0 if is_free else sum(each.train_macs for each in measured) / count,
        seconds=0.0 if is_free else sum(each.seconds for each in measured) / count,
    )


def objective_value(result: CellResult, metric: str) -> float | None:
    """Return what a cell scored; None without a complete trial, or where that is undefined."""
    value = result.metrics.get(metric)
    if result.outcome is not Outcome.COMPLETE or value is None or not math.isfinite(value):
        return None
    return value


def replicate_name(cell: PlannedCell) -> str:
    """Name what a value is paired by: "seed 0", or "car, seed 0"."""
    return f"{cell.group}, seed {cell.seed}" if cell.group else f"seed {cell.seed}"


def _inherit(grown: GrownStage, branches: Sequence[Branch]) -> list[Branch]:
    """Return what the next stage inherits: one branch per winner, best first."""
    if not grown.decisions:
        return list(branches)
    by_id = {each.id: each for each in grown.configurations}
    if grown.stage.decides_per_group:
        return [_follow_each(branches, [by_id[each.winners[0]] for each in grown.decisions])]
    inherited = []
    for winner in grown.decisions[0].winners:
        configuration = by_id[winner]
        parent = next(
            branch for branch in branches if configuration.parent in branch.origin.values()
        )
        inherited.append(_follow(parent, configuration))
    return inherited


def _follow(branch: Branch, winner: Configuration) -> Branch:
    """Apply what a winner varied to its branch, also for classes that `only` left out.

    What `with` held was for the stage alone: an early stage may screen with few epochs.
    """
    settings = {
        group: with_changes(each, winner.varied) for group, each in branch.settings.items()
    }
    return Branch(settings, dict.fromkeys(settings, winner.id))


def _follow_each(branches: Sequence[Branch], winners: Sequence[Configuration]) -> Branch:
    """Give each class the settings of its own winner; classes left out keep the best branch's."""
    settings, origin = dict(branches[0].settings), dict(branches[0].origin)
    for winner in winners:
        group = winner.group
        parent = next(branch for branch in branches if branch.origin[group] == winner.parent)
        settings[group] = with_changes(parent.settings[group], winner.varied)
        origin[group] = winner.id
    return Branch(settings, origin)
