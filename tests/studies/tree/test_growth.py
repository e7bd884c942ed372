"""The tree: what is planned, what is inherited, and what is never measured twice."""

import math
from collections.abc import Callable
from typing import Any

from data_pipeline.catalog import data_fingerprint
from studies.spec.schema import StudySpec
from studies.spec.settings import flatten
from studies.tree.cells import CellResult, PlannedCell
from studies.tree.grown import Tree
from studies.tree.growth import Proposals, grow

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


def shape(tree: Tree) -> list[tuple[str, int, int]]:
    return [(g.stage.name, len(g.configurations), g.planned_cells) for g in tree.stages]


def test_a_study_not_run_plans_its_first_stage_and_counts_the_others(make_spec: MakeSpec) -> None:
    tree = plan(make_spec(RATE, BATCH, THRESHOLD, search={"replicates": 2}), {})
    assert shape(tree) == [("rate", 3, 6), ("batch", 0, 4), ("threshold", 0, 6)]
    assert not tree.is_complete
    assert tree.blocked is None


def test_a_stage_inherits_the_winner_above(make_spec: MakeSpec, finish: Finish) -> None:
    tree = finish(make_spec(RATE, BATCH), {}, nearness)
    assert tree.is_complete
    assert winner(tree, 0) == {"training.learning_rate": 0.01}
    assert winner(tree, 1) == {"training.batch_size": 4}
    batch = tree.stages[1]
    assert {setting(cell, "training.learning_rate") for cell in batch.cells()} == {0.01}
    assert [each.parent for each in batch.configurations] == ["1.2", "1.2"]


def test_what_a_stage_holds_is_for_that_stage_alone(make_spec: MakeSpec, finish: Finish) -> None:
    held = {**RATE, "with": {"training.epochs": 5}}
    tree = finish(make_spec(held, BATCH), {}, nearness)
    first, second = tree.stages
    assert {setting(cell, "training.epochs") for cell in first.cells()} == {5}
    assert {setting(cell, "training.epochs") for cell in second.cells()} != {5}


def test_what_a_stage_varies_wins_over_what_a_stage_above_held(
    make_spec: MakeSpec, finish: Finish
) -> None:
    held = {**RATE, "with": {"training.batch_size": 1}}
    tree = finish(make_spec(held, BATCH), {}, nearness)
    assert [setting(c, "training.batch_size") for c in tree.stages[1].cells()] == [2, 4]


def test_base_stage_measures_the_base_settings_first(make_spec: MakeSpec, finish: Finish) -> None:
    tree = finish(make_spec(RATE, search={"base": True}), {}, nearness)
    (base,) = tree.stages[0].configurations
    assert (tree.stages[0].stage.name, base.label) == ("base", "base settings")
    assert [each.parent for each in tree.stages[1].configurations] == ["1.1"] * 3
    assert len(tree.cells()) == 3, "the rate of the base settings is one of the stage's"


def test_joint_search_is_one_stage(make_spec: MakeSpec) -> None:
    joint = {
        "space": {
            "training.batch_size": [2, 4],
            "training.learning_rate": {"low": 0.01, "high": 1},
        },
        "trials": 5,
    }
    proposed = [{"training.batch_size": 4, "training.learning_rate": 0.5}]
    spec = make_spec(search={"joint": joint, "replicates": 2})
    tree = plan(spec, {}, {"joint": proposed})
    assert shape(tree) == [("joint", 1, 10)]
    (cell, _) = tree.cells().values()
    assert setting(cell, "training.learning_rate") == 0.5


def test_only_restricts_a_stage_and_left_out_classes_take_its_winner_too(
    make_spec: MakeSpec, finish: Finish
) -> None:
    tree = finish(
        make_spec({**RATE, "only": {"data.classes": ["car"]}}, BATCH, data=BY_CLASS), {}, nearness
    )
    assert {cell.group for cell in tree.stages[0].cells()} == {"car"}
    below = list(tree.stages[1].cells())
    assert {cell.group for cell in below} == {"car", "bus"}
    assert {setting(cell, "training.learning_rate") for cell in below} == {0.01}


def test_each_class_is_a_model_of_that_class_alone(make_spec: MakeSpec) -> None:
    tree = plan(make_spec(RATE, data=BY_CLASS), {})
    for cell in tree.cells().values():
        assert setting(cell, "data.classes") == [cell.group]
        assert setting(cell, "data.one_model_per_class") is False


def test_classes_together_decide_by_their_mean(make_spec: MakeSpec, finish: Finish) -> None:
    scores = {("car", 0.1): 0.9, ("bus", 0.1): 0.1, ("car", 0.01): 0.6, ("bus", 0.01): 0.6}
    tree = finish(
        make_spec(RATE, data=BY_CLASS),
        {},
        lambda cell: scores.get((cell.group, setting(cell, "training.learning_rate")), 0.0),
    )
    assert winner(tree, 0) == {"training.learning_rate": 0.01}
    (decision,) = tree.stages[0].decisions
    assert decision.candidates[0].values == {"car, seed 0": 0.9, "bus, seed 0": 0.1}


def by_class(cell: PlannedCell) -> float:
    """Cars want a learning rate of 0.1, buses one of 0.001."""
    best = {"car": 0.1, "bus": 0.001}[cell.group]
    return 0.5 - 0.1 * abs(math.log10(cell.settings.training.learning_rate / best))


def test_per_class_each_keeps_its_own_winner(make_spec: MakeSpec, finish: Finish) -> None:
    tree = finish(make_spec({**RATE, "per": "data.classes"}, data=BY_CLASS), {}, by_class)
    grown = tree.stages[0]
    assert [decision.group for decision in grown.decisions] == ["car", "bus"]
    assert winner(tree, 0, 0) == {"training.learning_rate": 0.1}
    assert winner(tree, 0, 1) == {"training.learning_rate": 0.001}
    assert len(grown.configurations) == 6
    assert grown.planned_cells == 6


def test_a_joint_stage_builds_on_the_settings_of_each_class(
    make_spec: MakeSpec, finish: Finish
) -> None:
    spec = make_spec({**RATE, "per": "data.classes"}, BATCH, SIZE, data=BY_CLASS)
    tree = finish(spec, {}, by_class)
    for grown in tree.stages[1:]:
        rates = {(cell.group, setting(cell, "training.learning_rate")) for cell in grown.cells()}
        assert rates == {("car", 0.1), ("bus", 0.001)}
    assert len(tree.stages[2].configurations) == 2


def test_per_class_with_a_beam_above_each_class_keeps_its_own_branch(
    make_spec: MakeSpec, finish: Finish
) -> None:
    def score(cell: PlannedCell) -> float:
        if setting(cell, "training.learning_rate") == 0.1:
            return 0.6 if cell.group == "car" else 0.5
        if setting(cell, "training.learning_rate") == 0.01:
            return 0.5 if cell.group == "car" else 0.55
        return 0.0

    spec = make_spec(
        {**RATE, "beam": 2}, {**BATCH, "per": "data.classes"}, THRESHOLD, data=BY_CLASS
    )
    tree = finish(spec, {}, score)
    assert len(tree.stages[0].decisions[0].winners) == 2
    assert [len(each.winners) for each in tree.stages[1].decisions] == [1, 1]
    below = {(c.group, setting(c, "training.learning_rate")) for c in tree.stages[2].cells()}
    assert below == {("car", 0.1), ("bus", 0.01)}


def test_a_beam_multiplies_the_branches(make_spec: MakeSpec, finish: Finish) -> None:
    spec = make_spec(RATE, BATCH, SIZE, search={"select": {"beam": 2}})
    assert shape(plan(spec, {})) == [("rate", 3, 3), ("batch", 0, 4), ("size", 0, 4)]
    tree = finish(spec, {}, nearness)
    assert tree.stages[0].decisions[0].winners == ("1.2", "1.1")
    batch = tree.stages[1].configurations
    assert [(each.parent, each.varied["training.batch_size"]) for each in batch] == [
        ("1.2", 2), ("1.2", 4), ("1.1", 2), ("1.1", 4),
    ]  # fmt: skip
    for each in batch:
        (cell,) = each.cells
        expected = {"1.2": 0.01, "1.1": 0.1}[str(each.parent)]
        assert setting(cell, "training.learning_rate") == expected
    assert tree.stages[1].decisions[0].winners == ("2.2", "2.1"), "both from one branch"
    assert [each.parent for each in tree.stages[2].configurations] == ["2.2", "2.2", "2.1", "2.1"]


def test_a_beam_names_the_branch_that_a_candidate_is_from(
    make_spec: MakeSpec, finish: Finish
) -> None:
    tree = finish(make_spec({**RATE, "beam": 2}, BATCH), {}, nearness)
    assert tree.stages[1].decisions[0].rule.startswith("batch size 4 from 1.2 has the highest")


def test_a_beam_wider_than_the_tree_plans_no_more_than_there_is(
    make_spec: MakeSpec, finish: Finish
) -> None:
    spec = make_spec(BATCH, RATE, SIZE, search={"select": {"beam": 100}})
    planned = [("batch", 2), ("rate", 6), ("size", 12)]
    assert [(name, cells) for name, _, cells in shape(plan(spec, {}))] == planned
    tree = finish(spec, {}, nearness)
    assert [(name, cells) for name, _, cells in shape(tree)] == planned
    assert len(tree.cells()) == 12 + 6 + 2 - 2 - 6, "the full grid, each cell once"


def test_after_training_scores_the_winner_again(make_spec: MakeSpec, finish: Finish) -> None:
    tree = finish(make_spec(RATE, THRESHOLD), {}, nearness)
    trained = next(
        c for c in tree.stages[0].cells() if setting(c, "training.learning_rate") == 0.01
    )
    cells = {setting(cell, "evaluation.threshold"): cell for cell in tree.stages[1].cells()}
    assert cells[0.5] == trained, "the base threshold was measured by the training"
    assert cells[0.3].source == cells[0.7].source == trained.id
    assert winner(tree, 1) == {"evaluation.threshold": 0.7}


def test_after_training_first_of_all_trains_what_it_scores(make_spec: MakeSpec) -> None:
    stage = {**THRESHOLD, "vary": {"evaluation.threshold": [0.3, 0.7]}}
    tree = plan(make_spec(stage, search={"replicates": 2}), {})
    grown = tree.stages[0]
    assert [setting(cell, "evaluation.threshold") for cell in grown.sources] == [0.5, 0.5]
    assert {cell.source for cell in grown.sources} == {None}
    sources = {cell.seed: cell.id for cell in grown.sources}
    for configuration in grown.configurations:
        assert [cell.source for cell in configuration.cells] == [sources[0], sources[1]]
    assert list(tree.cells())[:2] == list(sources.values()), "sources run first"


def test_after_training_a_class_left_out_before_is_trained_for_it(
    make_spec: MakeSpec, finish: Finish
) -> None:
    spec = make_spec({**RATE, "only": {"data.classes": ["car"]}}, THRESHOLD, data=BY_CLASS)
    results: Results = {}
    tree = finish(spec, results, nearness)
    sources = [cell for cell in tree.stages[1].cells() if cell.source is None]
    assert sorted(cell.group for cell in sources) == ["bus", "car"]
    assert {setting(cell, "training.learning_rate") for cell in sources} == {0.01}


def test_a_stage_with_an_unmeasured_source_is_not_settled(
    make_spec: MakeSpec, measure: Measure
) -> None:
    spec = make_spec({**THRESHOLD, "vary": {"evaluation.threshold": [0.3, 0.7]}})
    results: Results = {}
    measure(spec, results, nearness)
    assert plan(spec, results).is_complete
    (source,) = plan(spec, results).stages[0].sources
    del results[source.id]
    assert not plan(spec, results).stages[0].is_settled


def test_after_training_is_free_so_ties_go_to_the_best_mean(
    make_spec: MakeSpec, finish: Finish
) -> None:
    spec = make_spec(THRESHOLD, search={"replicates": 3})
    noise = [0.0, 0.05, -0.05]

    def score(cell: PlannedCell) -> float:
        tenths = round(10 * cell.settings.evaluation.threshold)
        return nearness(cell) + noise[(cell.seed + tenths // 2) % 3]

    tree = finish(spec, {}, score)
    candidates = tree.stages[0].decisions[0].candidates
    assert {(each.train_macs, each.is_tied) for each in candidates} == {(0.0, True)}
    assert winner(tree, 0) == {"evaluation.threshold": 0.7}


def test_identical_configurations_are_planned_once_over_all_stages(
    make_spec: MakeSpec, measure: Measure
) -> None:
    spec = make_spec(RATE, BATCH, {**RATE, "stage": "rate again"}, search={"replicates": 2})
    results: Results = {}
    counts = [len(measure(spec, results, nearness)) for _ in range(3)]
    assert counts == [6, 2, 4], "batch size 2 and learning rate 0.01 are known by then"
    tree = plan(spec, results)
    assert tree.is_complete
    assert [grown.planned_cells for grown in tree.stages] == [6, 4, 6]
    assert len(tree.cells()) == 12
