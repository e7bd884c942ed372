"""What did the study cost, and what of it went into trials without a result?"""

from collections.abc import Iterable
from dataclasses import dataclass

from reports.measurements import OUTCOME_ORDER
from reports.tables.ledger import SINGLE_NETWORK
from trackers.costs import Costs, costs_of
from trackers.records import CellRecord, StudyRecord, TrialRecord


@dataclass(frozen=True, slots=True)
class CostRow:
    """The trials of a stage, or those that ended alike."""

    name: str
    costs: Costs


@dataclass(frozen=True, slots=True)
class CostTable:
    """Costs of all ended trials of training; each cell counts in the first stage that has it."""

    stages: tuple[CostRow, ...]
    outcomes: tuple[CostRow, ...]
    total: Costs
    providers: tuple[str, ...]  # whose prices money was counted by

    @property
    def has_energy(self) -> bool:
        """Whether any device counted its energy."""
        return self.total.energy_j is not None

    @property
    def has_money(self) -> bool:
        """Whether any device had a price."""
        return self.total.money is not None


def cost_table(study: StudyRecord) -> CostTable | None:
    """Add up the costs of a study by stage and by outcome; None: no trial has ended."""
    stage_of = _stages(study)
    by_stage: dict[str, list[TrialRecord]] = {}
    for cell in study.cells.values():
        name = stage_of.get(cell.id, SINGLE_NETWORK)
        by_stage.setdefault(name, []).extend(_ended(cell))
    trials = [trial for each in by_stage.values() for trial in each]
    if not trials:
        return None
    outcomes = [
        CostRow(name, costs_of(t for t in trials if str(t.outcome) == name))
        for name in OUTCOME_ORDER
        if any(str(t.outcome) == name for t in trials)
    ]
    return CostTable(
        stages=tuple(CostRow(name, costs_of(each)) for name, each in by_stage.items() if each),
        outcomes=tuple(outcomes),
        total=costs_of(trials),
        providers=_providers(trials),
    )


def _stages(study: StudyRecord) -> dict[str, str]:
    """Return by cell the first stage that has it."""
    found: dict[str, str] = {}
    for stage in (*study.stages, *study.afterwards):
        for configuration in stage.configurations:
            found |= {cell: stage.name for cell in configuration.cells if cell not in found}
    return found


def _ended(cell: CellRecord) -> list[TrialRecord]:
    return [trial for trial in cell.trials if trial.ended_at is not None]


def _providers(trials: Iterable[TrialRecord]) -> tuple[str, ...]:
    names = {
        f"{trial.costs['provider']}: {trial.costs['price_per_hour']:g} {trial.costs['currency']}/h"
        for trial in trials
        if trial.costs.get("provider") and isinstance(trial.costs["price_per_hour"], float | int)
    }
    return tuple(sorted(names))
