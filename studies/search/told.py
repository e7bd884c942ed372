"""What a sampler and a pruner are told of a configuration whose cells ended."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from studies.search.measured import Measured
from studies.spec.sampling_schema import FACTS, SearchRules, WilcoxonPruner
from studies.spec.schema import StudySpec
from studies.tree.cells import CellResult
from studies.tree.equal_compute import work_of
from studies.tree.grown import Configuration, objective_value, replicate_name
from trackers.records import Outcome


@dataclass(frozen=True, slots=True)
class ConfigurationResult:
    """What Optuna is told of one configuration."""

    values: tuple[float, ...] | None  # one per objective, mean over replicates; None: no value
    is_infeasible: bool = False
    is_pruned: bool = False
    constraints: Mapping[str, float] = field(default_factory=dict)  # feasible where <= 0
    intermediate: Mapping[int, float] = field(default_factory=dict)  # step -> value, for pruners
    attributes: Mapping[str, Any] = field(default_factory=dict)  # shown in the dashboard
    work: float = 0.0  # computed in training, see `tree.equal_compute`
    # Of one that was ended for a limit: its objectives as they were last, for the sampler alone.
    last: tuple[float, ...] | None = None


def configuration_result(
    configuration: Configuration,
    results: Mapping[str, CellResult],
    spec: StudySpec,
    *,
    rules: SearchRules,
    measured: Callable[[str], Measured],
    counts_work: bool = False,
) -> ConfigurationResult | None:
    """Return a configuration's result once all its cells ended; None before.

    Args:
        configuration: A candidate of a stage with a sampler, or of lists.
        results: By cell.
        spec: The study.
        rules: Of the stage: `Stage.rules`.
        measured: What a cell's trials reported; asked only where a rule or a budget needs it.
        counts_work: Whether the search may spend so much and no more.
    """
    if any(cell.id not in results for cell in configuration.cells):
        return None
    ended = {replicate_name(cell): results[cell.id] for cell in configuration.cells}
    metric = spec.objective.metric
    values = {
        name: value
        for name, result in ended.items()
        if (value := objective_value(result, metric)) is not None
    }
    cells = [cell.id for cell in configuration.cells]
    facts = {cell: measured(cell).facts for cell in cells} if _needs_facts(rules) else {}
    is_pruned = Outcome.PRUNED in (each.outcome for each in ended.values())
    excess = _constraints(rules, facts)
    is_ended = is_pruned and any(each > 0 for each in excess.values())
    scores = _last_scores(cells, measured) if is_ended else []
    return ConfigurationResult(
        values=_objectives(list(values.values()), rules, ended, facts),
        is_infeasible=Outcome.INFEASIBLE in (each.outcome for each in ended.values()),
        is_pruned=is_pruned,
        last=_objectives(scores, rules, ended, facts),
        constraints=excess,
        intermediate=_intermediate(configuration, rules, values, measured),
        work=_work(configuration, measured) if counts_work else 0.0,
        attributes={
            "configuration": configuration.id,
            # One attribute for them all: each that Optuna writes is two queries.
            "replicates": _replicates(ended, cells, values),
            **({"facts": _worst_of_all(facts)} if facts else {}),
        },
    )


def _replicates(
    ended: Mapping[str, CellResult], cells: Sequence[str], values: Mapping[str, float]
) -> dict[str, dict[str, Any]]:
    return {
        name: {"cell": cell, "outcome": str(result.outcome), "value": values.get(name)}
        for (name, result), cell in zip(ended.items(), cells, strict=True)
    }


def _last_scores(cells: Sequence[str], measured: Callable[[str], Measured]) -> list[float]:
    curves = [measured(cell).curve for cell in cells]
    return [curve[max(curve)] for curve in curves if curve]


def _work(configuration: Configuration, measured: Callable[[str], Measured]) -> float:
    """Return what was computed; what was only scored again is free."""
    trained = [cell for cell in configuration.cells if cell.source is None]
    return sum(work_of(cell.settings, measured(cell.id).epochs) for cell in trained)


def _needs_facts(rules: SearchRules) -> bool:
    return bool(rules.constraints) or (rules.second is not None and rules.second.metric in FACTS)


def _objectives(
    scores: Sequence[float],
    rules: SearchRules,
    ended: Mapping[str, CellResult],
    facts: Mapping[str, Mapping[str, float]],
) -> tuple[float, ...] | None:
    """Return the objectives' values; None where one of them is not known."""
    if not scores:
        return None
    first = sum(scores) / len(scores)
    if rules.second is None:
        return (first,)
    name = rules.second.metric
    if name in FACTS:
        found = [each[name] for each in facts.values() if name in each]
    else:
        measured = (objective_value(result, name) for result in ended.values())
        found = [value for value in measured if value is not None]
    return (first, sum(found) / len(found)) if found else None


def _constraints(rules: SearchRules, facts: Mapping[str, Mapping[str, float]]) -> dict[str, float]:
    """Return how far each fact is above its limit, of the cell where it is worst."""
    worst = _worst_of_all(facts)
    return {name: worst[name] - most for name, most in rules.constraints.items() if name in worst}


def _worst_of_all(facts: Mapping[str, Mapping[str, float]]) -> dict[str, float]:
    names = dict.fromkeys(name for each in facts.values() for name in each)
    return {name: max(each[name] for each in facts.values() if name in each) for name in names}


def _intermediate(
    configuration: Configuration,
    rules: SearchRules,
    values: Mapping[str, float],
    measured: Callable[[str], Measured],
) -> dict[int, float]:
    """Return what the pruner compares: the first replicate's epochs, or scores by seed."""
    if rules.pruner is None:
        return {}
    if isinstance(rules.pruner, WilcoxonPruner):
        cells = enumerate(configuration.cells)
        names = {step: replicate_name(cell) for step, cell in cells}
        return {step: values[name] for step, name in names.items() if name in values}
    return dict(measured(configuration.cells[0].id).curve)
