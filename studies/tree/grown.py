"""A grown tree: what its stages compare, which cells that takes, and what was decided."""

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from reports.notation import configuration_label
from studies.spec.schema import CellSettings
from studies.tree.assemblies import PlannedAssembly
from studies.tree.cells import CellResult, PlannedCell
from studies.tree.stages import Stage
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
    afterwards: tuple[GrownStage, ...] = ()  # confirmation and probes; see tree.afterwards

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

    @property
    def every_stage(self) -> tuple[GrownStage, ...]:
        """Return the stages, and what is measured after them."""
        return (*self.stages, *self.afterwards)

    def cells(self) -> dict[str, PlannedCell]:
        """Return every known cell once, in running order."""
        planned = {cell.id: cell for stage in self.every_stage for cell in stage.cells()}
        for assembly in self.assemblies:
            for cell in assembly.cells():
                planned.setdefault(cell.id, cell)
        return planned


@dataclass(frozen=True, slots=True)
class Branch:
    """What a stage inherits: settings per group, and the configuration they come from."""

    settings: Mapping[str, CellSettings]
    origin: Mapping[str, str | None]  # group -> configuration id


def objective_value(result: CellResult, metric: str) -> float | None:
    """Return what a cell scored; None without a complete trial, or where that is undefined."""
    value = result.metrics.get(metric)
    if result.outcome is not Outcome.COMPLETE or value is None or not math.isfinite(value):
        return None
    return value


def replicate_name(cell: PlannedCell) -> str:
    """Name what a value is paired by: "seed 0", "fold 0, seed 0" or "car, fold 0, seed 0"."""
    return named_replicate(cell.group, cell.seed, cell.fold)


def named_replicate(group: str, seed: int, fold: int | None = None) -> str:
    """Name a replicate of a class; "" stands for all classes."""
    of_fold = "" if fold is None else f"{named_fold(fold)}, "
    return f"{group and f'{group}, '}{of_fold}seed {seed}"


def named_fold(fold: int) -> str:
    """Name a fold as the setting `data.split.fold` counts it."""
    return f"fold {fold}"
