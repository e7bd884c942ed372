"""A cross-validated study: a cell per fold and seed, and decisions by folds."""

from collections.abc import Callable
from typing import Any

import pytest

from data_pipeline.catalog import data_fingerprint
from studies.spec.schema import StudySpec
from studies.spec.settings import flatten
from studies.tree.cells import CellResult, PlannedCell
from studies.tree.grown import Tree, replicate_name
from studies.tree.growth import grow
from trackers.records import Outcome

MakeSpec = Callable[..., StudySpec]
Finish = Callable[..., Tree]
Measure = Callable[..., list[PlannedCell]]
RATE = {"stage": "rate", "vary": {"training.learning_rate": [0.1, 0.01]}}
BATCH = {"stage": "batch", "vary": {"training.batch_size": [2, 4]}}
THRESHOLD = {
    "stage": "threshold",
    "after_training": True,
    "vary": {"evaluation.threshold": [0.3, 0.5]},
}
CUT = {"dataset": "none", "folds": 3}
BY_CLASS = {**CUT, "classes": ["car", "bus"], "one_model_per_class": True}


def plan(spec: StudySpec, results: dict[str, CellResult] | None = None) -> Tree:
    return grow(spec, results or {}, data_fingerprint=data_fingerprint)


def score(cell: PlannedCell) -> float:
    """Make folds unlike, rate 0.01 better on each of them by about 0.1."""
    fold = cell.settings.data.split.fold
    better = 0.1 + 0.001 * fold + 0.0001 * cell.seed
    return 0.2 * fold + (better if cell.settings.training.learning_rate == 0.01 else 0.0)


def names(cells: tuple[PlannedCell, ...]) -> list[str]:
    return [replicate_name(cell) for cell in cells]


def test_each_configuration_is_measured_on_every_fold_with_every_seed(make_spec: MakeSpec) -> None:
    tree = plan(make_spec(RATE, BATCH, data=CUT, search={"replicates": 2}))
    first, second = tree.stages
    assert (first.planned_cells, second.planned_cells) == (12, 12)
    for configuration in first.configurations:
        assert names(configuration.cells) == [
            *("fold 0, seed 0", "fold 1, seed 0", "fold 2, seed 0"),
            *("fold 0, seed 1", "fold 1, seed 1", "fold 2, seed 1"),
        ]


def test_each_class_has_a_network_per_fold(make_spec: MakeSpec) -> None:
    [stage] = plan(make_spec(RATE, data=BY_CLASS)).stages
    assert names(stage.configurations[0].cells)[2:4] == [
        "car, fold 2, seed 0",
        "bus, fold 0, seed 0",
    ]
    assert stage.planned_cells == 12


def test_a_cells_settings_say_its_fold(make_spec: MakeSpec) -> None:
    tree = plan(make_spec(RATE, data=CUT))
    told = [
        [flatten(cell.settings)[path] for path in ("data.split.folds", "data.split.fold")]
        for cell in tree.stages[0].configurations[0].cells
    ]
    assert told == [[3, 0], [3, 1], [3, 2]]
    assert len(tree.cells()) == 6


def test_a_study_of_one_fold_shares_that_folds_cells(make_spec: MakeSpec) -> None:
    every = plan(make_spec(RATE, data=CUT)).cells()
    one = {"dataset": "none", "split": {"folds": 3, "fold": 1}}
    shared = plan(make_spec(RATE, data=one)).cells()
    assert shared.keys() < every.keys()
    assert {every[each].fold for each in shared} == {1}


def test_more_seeds_keep_every_fold_that_was_measured(make_spec: MakeSpec) -> None:
    before = plan(make_spec(RATE, data=CUT)).cells().keys()
    after = plan(make_spec(RATE, data=CUT, search={"replicates": 2})).cells().keys()
    assert before < after
    assert len(after) == 2 * len(before)


def test_re_scoring_finds_the_predictions_of_its_own_fold(
    make_spec: MakeSpec, finish: Finish
) -> None:
    tree = finish(make_spec(RATE, THRESHOLD, data=CUT), {}, score)
    cells = tree.cells()
    for cell in tree.stages[1].configurations[0].cells:  # 0.5 is what was trained with
        assert cell.source is not None
        assert cells[cell.source].fold == cell.fold


def test_folds_are_what_a_decision_compares(make_spec: MakeSpec, finish: Finish) -> None:
    tree = finish(make_spec(RATE, data=CUT, search={"replicates": 2}), {}, score)
    [decision] = tree.stages[0].decisions
    assert decision.interval == "folds"
    other = decision.candidates[0]
    assert other.difference == pytest.approx(-0.10105)
    assert other.difference_high is not None
    assert other.difference_high < 0  # though folds differ by far more
    assert "every other candidate differs" in decision.rule


def test_what_flips_a_decision_is_a_whole_fold(make_spec: MakeSpec, finish: Finish) -> None:
    def by_one_fold(cell: PlannedCell) -> float:
        lucky = cell.fold == 2 and cell.settings.training.learning_rate == 0.01
        return 0.9 if lucky else 0.6 - cell.settings.training.learning_rate / 10

    ties = {"replicates": 2, "select": {"ties": "best_mean"}}
    worse_elsewhere = {"stage": "rate", "vary": {"training.learning_rate": [0.001, 0.01]}}
    tree = finish(make_spec(worse_elsewhere, data=CUT, search=ties), {}, by_one_fold)
    [decision] = tree.stages[0].decisions
    assert "Without fold 2 learning rate 1e-3 would have won." in decision.flips
    assert not any("seed" in each for each in decision.flips)


def test_a_configuration_that_lost_a_fold_cannot_win(make_spec: MakeSpec, finish: Finish) -> None:
    def lossy(cell: PlannedCell) -> float | Outcome:
        if cell.fold == 1 and cell.settings.training.learning_rate == 0.01:
            return Outcome.INFEASIBLE
        return score(cell)

    tree = finish(make_spec(RATE, data=CUT), {}, lossy)
    [decision] = tree.stages[0].decisions
    assert decision.winners == ("1.1",)
    assert decision.candidates[1].missing == ("fold 1, seed 0",)


def test_finalists_are_confirmed_with_fresh_seeds_on_every_fold(
    make_spec: MakeSpec, finish: Finish
) -> None:
    search: dict[str, Any] = {"confirm": {"finalists": 1, "seeds": 2}}
    spec = make_spec(RATE, data=CUT, search=search)
    assert plan(spec).afterwards[0].planned_cells == 6
    [confirmation] = finish(spec, {}, score).afterwards
    cells = confirmation.configurations[0].cells
    assert sorted({(cell.seed, cell.fold) for cell in cells if cell.seed}) == [
        (seed, fold) for seed in (1, 2) for fold in range(3)
    ]


def test_what_lies_beside_the_path_is_probed_on_every_fold(
    make_spec: MakeSpec, finish: Finish
) -> None:
    spec = make_spec(RATE, BATCH, data=CUT, search={"probe": True})
    [probe] = finish(spec, {}, score).afterwards
    assert {cell.fold for each in probe.configurations for cell in each.cells} == {0, 1, 2}
    assert probe.decisions[0].interval == "folds"


def test_a_search_like_a_tree_computes_as_much_on_folds(make_spec: MakeSpec) -> None:
    like: dict[str, Any] = {"joint": {"like": "tree", "sampler": "random"}}
    [once] = plan(make_spec(RATE, BATCH, search=like)).stages
    [folded] = plan(make_spec(RATE, BATCH, data=CUT, search=like)).stages
    assert folded.planned_cells == 3 * once.planned_cells
    assert folded.stage.trials == once.stage.trials
