"""Finalists on fresh seeds, and the neighbours of what a path chose."""

from collections.abc import Callable, Mapping
from typing import Any

import pytest

from data_pipeline.catalog import data_fingerprint
from studies.spec.schema import StudySpec
from studies.spec.search_schema import Range
from studies.tree.cells import CellResult, PlannedCell
from studies.tree.grown import GrownStage, Tree
from studies.tree.growth import grow
from studies.tree.neighbours import beside

Finish = Callable[..., Tree]
RATE = {"stage": "rate", "vary": {"training.learning_rate": [0.1, 0.01, 0.001]}}
BATCH = {"stage": "batch", "vary": {"training.batch_size": [1, 2, 4, 8]}}
THRESHOLD = {
    "stage": "threshold",
    "after_training": True,
    "vary": {"evaluation.threshold": [0.3, 0.5]},
}
CONFIRM = {"replicates": 2, "confirm": {"finalists": 2, "seeds": 3}}


def varied(grown: GrownStage) -> list[Mapping[str, Any]]:
    return [each.varied for each in grown.configurations]


def rate_and_batch(cell: PlannedCell) -> float:
    """Best at a rate of 0.01 and a batch of 4; 8 is as good but for the seed."""
    training = cell.settings.training
    of_rate = {0.1: 0.1, 0.01: 0.3, 0.001: 0.2}[training.learning_rate]
    of_batch = {1: 0.0, 2: 0.1, 4: 0.3, 8: 0.29}[training.batch_size]
    jitter = 0.02 * (cell.seed % 2) * (training.batch_size == 8)
    return of_rate + of_batch + jitter - 0.05 * (cell.seed >= 2)


def test_finalists_are_trained_with_seeds_that_chose_nothing(
    make_spec: Callable[..., StudySpec], finish: Finish
) -> None:
    tree = finish(make_spec(RATE, BATCH, search=CONFIRM), {}, rate_and_batch)
    (confirmation,) = tree.afterwards
    assert (confirmation.stage.kind, confirmation.stage.about) == ("confirmation", "batch")
    chosen = [dict(each) for each in varied(confirmation)]
    assert chosen == [{"training.batch_size": 4}, {"training.batch_size": 8}]
    for each in confirmation.configurations:
        assert [cell.seed for cell in each.cells] == [0, 1, 2, 3, 4]
        assert all(cell.settings.training.learning_rate == 0.01 for cell in each.cells)
    (decision,) = confirmation.decisions
    assert set(decision.candidates[0].values) == {"seed 2", "seed 3", "seed 4"}


def test_winner_of_the_tree_stays_whatever_fresh_seeds_score(
    make_spec: Callable[..., StudySpec], finish: Finish
) -> None:
    def turned(cell: PlannedCell) -> float:
        is_overtaking = cell.seed >= 2 and cell.settings.training.batch_size == 8
        return rate_and_batch(cell) + 0.3 * is_overtaking

    tree = finish(make_spec(RATE, BATCH, search=CONFIRM), {}, turned)
    (decision,) = tree.afterwards[0].decisions
    assert decision.winners == (decision.reference,) == ("c.1",)
    assert decision.candidates[1].difference == pytest.approx(0.3, abs=0.02)
    assert decision.rule == "batch size 8 is better at 95% confidence."


def test_finalists_are_scored_as_the_stages_after_training_chose(
    make_spec: Callable[..., StudySpec], finish: Finish
) -> None:
    def score(cell: PlannedCell) -> float:
        return rate_and_batch(cell) + 0.1 * (cell.settings.evaluation.threshold == 0.3)

    tree = finish(make_spec(RATE, BATCH, THRESHOLD, search=CONFIRM), {}, score)
    cells = [cell for each in tree.afterwards[0].configurations for cell in each.cells]
    assert all(cell.settings.evaluation.threshold == 0.3 for cell in cells)
    known = [cell for cell in cells if cell.seed < 2]
    assert all(cell.source is not None for cell in known), "re-scored, not trained again"


def test_probe_looks_one_step_beside_every_choice_but_the_last(
    make_spec: Callable[..., StudySpec], finish: Finish
) -> None:
    spec = make_spec(RATE, BATCH, search={"probe": True, "replicates": 2})
    tree = finish(spec, {}, rate_and_batch)
    (probe,) = tree.afterwards
    assert (probe.stage.kind, probe.stage.about) == ("probe", "rate")
    rates = [each["training.learning_rate"] for each in varied(probe)]
    assert rates == [0.01, 0.1, 0.001], "the final settings first"
    cells = [cell for each in probe.configurations for cell in each.cells]
    assert all(cell.settings.training.batch_size == 4 for cell in cells)
    final = tree.stages[1].configurations[2]
    assert probe.configurations[0].cells == final.cells, "what was measured is not measured again"


def test_probe_at_the_end_of_a_list_has_one_neighbour(
    make_spec: Callable[..., StudySpec], finish: Finish
) -> None:
    spec = make_spec(RATE, BATCH, search={"probe": True})
    tree = finish(spec, {}, lambda cell: -cell.settings.training.learning_rate)
    rates = [each["training.learning_rate"] for each in varied(tree.afterwards[0])]
    assert rates == [0.001, 0.01]


def test_probe_steps_along_lists_that_go_together(
    make_spec: Callable[..., StudySpec], finish: Finish
) -> None:
    both = {"training.learning_rate": [0.1, 0.01, 0.001], "training.epochs": [1, 2, 3]}
    spec = make_spec(
        {"stage": "both", "vary": both, "together": True}, BATCH, search={"probe": True}
    )
    tree = finish(spec, {}, lambda cell: -abs(cell.settings.training.epochs - 2))
    steps = [tuple(each.values()) for each in varied(tree.afterwards[0])]
    assert steps == [(0.01, 2), (0.1, 1), (0.001, 3)]


@pytest.mark.parametrize(
    "stages",
    [
        (RATE, BATCH),
        (RATE, BATCH, THRESHOLD),
        (RATE, {**BATCH, "with": {"training.epochs": 1}}),
        ({**RATE, "beam": 2}, {**BATCH, "with": {"training.epochs": 1}}, THRESHOLD),
        (RATE, BATCH, {**THRESHOLD, "with": {"evaluation.also": ["rand_error"]}}),
    ],
)
def test_cells_after_the_tree_are_counted_before_it_is_decided(
    stages: tuple[dict[str, Any], ...], make_spec: Callable[..., StudySpec], finish: Finish
) -> None:
    spec = make_spec(*stages, search={**CONFIRM, "probe": True})
    planned = grow(spec, {}, data_fingerprint=data_fingerprint).afterwards
    tree = finish(spec, {}, rate_and_batch)
    assert [each.stage.name for each in planned] == [each.stage.name for each in tree.afterwards]
    before = {cell.id for stage in tree.stages for cell in stage.cells()}
    added = []
    for each in tree.afterwards:
        own = {cell.id for cell in each.cells()} - before
        added.append(len(own))
        before |= own
    most = [each.planned_cells for each in planned]
    assert all(count <= bound for count, bound in zip(added, most, strict=True)), (added, most)


def test_final_settings_that_no_stage_measures_are_counted(
    make_spec: Callable[..., StudySpec], finish: Finish
) -> None:
    spec = make_spec(
        RATE,
        {**BATCH, "only": {"data.classes": ["car"]}},
        search={"probe": True, "replicates": 2},
        data={"dataset": "none", "classes": ["car", "bus"], "one_model_per_class": True},
    )
    (planned,) = grow(spec, {}, data_fingerprint=data_fingerprint).afterwards
    tree = finish(spec, {}, rate_and_batch)
    before = {cell.id for stage in tree.stages for cell in stage.cells()}
    added = {cell.id for cell in tree.afterwards[0].cells()} - before
    neighbours, unmeasured = 2 * 2 * 2, 1 * 2  # of classes and seeds
    assert len(added) == neighbours + unmeasured <= planned.planned_cells


def test_each_class_has_its_own_finalists(
    make_spec: Callable[..., StudySpec], finish: Finish
) -> None:
    spec = make_spec(
        {**RATE, "per": "data.classes"},
        search={"confirm": {"finalists": 1, "seeds": 1}, "replicates": 2},
        data={"dataset": "none", "classes": ["car", "bus"], "one_model_per_class": True},
    )
    best = {"car": 0.1, "bus": 0.001}
    tree = finish(
        spec, {}, lambda cell: float(cell.settings.training.learning_rate == best[cell.group])
    )
    (confirmation,) = tree.afterwards
    found = {each.group: each.varied for each in confirmation.configurations}
    assert found == {group: {"training.learning_rate": rate} for group, rate in best.items()}
    assert [each.group for each in confirmation.decisions] == ["car", "bus"]


def test_undecided_tree_has_nothing_to_look_back_on(make_spec: Callable[..., StudySpec]) -> None:
    spec = make_spec(RATE, BATCH, search={**CONFIRM, "probe": True})
    results: dict[str, CellResult] = {}
    tree = grow(spec, results, data_fingerprint=data_fingerprint)
    assert [each.configurations for each in tree.afterwards] == [(), ()]


DEPTH = {"stage": "depth", "vary": {"model.depth": [3, 4]}}
DROPOUT = {
    "stage": "dropout",
    "vary": {"model.dropout": {"low": 0.0, "high": 0.5, "step": 0.1}},
    "sampler": "grid",
}
MODEL = {"stage": "model", "vary": {"model": [{"name": "unet"}, {"name": "segnet"}]}}


def test_probe_leaves_out_what_the_final_model_has_not(
    make_spec: Callable[..., StudySpec], finish: Finish
) -> None:
    search = {"probe": True}
    spec = make_spec(DEPTH, DROPOUT, RATE, MODEL, search=search, model={"name": "unet"})
    tree = finish(spec, {}, lambda cell: float(cell.settings.model.name == "segnet"))
    found = {each.stage.about: [*map(dict, varied(each))] for each in tree.afterwards}
    assert found["depth"] == found["dropout"] == [{}], "nothing beside the final settings"
    assert len(found["rate"]) == 2
    assert all(each.decisions for each in tree.afterwards)


SHORT = {**BATCH, "with": {"training.epochs": 1}}


def test_finalists_of_a_stage_that_held_something_have_fresh_seeds_alone(
    make_spec: Callable[..., StudySpec], finish: Finish
) -> None:
    tree = finish(make_spec(RATE, SHORT, search=CONFIRM), {}, rate_and_batch)
    (confirmation,) = tree.afterwards
    for each in confirmation.configurations:
        assert [cell.seed for cell in each.cells] == [2, 3, 4]
        assert all(cell.settings.training.epochs == 2 for cell in each.cells)


STEPPED = {"low": 0.1, "high": 0.7, "step": 0.2}
COUNTED = {"low": 2, "high": 14, "step": 4, "integer": True}


@pytest.mark.parametrize(
    ("value", "within", "expected"),
    [
        (0.3, STEPPED, [0.1, 0.5]),
        (0.30000000000000004, {**STEPPED, "step": 0.1}, [0.2, 0.4]),
        (0.7, {**STEPPED, "step": 0.1}, [0.6]),
        (0.2, {"low": 0.1, "high": 0.3, "step": 0.1}, [0.1, 0.3]),
        (0.4, STEPPED, [0.3, 0.5]),
        (9.0, STEPPED, []),
        (6, COUNTED, [2, 10]),
        (14, COUNTED, [10]),
        (5, {"low": 1, "high": 6, "integer": True}, [4, 6]),
    ],
)
def test_neighbours_of_a_range_are_its_own_values(
    value: float, within: dict[str, float], expected: list[float]
) -> None:
    assert beside(value, Range.model_validate(within)) == expected
