"""Optuna's copy of a stage: told everything, and the same whatever order things happen in."""

import random
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import optuna
import pytest
from optuna.storages import BaseStorage, InMemoryStorage, RDBStorage
from optuna.trial import FrozenTrial, TrialState

from studies.search.stage_search import PARALLEL_PROPOSALS, ConfigurationResult, StageSearch
from studies.spec.search_schema import Range, Sampler
from studies.tree.stages import Stage

RATE = "training.learning_rate"
BATCH = "training.batch_size"
FAILED = ConfigurationResult(None, False, {})
INFEASIBLE = ConfigurationResult(None, True, {})
Varied = Mapping[str, Any]


def stage(
    sampler: Sampler | None = None, trials: int | None = None, **lists: Sequence[Any]
) -> Stage:
    """Make a stage; one with a sampler has a range of learning rates."""
    return Stage(
        name="rate",
        lists={f"training.{name}": tuple(values) for name, values in lists.items()},
        ranges={} if sampler is None else {RATE: Range(low=1e-5, high=0.1, log=True)},
        held={},
        groups=("",),
        decides_per_group=False,
        beam=1,
        after_training=False,
        sampler=sampler,
        trials=trials,
        is_restricted=False,
    )


BATCHES = stage(batch_size=(1, 2, 4))
CONFIGURATIONS = [{BATCH: 1}, {BATCH: 2}, {BATCH: 4}]


def open_search(storage: BaseStorage, what: Stage, *, maximize: bool = True) -> StageSearch:
    return StageSearch(storage, "demo / rate", what, maximize=maximize)


def trials_of(storage: BaseStorage) -> list[FrozenTrial]:
    return optuna.load_study(study_name="demo / rate", storage=storage).trials


def scored(value: float) -> ConfigurationResult:
    return ConfigurationResult(value, False, {"values": {"seed 0": value}})


def result_of(varied: Varied) -> ConfigurationResult:
    """Return a planted result: high rates diverge, the lower ones are better."""
    rate = float(varied[RATE])
    return INFEASIBLE if rate > 0.03 else scored(0.9 - rate)


def run(
    storage: BaseStorage,
    what: Stage,
    *,
    order: random.Random | None = None,
    reopens: bool = False,
    judge: Callable[[Varied], ConfigurationResult] = result_of,
) -> list[Varied]:
    """Search to the end; with `order` the results of those that run arrive in that order."""
    found: list[Varied] = []
    results: list[ConfigurationResult | None] = []
    search = open_search(storage, what)
    while proposals := search.advance(found, results) or None in results:
        if isinstance(proposals, list):
            found += proposals
            results += [None] * len(proposals)
        waiting = [number for number, result in enumerate(results) if result is None]
        number = order.choice(waiting) if order else waiting[0]
        results[number] = judge(found[number])
        if reopens:
            search = open_search(storage, what)
    return found


@pytest.mark.parametrize("maximize", [True, False])
def test_a_list_is_copied_in_the_order_of_the_stage(storage: BaseStorage, maximize: bool) -> None:
    proposals = open_search(storage, BATCHES, maximize=maximize).advance(
        CONFIGURATIONS, [None, scored(0.5), None]
    )
    assert proposals == [], "a list is tried in full, there is nothing to propose"
    trials = trials_of(storage)
    assert [trial.params for trial in trials] == CONFIGURATIONS
    assert [trial.state for trial in trials] == [
        TrialState.RUNNING, TrialState.COMPLETE, TrialState.RUNNING,
    ]  # fmt: skip
    study = optuna.load_study(study_name="demo / rate", storage=storage)
    assert study.direction.name == ("MAXIMIZE" if maximize else "MINIMIZE")


def test_values_that_are_no_scalars_are_copied_as_json(storage: BaseStorage) -> None:
    schedules = [{"name": "step", "every_epochs": 2}, {"name": "constant"}]
    what = stage(schedule=schedules, batch_size=(None, 2))
    given = [{"training.schedule": each, BATCH: None} for each in schedules]
    open_search(storage, what).advance(given, [None, None])
    assert trials_of(storage)[0].params == {
        "training.schedule": '{"every_epochs": 2, "name": "step"}',
        BATCH: None,
    }


def test_a_proposal_has_the_values_of_the_list_and_not_their_json(storage: BaseStorage) -> None:
    schedules = [{"name": "step", "every_epochs": 2}, {"name": "constant"}]
    what = stage("random", 6, schedule=schedules)
    proposals = open_search(storage, what).advance([], [])
    assert {each["training.schedule"]["name"] for each in proposals} == {"step", "constant"}


def test_each_outcome_is_told_as_what_it_was(storage: BaseStorage) -> None:
    open_search(storage, BATCHES).advance(CONFIGURATIONS, [scored(0.5), INFEASIBLE, FAILED])
    complete, infeasible, failed = trials_of(storage)
    assert (complete.state, complete.value) == (TrialState.COMPLETE, 0.5)
    assert complete.user_attrs == {"values": {"seed 0": 0.5}}
    assert complete.constraints == {}
    assert (infeasible.state, infeasible.value) == (TrialState.PRUNED, None)
    assert infeasible.constraints == {"infeasible": 1.0}
    assert (failed.state, failed.value, failed.constraints) == (TrialState.FAIL, None, {})


def test_telling_again_changes_nothing(storage: BaseStorage) -> None:
    results = [scored(0.5), INFEASIBLE, FAILED]
    open_search(storage, BATCHES).advance(CONFIGURATIONS, results)
    before = trials_of(storage)
    open_search(storage, BATCHES).advance(CONFIGURATIONS, results)
    assert trials_of(storage) == before


def test_a_telling_that_was_cut_short_is_finished(storage: BaseStorage) -> None:
    open_search(storage, BATCHES).advance(CONFIGURATIONS, [None, None, None])
    study = optuna.load_study(study_name="demo / rate", storage=storage)
    trial = optuna.trial.Trial(study, trials_of(storage)[0]._trial_id)
    trial.set_constraint("infeasible", 1.0)  # killed here, before the state was told
    open_search(storage, BATCHES).advance(CONFIGURATIONS, [INFEASIBLE, None, None])
    assert trials_of(storage)[0].state is TrialState.PRUNED


def test_a_list_that_grew_is_copied_anew(storage: BaseStorage) -> None:
    open_search(storage, BATCHES).advance(CONFIGURATIONS, [scored(0.1), None, None])
    wider = stage(batch_size=(1, 2, 4, 8))
    open_search(storage, wider).advance([*CONFIGURATIONS, {BATCH: 8}], [scored(0.1), *[None] * 3])
    trials = trials_of(storage)
    assert [trial.params[BATCH] for trial in trials] == [1, 2, 4, 8]
    assert len({str(trial.distributions) for trial in trials}) == 1
    assert [trial.value for trial in trials] == [0.1, None, None, None]


@pytest.mark.parametrize("now", [scored(0.2), FAILED, None], ids=["value", "failed", "open"])
def test_a_result_that_changed_is_told_anew(
    storage: BaseStorage, now: ConfigurationResult | None
) -> None:
    open_search(storage, BATCHES).advance(CONFIGURATIONS, [scored(0.1), None, None])
    open_search(storage, BATCHES).advance(CONFIGURATIONS, [now, None, None])
    assert trials_of(storage)[0].value == (now.value if now else None)
    assert len(trials_of(storage)) == 3


def test_values_in_another_order_are_copied_anew(storage: BaseStorage) -> None:
    open_search(storage, BATCHES).advance(CONFIGURATIONS, [scored(0.1), None, None])
    turned = stage(batch_size=(4, 2, 1))
    open_search(storage, turned).advance(CONFIGURATIONS[::-1], [None, None, scored(0.1)])
    assert [(t.params[BATCH], t.value) for t in trials_of(storage)] == [
        (4, None), (2, None), (1, 0.1),
    ]  # fmt: skip


def test_a_copy_that_is_left_from_a_longer_stage_is_made_anew(storage: BaseStorage) -> None:
    """Else what is too much would be taken for proposals, again and again."""
    open_search(storage, BATCHES).advance(CONFIGURATIONS, [None] * 3)
    assert open_search(storage, BATCHES).advance(CONFIGURATIONS[:1], [None]) == []
    assert len(trials_of(storage)) == 1


def test_a_copy_in_the_other_direction_is_made_anew(storage: BaseStorage) -> None:
    open_search(storage, BATCHES, maximize=True).advance(CONFIGURATIONS, [None] * 3)
    open_search(storage, BATCHES, maximize=False).advance(CONFIGURATIONS, [None] * 3)
    study = optuna.load_study(study_name="demo / rate", storage=storage)
    assert study.direction.name == "MINIMIZE"


def test_a_model_based_sampler_proposes_a_few_ahead_of_the_results(storage: BaseStorage) -> None:
    search = open_search(storage, stage("tpe", 20))
    found = search.advance([], [])
    assert len(found) == PARALLEL_PROPOSALS
    results: list[ConfigurationResult | None] = [None, scored(0.5), scored(0.4), None]
    assert search.advance(found, results) == [], "the first is not known yet"
    results[0] = scored(0.1)
    assert len(search.advance(found, results)) == 3, "the first three are known now"


@pytest.mark.parametrize("sampler", ["random", "qmc"])
def test_a_sampler_that_learns_nothing_proposes_all_at_once(
    storage: BaseStorage, sampler: Sampler
) -> None:
    found = open_search(storage, stage(sampler, 16)).advance([], [])
    assert len({each[RATE] for each in found}) == 16
    assert all(1e-5 <= each[RATE] <= 0.1 for each in found)


@pytest.mark.parametrize("sampler", ["tpe", "random", "qmc"])
def test_a_search_ends_with_every_trial_told(storage: BaseStorage, sampler: Sampler) -> None:
    found = run(storage, stage(sampler, 6))
    trials = trials_of(storage)
    assert [trial.params for trial in trials] == found
    for trial, varied in zip(trials, found, strict=True):
        assert (trial.value, trial.state.is_finished()) == (result_of(varied).value, True)


@pytest.mark.parametrize("seed", range(3))
def test_proposals_are_the_same_whatever_order_results_arrive_in(seed: int) -> None:
    in_order = run(InMemoryStorage(), stage("tpe", 18))
    assert len(in_order) == 18
    assert run(InMemoryStorage(), stage("tpe", 18), order=random.Random(seed)) == in_order


def test_a_model_based_sampler_learns_from_results() -> None:
    found = run(InMemoryStorage(), stage("tpe", 18))
    other = run(InMemoryStorage(), stage("tpe", 18), judge=lambda varied: scored(varied[RATE]))
    assert found[:10] == other[:10]
    assert found[13:] != other[13:]


def test_proposals_are_the_same_when_killed_at_every_step(database: RDBStorage) -> None:
    in_order = run(InMemoryStorage(), stage("tpe", 16))
    found = run(database, stage("tpe", 16), order=random.Random(0), reopens=True)
    assert found == in_order


@pytest.mark.parametrize("sampler", ["tpe", "random", "qmc"])
def test_proposals_that_were_not_written_down_are_taken_up(
    storage: BaseStorage, sampler: Sampler
) -> None:
    what = stage(sampler, 6)
    asked = open_search(storage, what).advance([], [])  # killed here, before the ledger has them
    assert open_search(storage, what).advance([], []) == asked
    assert open_search(storage, what).advance(asked[:1], [None]) == asked[1:]
    assert len(trials_of(storage)) == len(asked)


def test_an_ask_that_was_cut_short_is_repeated(storage: BaseStorage) -> None:
    what = stage("tpe", 6, batch_size=(2, 4))
    asked = open_search(storage, what).advance([], [])
    study = optuna.load_study(study_name="demo / rate", storage=storage)
    study.ask(fixed_distributions={BATCH: study.trials[0].distributions[BATCH]})  # killed here
    assert open_search(storage, what).advance([], []) == asked
    assert [set(trial.params) for trial in trials_of(storage)] == [{BATCH, RATE}] * len(asked)


@pytest.mark.parametrize("sampler", ["tpe", "random", "qmc"])
def test_a_lost_copy_is_made_from_the_ledger_and_goes_on_alike(sampler: Sampler) -> None:
    what = stage(sampler, 16)
    found = run(InMemoryStorage(), what)
    results = [result_of(varied) for varied in found[:12]]
    proposals = open_search(InMemoryStorage(), what).advance(found[:12], results)
    assert proposals == found[12:]


@pytest.mark.parametrize("sampler", ["tpe", "random", "qmc"])
def test_more_trials_keep_the_earlier_proposals(storage: BaseStorage, sampler: Sampler) -> None:
    found = run(storage, stage(sampler, 4))
    results = [result_of(varied) for varied in found]
    more = open_search(storage, stage(sampler, 6)).advance(found, results)
    assert len(more) == 2
    assert [trial.params for trial in trials_of(storage)] == [*found, *more]


def test_branches_do_not_propose_the_same(storage: BaseStorage) -> None:
    what = stage("random", 3)
    first = StageSearch(storage, "demo / rate", what, maximize=True).advance([], [])
    second = StageSearch(storage, "demo / rate #2", what, maximize=True).advance([], [])
    assert not {each[RATE] for each in first} & {each[RATE] for each in second}


@pytest.mark.parametrize(
    ("given", "allowed"),
    [
        (Range(low=2, high=8, integer=True), {2, 3, 4, 5, 6, 7, 8}),
        (Range(low=32, high=96, step=32, integer=True), {32, 64, 96}),
        (Range(low=0, high=1, step=0.5), {0.0, 0.5, 1.0}),
        (Range(low=1, high=64, log=True, integer=True), set(range(1, 65))),
    ],
)
@pytest.mark.parametrize("sampler", ["random", "qmc"])
def test_proposals_keep_to_the_range(
    storage: BaseStorage, sampler: Sampler, given: Range, allowed: set[float]
) -> None:
    what = replace(stage(sampler, 12), ranges={BATCH: given})
    values = [each[BATCH] for each in open_search(storage, what).advance([], [])]
    assert set(values) <= allowed
    assert len(set(values)) > 1
    assert {type(value) for value in values} == {int if given.integer else float}


def test_optunas_own_pictures_can_be_drawn(storage: BaseStorage) -> None:
    run(storage, stage("random", 6, batch_size=(2, 4)))
    study = optuna.load_study(study_name="demo / rate", storage=storage)
    assert study.best_value == max(t.value for t in study.trials if t.value is not None)
    assert study.best_trial.user_attrs["values"]
    history = optuna.visualization.plot_optimization_history(study)
    complete = [trial for trial in study.trials if trial.state is TrialState.COMPLETE]
    assert len(history.data[0].x) == len(complete)
    importance = optuna.importance.get_param_importances(study)
    assert set(importance) == {RATE, BATCH}


@pytest.mark.slow
def test_gaussian_process_searches_too(storage: BaseStorage) -> None:
    found = run(storage, stage("gp", 12))
    assert len({each[RATE] for each in found}) == 12
