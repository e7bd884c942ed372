"""Growing on results: what is kept, what is asked for, and what waits."""

import json
import math
from collections.abc import Callable
from typing import Any

import pytest

from data_pipeline.catalog import data_fingerprint
from studies.spec.schema import StudySpec
from studies.spec.settings import flatten
from studies.tree.cells import CellResult, PlannedCell
from studies.tree.grown import Tree
from studies.tree.growth import Proposals, grow
from trackers.records import DecisionRecord, Outcome

MakeSpec = Callable[..., StudySpec]
Measure = Callable[..., list[PlannedCell]]
Finish = Callable[..., Tree]
Results = dict[str, CellResult]

RATE = {"stage": "rate", "vary": {"training.learning_rate": [0.1, 0.01, 0.001]}}
BATCH = {"stage": "batch", "vary": {"training.batch_size": [2, 4]}}
SIZE = {"stage": "size", "vary": {"data.image_size": [64, 128]}}
THRESHOLD = {
    "stage": "threshold",
    "after_training": True,
    "vary": {"evaluation.threshold": [0.3, 0.5, 0.7]},
}
BY_CLASS = {"dataset": "none", "classes": ["car", "bus"], "one_model_per_class": True}


def plan(spec: StudySpec, results: Results, proposals: Proposals | None = None) -> Tree:
    return grow(spec, results, data_fingerprint=data_fingerprint, proposals=proposals)


def setting(cell: PlannedCell, path: str) -> Any:
    return flatten(cell.settings)[path]


def nearness(cell: PlannedCell) -> float:
    """Score learning rate 0.01 best, then batch size 4, then the highest threshold."""
    training = cell.settings.training
    score = 0.5 - 0.1 * abs(math.log10(training.learning_rate / 0.01))
    return score + 0.01 * training.batch_size + 0.02 * cell.settings.evaluation.threshold


def winner(tree: Tree, stage: int, decision: int = 0) -> dict[str, Any]:
    grown = tree.stages[stage]
    best = grown.decisions[decision].winners[0]
    return next(dict(each.varied) for each in grown.configurations if each.id == best)


def test_growing_is_pure(make_spec: MakeSpec, measure: Measure) -> None:
    spec = make_spec(RATE, BATCH, THRESHOLD, search={"replicates": 2})
    results: Results = {}
    while measure(spec, results, nearness):
        before = dict(results)
        assert plan(spec, results) == plan(spec, results)
        assert results == before


def test_the_order_of_results_does_not_matter(make_spec: MakeSpec, finish: Finish) -> None:
    spec = make_spec(RATE, BATCH, THRESHOLD, search={"replicates": 2})
    results: Results = {}
    tree = finish(spec, results, nearness)
    assert plan(spec, dict(reversed(results.items()))) == tree


def test_an_added_seed_asks_for_that_seed_only(
    make_spec: MakeSpec, finish: Finish, measure: Measure
) -> None:
    results: Results = {}
    finish(make_spec(RATE, BATCH, search={"replicates": 2}), results, nearness)
    fresh = measure(make_spec(RATE, BATCH, search={"replicates": 3}), results, nearness)
    assert len(fresh) == 3
    assert {cell.seed for cell in fresh} == {2}


def test_an_added_stage_asks_for_that_stage_only(
    make_spec: MakeSpec, finish: Finish, measure: Measure
) -> None:
    results: Results = {}
    finish(make_spec(RATE), results, nearness)
    fresh = measure(make_spec(RATE, BATCH), results, nearness)
    assert [setting(cell, "training.batch_size") for cell in fresh] == [4]


def test_an_added_value_asks_for_that_value_only(
    make_spec: MakeSpec, finish: Finish, measure: Measure
) -> None:
    results: Results = {}
    finish(make_spec(BATCH), results, nearness)
    wider = {**BATCH, "vary": {"training.batch_size": [1, 2, 4]}}
    fresh = measure(make_spec(wider), results, nearness)
    assert [setting(cell, "training.batch_size") for cell in fresh] == [1]


def test_another_winner_changes_the_cells_below(make_spec: MakeSpec, finish: Finish) -> None:
    spec = make_spec(RATE, BATCH)
    before = finish(spec, {}, nearness)
    after = finish(spec, {}, lambda cell: 1 - nearness(cell))
    assert winner(before, 0) != winner(after, 0)
    assert list(before.stages[0].cells()) == list(after.stages[0].cells())
    below = [{cell.id for cell in tree.stages[1].cells()} for tree in (before, after)]
    assert not below[0] & below[1]


def test_failed_cells_do_not_block_a_stage_with_complete_ones(
    make_spec: MakeSpec, finish: Finish
) -> None:
    def score(cell: PlannedCell) -> float | Outcome:
        return Outcome.FAILED if cell.settings.training.learning_rate == 0.01 else nearness(cell)

    tree = finish(make_spec(RATE, BATCH), {}, score)
    assert tree.is_complete
    assert winner(tree, 0) != {"training.learning_rate": 0.01}
    assert tree.stages[0].decisions[0].candidates[1].missing == ("seed 0",)


@pytest.mark.parametrize(
    "outcome", [o for o in Outcome if o is not Outcome.COMPLETE], ids=lambda o: str(o)
)
def test_a_stage_without_a_complete_cell_blocks_the_study(
    make_spec: MakeSpec, finish: Finish, outcome: Outcome
) -> None:
    tree = finish(make_spec(RATE, BATCH), {}, lambda _: outcome)
    assert tree.blocked is tree.stages[0]
    assert not tree.is_complete
    assert tree.stages[1].configurations == ()


def test_one_class_without_a_complete_cell_blocks_a_stage_per_class(
    make_spec: MakeSpec, finish: Finish
) -> None:
    spec = make_spec({**RATE, "per": "data.classes"}, data=BY_CLASS)
    tree = finish(spec, {}, lambda c: Outcome.FAILED if c.group == "bus" else 0.5)
    assert tree.blocked is tree.stages[0]


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_a_score_that_is_no_number_counts_as_missing(
    make_spec: MakeSpec, finish: Finish, value: float
) -> None:
    def score(cell: PlannedCell) -> float:
        return value if cell.settings.training.learning_rate == 0.01 else nearness(cell)

    tree = finish(make_spec(RATE), {}, score)
    assert winner(tree, 0) != {"training.learning_rate": 0.01}
    assert tree.stages[0].decisions[0].candidates[1].missing == ("seed 0",)
    assert finish(make_spec(RATE), {}, lambda _: value).blocked is not None


def test_a_score_that_is_undefined_counts_as_missing(
    make_spec: MakeSpec, measure: Measure
) -> None:
    """As IoU is where a class is neither there nor found."""
    results: Results = {}
    measure(make_spec(RATE), results, nearness)
    first = next(iter(results))
    results[first] = CellResult(Outcome.COMPLETE, {"val/loss": 0.1}, 1.0, 1.0, None)
    (decision,) = plan(make_spec(RATE), results).stages[0].decisions
    assert decision.candidates[0].missing == ("seed 0",)


def test_a_sampler_stage_waits_for_all_its_proposals(
    make_spec: MakeSpec, measure: Measure
) -> None:
    stage = {
        "stage": "rate",
        "vary": {"training.learning_rate": {"low": 0.001, "high": 0.1, "log": True}},
        "sampler": "tpe",
        "trials": 3,
    }
    spec = make_spec(stage, BATCH)
    proposed = [{"training.learning_rate": rate} for rate in (0.05, 0.02, 0.004)]
    results: Results = {}
    measure(spec, results, nearness, {"rate": proposed[:2]})
    open_stage = plan(spec, results, {"rate": proposed[:2]}).stages[0]
    assert (open_stage.planned_cells, open_stage.is_settled) == (3, False)
    measure(spec, results, nearness, {"rate": proposed})
    tree = plan(spec, results, {"rate": proposed})
    assert winner(tree, 0) == {"training.learning_rate": 0.02}
    assert [setting(c, "training.learning_rate") for c in tree.stages[1].cells()] == [0.02] * 2


def test_what_a_sampler_proposes_twice_is_one_rival(make_spec: MakeSpec, measure: Measure) -> None:
    vary = {"training.learning_rate": {"low": 0.001, "high": 0.1, "log": True}}
    stage = {"stage": "rate", "vary": vary, "sampler": "tpe"}
    rates = [{"training.learning_rate": rate} for rate in (0.05, 0.02, 0.004)]

    def decide(proposed: list[dict[str, float]]) -> DecisionRecord:
        spec = make_spec({**stage, "trials": len(proposed)}, search={"replicates": 2})
        results: Results = {}
        measure(spec, results, lambda cell: nearness(cell) * (1 + cell.seed), {"rate": proposed})
        return plan(spec, results, {"rate": proposed}).stages[0].decisions[0]

    assert decide([*rates, *rates, rates[0]]) == decide(rates)


SAMPLED = {
    "stage": "batch",
    "vary": {"training.batch_size": {"low": 1, "high": 64, "integer": True}},
    "sampler": "tpe",
    "trials": 2,
}
TWO = [{"training.batch_size": 8}, {"training.batch_size": 16}]


def test_a_sampler_stage_waits_for_the_proposals_of_every_branch(
    make_spec: MakeSpec, measure: Measure
) -> None:
    spec = make_spec({**RATE, "beam": 2}, SAMPLED, SIZE)
    results: Results = {}
    for _ in range(2):
        measure(spec, results, nearness, {"batch": TWO})
    tree = plan(spec, results, {"batch": TWO})
    assert not tree.stages[1].is_settled, "the second branch has none yet"
    assert tree.stages[1].planned_cells == 4
    both = {"batch": TWO, "batch #2": TWO}
    measure(spec, results, nearness, both)
    assert plan(spec, results, both).stages[1].decisions


def test_a_sampler_stage_waits_for_the_proposals_of_every_class(
    make_spec: MakeSpec, measure: Measure
) -> None:
    spec = make_spec({**SAMPLED, "per": "data.classes"}, data=BY_CLASS)
    results: Results = {}
    measure(spec, results, nearness, {"batch / car": TWO})
    tree = plan(spec, results, {"batch / car": TWO})
    assert (tree.stages[0].is_settled, tree.stages[0].planned_cells) == (False, 4)
    assert tree.blocked is None
    both = {"batch / car": TWO, "batch / bus": TWO[:1] * 2}
    measure(spec, results, nearness, both)
    grown = plan(spec, results, both).stages[0]
    assert [each.group for each in grown.configurations] == ["car", "car", "bus", "bus"]
    assert len(grown.decisions) == 2


def test_a_cell_that_was_scored_again_stays_so_when_stages_above_change_their_mind(
    make_spec: MakeSpec, finish: Finish
) -> None:
    """Its predictions are where it was trained, so a further threshold is scored from there."""
    first = {**THRESHOLD, "stage": "first threshold"}
    last = {**THRESHOLD, "vary": {"evaluation.threshold": [0.3, 0.7]}}
    results: Results = {}
    finish(make_spec(first, BATCH, last), results, nearness)
    scored = {cell: result.source for cell, result in results.items() if result.source}

    def lower_is_better(cell: PlannedCell) -> float:
        return nearness(cell) - 0.5 * cell.settings.evaluation.threshold

    for cell, result in results.items():
        planned = plan(make_spec(first, BATCH, last), results).cells()[cell]
        results[cell] = CellResult(
            result.outcome, {"val/iou": lower_is_better(planned)}, 1.0, 1.0, result.source
        )
    wider = {**last, "vary": {"evaluation.threshold": [0.3, 0.6, 0.7]}}
    tree = finish(make_spec(first, BATCH, wider), results, lower_is_better)
    assert winner(tree, 0) == {"evaluation.threshold": 0.3}
    for planned in tree.cells().values():
        if planned.id in scored:
            assert planned.source == scored[planned.id]
        if planned.source is not None:
            assert results[planned.source].source is None, "predictions are where it was trained"


def test_values_in_another_order_change_no_source(make_spec: MakeSpec, finish: Finish) -> None:
    results: Results = {}
    thresholds = {"stage": "both", "vary": {"evaluation.threshold": [0.3, 0.5]}}
    finish(make_spec(thresholds), results, nearness)
    turned = {"stage": "both", "vary": {"evaluation.threshold": [0.5, 0.3, 0.7]}}
    cells = list(finish(make_spec(turned), results, nearness).cells().values())
    assert [cell.source for cell in cells] == [cells[1].id, None, cells[1].id]


def test_planned_settings_survive_json(make_spec: MakeSpec) -> None:
    spec = make_spec(RATE, {**BATCH, "with": {"training.schedule": {"name": "step"}}})
    (cell, *_) = plan(spec, {}).cells().values()
    again = json.loads(json.dumps(cell.settings.model_dump(mode="json")))
    assert type(cell.settings).model_validate(again) == cell.settings
