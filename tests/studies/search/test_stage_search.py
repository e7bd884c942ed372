"""A search proposes the same whatever order results arrive in, killed or not."""

import random
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import pytest
from optuna.trial import TrialState

from studies.search.stage_search import StageSearch
from studies.search.told import ConfigurationResult
from studies.spec.sampling_schema import PARALLEL_PROPOSALS, SearchRules, Second
from studies.spec.search_schema import Range, Sampler
from studies.tree.stages import Stage

RATE = "training.learning_rate"
DECAY = "training.weight_decay"
EPOCHS = "training.epochs"  # what the second objective counts
BATCH = "training.batch_size"
FAILED = ConfigurationResult(None)
INFEASIBLE = ConfigurationResult(None, is_infeasible=True)
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


def two_ranges(sampler: Sampler, trials: int) -> Stage:
    """Make a stage that every sampler can learn in: CMA-ES takes no single range."""
    what = stage(sampler, trials)
    if sampler != "nsga2":
        return replace(what, ranges={**what.ranges, DECAY: Range(low=0.0, high=1.0)})
    rules = SearchRules(second=Second(metric="macs", direction="minimize"))
    ranges = {**what.ranges, EPOCHS: Range(low=1, high=20, integer=True)}
    return replace(what, ranges=ranges, rules=rules)


BATCHES = stage(batch_size=(1, 2, 4))
CONFIGURATIONS = [{BATCH: 1}, {BATCH: 2}, {BATCH: 4}]


def open_search(
    what: Stage,
    found: Sequence[Varied] = (),
    results: Sequence[ConfigurationResult | None] = (),
    *,
    name: str = "demo / rate",
) -> StageSearch:
    search = StageSearch(what, name, maximize=True, epochs=2)
    search.hold(found, results)
    return search


def propose(search: StageSearch) -> list[Varied]:
    return [each.varied for each in search.proposals()]


def scored(value: float) -> ConfigurationResult:
    return ConfigurationResult((value,), attributes={"values": {"seed 0": value}})


def result_of(varied: Varied) -> ConfigurationResult:
    """Return a planted result: high rates diverge, the lower ones are better."""
    rate = float(varied[RATE])
    if rate > 0.03:
        return INFEASIBLE
    score = scored(0.9 - rate)
    return replace(score, values=(0.9 - rate, varied[EPOCHS])) if EPOCHS in varied else score


def run(
    what: Stage,
    *,
    order: random.Random | None = None,
    reopens: bool = False,
    judge: Callable[[Varied], ConfigurationResult] = result_of,
) -> list[Varied]:
    """Search to the end; with `order` the results of those that run arrive in that order."""
    search = open_search(what)
    found = propose(search)
    results: list[ConfigurationResult | None] = [None] * len(found)
    while None in results:
        waiting = [number for number, result in enumerate(results) if result is None]
        number = order.choice(waiting) if order else waiting[0]
        results[number] = judge(found[number])
        search.tell(number, results[number] or FAILED)
        if reopens:
            search = open_search(what, found, results)
        fresh = propose(search)
        found += fresh
        results += [None] * len(fresh)
    return found


def test_a_list_is_tried_in_full_and_nothing_is_proposed() -> None:
    search = open_search(BATCHES, CONFIGURATIONS, [None, scored(0.5), None])
    assert search.proposals() == []


def test_each_outcome_is_frozen_as_what_it_was() -> None:
    search = open_search(BATCHES, CONFIGURATIONS, [scored(0.5), INFEASIBLE, FAILED])
    complete, infeasible, failed = search.all_frozen()
    assert complete is not None
    assert infeasible is not None
    assert failed is not None
    assert (complete.state, complete.value) == (TrialState.COMPLETE, 0.5)
    assert complete.params == {BATCH: 1}
    assert complete.user_attrs == {"values": {"seed 0": 0.5}}
    assert complete.constraints == {"infeasible": -1.0}
    assert (infeasible.state, infeasible.value) == (TrialState.PRUNED, None)
    assert infeasible.constraints == {"infeasible": 1.0}
    assert (failed.state, failed.value) == (TrialState.FAIL, None)


def test_what_runs_is_not_frozen() -> None:
    assert open_search(BATCHES, CONFIGURATIONS, [None] * 3).all_frozen() == [None] * 3


def test_values_that_are_no_scalars_are_frozen_as_json() -> None:
    schedules = [{"name": "step", "every_epochs": 2}, {"name": "constant"}]
    what = stage(schedule=schedules, batch_size=(None, 2))
    given = [{"training.schedule": each, BATCH: None} for each in schedules]
    frozen = open_search(what, given, [scored(0.1), None]).frozen(0)
    assert frozen is not None
    assert frozen.params == {
        "training.schedule": '{"every_epochs": 2, "name": "step"}',
        BATCH: None,
    }


def test_a_proposal_has_the_values_of_the_list_and_not_their_json() -> None:
    schedules = [{"name": "step", "every_epochs": 2}, {"name": "constant"}]
    what = stage("random", 6, schedule=schedules)
    names = {each["training.schedule"]["name"] for each in propose(open_search(what))}
    assert names == {"step", "constant"}


def test_a_model_based_sampler_proposes_a_few_ahead_of_the_results() -> None:
    search = open_search(stage("tpe", 20))
    assert len(propose(search)) == PARALLEL_PROPOSALS
    search.tell(1, scored(0.5))
    search.tell(2, scored(0.4))
    assert propose(search) == [], "the first is not known yet"
    search.tell(0, scored(0.1))
    assert len(propose(search)) == 3, "the first three are known now"


@pytest.mark.parametrize("sampler", ["random", "qmc"])
def test_a_sampler_that_learns_nothing_proposes_all_at_once(sampler: Sampler) -> None:
    found = propose(open_search(stage(sampler, 16)))
    assert len({each[RATE] for each in found}) == 16
    assert all(1e-5 <= each[RATE] <= 0.1 for each in found)


@pytest.mark.parametrize("seed", range(3))
def test_proposals_are_the_same_whatever_order_results_arrive_in(seed: int) -> None:
    in_order = run(stage("tpe", 18))
    assert len(in_order) == 18
    assert run(stage("tpe", 18), order=random.Random(seed)) == in_order


def test_a_model_based_sampler_learns_from_results() -> None:
    found = run(stage("tpe", 18))
    other = run(stage("tpe", 18), judge=lambda varied: scored(varied[RATE]))
    assert found[:10] == other[:10]
    assert found[13:] != other[13:]


@pytest.mark.parametrize("sampler", ["tpe", "cmaes", "nsga2"])
def test_proposals_are_the_same_when_killed_at_every_step(sampler: Sampler) -> None:
    what = two_ranges(sampler, 16)
    assert run(what, order=random.Random(0), reopens=True) == run(what)


@pytest.mark.parametrize("sampler", ["tpe", "cmaes", "nsga2"])
def test_a_cell_that_is_tried_again_changes_no_proposal(sampler: Sampler) -> None:
    what = two_ranges(sampler, 16)
    found = run(what)
    for reopened in range(12):
        results = [None if n == reopened else result_of(v) for n, v in enumerate(found[:12])]
        search = open_search(what, found[:12], results)
        ahead = propose(search)
        search.tell(reopened, result_of(found[reopened]))
        assert [*ahead, *propose(search)] == found[12:]


@pytest.mark.parametrize("sampler", ["cmaes", "nsga2"])
def test_an_evolving_search_goes_on_when_another_result_comes_of_it(sampler: Sampler) -> None:
    what = two_ranges(sampler, 16)
    found = run(what)
    results = [FAILED if n < 5 else result_of(varied) for n, varied in enumerate(found[:12])]
    assert len(propose(open_search(what, found[:12], results))) == 4


@pytest.mark.parametrize("sampler", ["tpe", "random", "qmc"])
def test_proposals_that_were_not_written_down_are_made_again(sampler: Sampler) -> None:
    what = stage(sampler, 6)
    asked = propose(open_search(what))
    assert propose(open_search(what)) == asked, "killed before the ledger had any"
    assert propose(open_search(what, asked[:1], [None])) == asked[1:]


@pytest.mark.parametrize("sampler", ["tpe", "random", "qmc"])
def test_a_search_made_from_the_ledger_goes_on_alike(sampler: Sampler) -> None:
    what = stage(sampler, 16)
    found = run(what)
    results = [result_of(varied) for varied in found[:12]]
    assert propose(open_search(what, found[:12], results)) == found[12:]


@pytest.mark.parametrize("sampler", ["tpe", "random", "qmc"])
def test_more_trials_keep_the_earlier_proposals(sampler: Sampler) -> None:
    found = run(stage(sampler, 4))
    results = [result_of(varied) for varied in found]
    search = open_search(stage(sampler, 6), found, results)
    assert len(propose(search)) == 2


def test_branches_do_not_propose_the_same() -> None:
    first = propose(open_search(stage("random", 3)))
    second = propose(open_search(stage("random", 3), name="demo / rate #2"))
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
def test_proposals_keep_to_the_range(sampler: Sampler, given: Range, allowed: set[float]) -> None:
    what = replace(stage(sampler, 12), ranges={BATCH: given})
    values = [each[BATCH] for each in propose(open_search(what))]
    assert set(values) <= allowed
    assert len(set(values)) > 1
    assert {type(value) for value in values} == {int if given.integer else float}


@pytest.mark.slow
def test_gaussian_process_searches_too() -> None:
    def judge(varied: Varied) -> ConfigurationResult:
        """At high rates one of the seeds runs out of memory."""
        return replace(scored(0.9 - varied[RATE]), is_infeasible=varied[RATE] > 0.01)

    found = run(stage("gp", 14), judge=judge)
    assert len({each[RATE] for each in found}) == 14
    assert any(each[RATE] > 0.01 for each in found)


def test_a_gaussian_process_learns_limits_from_what_was_ended_for_them() -> None:
    """High rates score best, and exceed a limit after their first epoch."""
    rules = SearchRules.model_validate({"constraints": {"memory_gb": 4}})
    limited = replace(stage("gp", 22), ranges={RATE: Range(low=0, high=1)}, rules=rules)

    def judge(varied: Varied) -> ConfigurationResult:
        score, excess = float(varied[RATE]), float(varied[RATE]) - 0.5
        constraints = {"memory_gb": excess}
        if excess > 0:
            return ConfigurationResult(
                None, is_pruned=True, constraints=constraints, last=(score,)
            )
        return ConfigurationResult((score,), constraints=constraints)

    later = [each[RATE] for each in run(limited, judge=judge)[14:]]
    assert sum(rate <= 0.6 for rate in later) >= 6, "it keeps to what is allowed, or close to it"
    frozen = open_search(limited, [{RATE: 0.9}], [judge({RATE: 0.9})]).frozen(0)
    assert frozen is not None
    assert frozen.state is TrialState.PRUNED, "as people see it"
