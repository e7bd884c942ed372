"""What samplers and pruners are told of configurations, and what ends them."""

from collections.abc import Callable, Mapping
from typing import Any

import optuna
import pytest

from data_pipeline.catalog import data_fingerprint
from studies.search.measured import Measured
from studies.search.pruners import exceeded, make_pruner, pruned_because
from studies.search.told import ConfigurationResult, configuration_result
from studies.search.watch import Watch
from studies.spec.sampling_schema import SearchRules
from studies.spec.schema import StudySpec
from studies.tree.cells import CellResult
from studies.tree.grown import Configuration
from studies.tree.growth import grow
from studies.tree.stages import stages_of
from trackers.records import Outcome

MakeSpec = Callable[..., StudySpec]
MEASURED = {
    0: Measured(4, {1: 0.1, 2: 0.2}, {"parameters": 100.0, "memory_gb": 3.0}),
    1: Measured(2, {1: 0.3}, {"parameters": 100.0, "memory_gb": 5.0}),
}


@pytest.fixture
def candidate(make_spec: MakeSpec) -> tuple[StudySpec, Configuration]:
    """Return a study and its one configuration, of two seeds."""
    spec = make_spec(
        {"stage": "rate", "vary": {"training.learning_rate": [0.1]}}, search={"replicates": 2}
    )
    return spec, grow(spec, {}, data_fingerprint=data_fingerprint).stages[0].configurations[0]


def told(
    candidate: tuple[StudySpec, Configuration],
    ends: list[float | Outcome],
    **rules: Any,  # of a search
) -> ConfigurationResult | None:
    spec, configuration = candidate
    results = {}
    for cell, end in zip(configuration.cells, ends, strict=False):
        outcome = end if isinstance(end, Outcome) else Outcome.COMPLETE
        metrics = {} if isinstance(end, Outcome) else {"val/iou": end, "val/loss": 1 - end}
        results[cell.id] = CellResult(outcome, metrics, 1.0, 1.0, None)
    seeds = {cell.id: cell.seed for cell in configuration.cells}
    return configuration_result(
        configuration,
        results,
        spec,
        rules=SearchRules.model_validate(rules),
        measured=lambda cell: MEASURED[seeds[cell]],
        counts_work=True,
    )


def test_nothing_is_told_before_the_last_seed_ended(
    candidate: tuple[StudySpec, Configuration],
) -> None:
    assert told(candidate, [0.4]) is None


def test_the_mean_over_seeds_is_told_with_what_was_computed(
    candidate: tuple[StudySpec, Configuration],
) -> None:
    result = told(candidate, [0.4, 0.6])
    assert result is not None
    assert result.values == pytest.approx((0.5,))
    assert {
        name: (each["outcome"], each["value"])
        for name, each in result.attributes["replicates"].items()
    } == {"seed 0": ("complete", 0.4), "seed 1": ("complete", 0.6)}
    assert result.work == (4 + 2) * 128**2, "epochs of both seeds, times pixels"


@pytest.mark.parametrize(
    ("end", "is_pruned", "is_infeasible"),
    [(Outcome.PRUNED, True, False), (Outcome.INFEASIBLE, False, True)],
)
def test_what_ended_a_seed_is_told_of_the_configuration(
    candidate: tuple[StudySpec, Configuration],
    end: Outcome,
    is_pruned: bool,
    is_infeasible: bool,
) -> None:
    result = told(candidate, [end, end])
    assert result is not None
    assert (result.values, result.is_pruned, result.is_infeasible) == (
        None, is_pruned, is_infeasible,
    )  # fmt: skip


def test_a_limit_is_held_against_the_worst_seed(
    candidate: tuple[StudySpec, Configuration],
) -> None:
    limits = {"memory_gb": 4, "parameters": 150}
    result = told(candidate, [0.4, 0.6], constraints=limits)
    assert result is not None
    assert result.constraints == {"memory_gb": 1.0, "parameters": -50.0}


@pytest.mark.parametrize(("metric", "value"), [("memory_gb", 4.0), ("val/loss", 0.5)])
def test_a_second_objective_is_a_fact_or_a_metric(
    candidate: tuple[StudySpec, Configuration], metric: str, value: float
) -> None:
    second = {"metric": metric, "direction": "minimize"}
    result = told(candidate, [0.4, 0.6], second=second)
    assert result is not None
    assert result.values == pytest.approx((0.5, value))


@pytest.mark.parametrize(
    ("pruner", "steps"),
    [("hyperband", {1: 0.1, 2: 0.2}), ("wilcoxon", {0: 0.4, 1: 0.6})],
)
def test_pruners_compare_the_first_seeds_epochs_or_the_seeds(
    candidate: tuple[StudySpec, Configuration], pruner: str, steps: Mapping[int, float]
) -> None:
    result = told(candidate, [0.4, 0.6], pruner={"name": pruner})
    assert result is not None
    assert result.intermediate == steps


@pytest.mark.parametrize(
    ("pruner", "curve", "at"),
    [
        ({"name": "median", "startup_trials": 1}, {1: 0.0, 2: 0.0, 3: 0.0}, 1),
        ({"name": "median", "startup_trials": 1, "warmup_epochs": 1}, {1: 0.0, 2: 0.0}, 2),
        ({"name": "successive_halving", "min_epochs": 2, "reduction": 2}, {1: 0.0, 2: 0.0}, 2),
        ({"name": "patience", "epochs": 2}, {1: 0.5, 2: 0.4, 3: 0.4, 4: 0.4}, 3),
        ({"name": "wilcoxon"}, dict.fromkeys(range(6), 0.0), 3),  # p 0.0625 of four seeds
    ],
    ids=["median", "median after a warm-up", "halving", "patience", "wilcoxon"],
)
def test_a_pruner_ends_what_is_worse_and_says_why(
    pruner: dict[str, Any], curve: dict[int, float], at: int
) -> None:
    rules = SearchRules.model_validate({"pruner": pruner})
    assert rules.pruner is not None
    study = optuna.create_study(direction="maximize", pruner=make_pruner(rules.pruner, epochs=9))
    better = study.ask()
    for step in range(10):
        better.report(0.6 + 0.01 * step, step)
        better.should_prune()
    study.tell(better, 0.9)
    trial = study.ask()
    ended_at = None
    for step, value in curve.items():
        trial.report(value, step)
        if trial.should_prune():
            ended_at = step
            break
    assert ended_at == at
    assert str(at) in pruned_because(rules.pruner, step=at, value=curve[at])


def test_the_limit_that_is_exceeded_is_named() -> None:
    rules = SearchRules.model_validate({"constraints": {"memory_gb": 8, "latency_ms": 20}})
    assert exceeded(rules, {"memory_gb": 8.0}) is None
    assert exceeded(rules, {"memory_gb": 8.0, "latency_ms": 20.5}) == (
        "latency_ms 20.5 exceeds its constraint of 20"
    )


def test_a_relaunch_compares_with_what_was_measured_before(make_spec: MakeSpec) -> None:
    pruner = {"name": "successive_halving", "min_epochs": 1, "reduction": 2}
    joint = {
        "space": {"training.learning_rate": [0.1, 0.2, 0.3]},
        "sampler": "random",
        "trials": 3,
        "pruner": pruner,
    }
    (stage,) = stages_of(make_spec(search={"joint": joint}))
    watch = Watch("again", stage, maximize=True, epochs=4)
    for number, first in enumerate((0.8, 0.9)):
        curve = {step: first for step in range(1, 5)}
        watch.end(number, ConfigurationResult((first,), intermediate=curve))
    assert watch.verdict(2, {1: 0.1}) is not None


@pytest.mark.parametrize("sign", [1, -1])
def test_patience_ends_a_plateau_and_not_what_improves(make_spec: MakeSpec, sign: int) -> None:
    joint = {
        "space": {"training.learning_rate": [0.1, 0.2, 0.3]},
        "sampler": "random",
        "trials": 3,
        "pruner": {"name": "patience", "epochs": 2, "min_delta": 0.1},
    }
    (stage,) = stages_of(make_spec(search={"joint": joint}))
    watch = Watch("plateau", stage, maximize=sign > 0, epochs=9)
    plateau = {1: 0.2 * sign, 2: 0.5 * sign, 3: 0.55 * sign}  # better, but not by enough
    assert watch.verdict(0, plateau) is None
    assert "no better score in 2 epochs" in str(watch.verdict(0, {**plateau, 4: 0.59 * sign}))
    assert watch.verdict(1, {**plateau, 4: 0.61 * sign}) is None


def test_what_exceeded_a_limit_is_told_as_far_as_it_came(
    candidate: tuple[StudySpec, Configuration],
) -> None:
    result = told(candidate, [Outcome.PRUNED, Outcome.PRUNED], constraints={"memory_gb": 4})
    assert result is not None
    assert (result.values, result.is_pruned) == (None, True)
    assert result.last == pytest.approx(((0.2 + 0.3) / 2,))
    within = told(candidate, [Outcome.PRUNED, Outcome.PRUNED], constraints={"memory_gb": 9})
    assert within is not None
    assert within.last is None, "a pruner ended it"
