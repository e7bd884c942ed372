"""What a decided tree still needs before its networks can be put together."""

from collections.abc import Callable
from typing import Any

import pytest

from data_pipeline.catalog import data_fingerprint
from studies.spec.schema import StudySpec
from studies.spec.settings import flatten
from studies.tree.assemblies import USUAL_THRESHOLDS, thresholds_of, waiting_cells
from studies.tree.cells import CellResult, PlannedCell
from studies.tree.grown import Tree
from studies.tree.growth import grow
from trackers.records import Outcome

MakeSpec = Callable[..., StudySpec]
Measure = Callable[..., list[PlannedCell]]
Finish = Callable[..., Tree]
Results = dict[str, CellResult]

BY_CLASS = {"dataset": "none", "classes": ["car", "bus"], "one_model_per_class": True}
RATE = {"stage": "rate", "vary": {"training.learning_rate": [0.1, 0.01]}}
RATE_OF_BUSES = {**RATE, "only": {"data.classes": ["bus"]}}
SIZE = {"stage": "size", "vary": {"data.image_size": [32, 64]}, "per": "data.classes"}
THRESHOLD = {
    "stage": "threshold",
    "after_training": True,
    "vary": {"evaluation.threshold": [0.7, 0.3]},
}
BOTH: dict[str, Any] = {"assembly": {"single_network": True}}


def setting(cell: PlannedCell, path: str) -> Any:
    return flatten(cell.settings)[path]


def flat(_: PlannedCell) -> float:
    return 0.5


def small_buses(cell: PlannedCell) -> float:
    """Score small pictures best for buses, and large ones for everything else."""
    return cell.settings.data.image_size * (-1 if cell.group == "bus" else 1)


def plan(spec: StudySpec, results: Results) -> Tree:
    return grow(spec, results, data_fingerprint=data_fingerprint)


def test_a_study_without_assembly_plans_none(make_spec: MakeSpec, finish: Finish) -> None:
    tree = finish(make_spec(RATE, data=BY_CLASS), {}, flat)
    assert tree.is_complete
    assert tree.assemblies == ()


def test_an_undecided_tree_has_no_assembly_yet(make_spec: MakeSpec) -> None:
    spec = make_spec(RATE, data=BY_CLASS, search={"replicates": 2}, **BOTH)
    tree = plan(spec, {})
    assert tree.assemblies == ()
    assert waiting_cells(spec, tree.assemblies) == 2


def test_each_seed_puts_the_inherited_network_of_every_class_together(
    make_spec: MakeSpec, finish: Finish
) -> None:
    spec = make_spec(RATE, data=BY_CLASS, search={"replicates": 2}, assembly={})
    tree = finish(spec, {}, lambda cell: -cell.settings.training.learning_rate)
    measured = {cell.id for stage in tree.stages for cell in stage.cells()}
    assert [each.seed for each in tree.assemblies] == [0, 1]
    for assembly in tree.assemblies:
        assert list(assembly.members) == ["car", "bus"]
        for group, cell in assembly.members.items():
            assert (cell.group, cell.seed) == (group, assembly.seed)
            assert setting(cell, "training.learning_rate") == 0.01
        assert {cell.id for cell in assembly.cells()} <= measured  # nothing is trained for it
        assert assembly.is_settled
        assert assembly.single is None


def test_a_class_that_stages_left_out_is_trained_with_what_it_inherits(
    make_spec: MakeSpec, measure: Measure
) -> None:
    spec = make_spec(RATE_OF_BUSES, data=BY_CLASS, assembly={})
    results: Results = {}
    measure(spec, results, flat)
    (assembly,) = plan(spec, results).assemblies
    assert not assembly.is_settled
    (car,) = measure(spec, results, flat)
    assert (car.group, car.source) == ("car", None)
    assert plan(spec, results).assemblies[0].is_settled


def test_the_single_network_waits_for_the_class_networks_and_spends_what_they_did(
    make_spec: MakeSpec, measure: Measure
) -> None:
    spec = make_spec(RATE, data=BY_CLASS, **BOTH)
    results: Results = {}
    measure(spec, results, flat)
    (assembly,) = plan(spec, results).assemblies
    single = assembly.single
    assert single is not None
    assert single.group == ""
    spent = sum(results[cell.id].train_macs for cell in assembly.members.values())
    assert setting(single, "training.macs_limit") == spent
    assert setting(single, "training.epochs") == 4  # two networks of two epochs
    assert setting(single, "data.classes") == ["car", "bus"]
    assert setting(single, "data.one_model_per_class") is False
    assert setting(single, "data.limit.per_class") is True
    assert not assembly.is_settled
    assert [cell.id for cell in measure(spec, results, flat)] == [single.id]
    assert plan(spec, results).assemblies[0].is_settled


def test_the_single_network_has_the_settings_of_the_costliest_class(
    make_spec: MakeSpec, finish: Finish
) -> None:
    tree = finish(make_spec(SIZE, data=BY_CLASS, **BOTH), {}, small_buses)
    (assembly,) = tree.assemblies
    assert assembly.single is not None
    sizes = {group: setting(cell, "data.image_size") for group, cell in assembly.members.items()}
    assert sizes == {"car": 64, "bus": 32}
    assert setting(assembly.single, "data.image_size") == 64
    # (64 x 64 + 32 x 32) / (64 x 64) times two epochs, rounded up
    assert setting(assembly.single, "training.epochs") == 3


def test_the_single_network_does_not_stop_early(make_spec: MakeSpec, finish: Finish) -> None:
    training = {"epochs": 9, "early_stopping_epochs": 2}
    tree = finish(make_spec(RATE, data=BY_CLASS, training=training, **BOTH), {}, flat)
    single = tree.assemblies[0].single
    assert single is not None
    assert setting(single, "training.early_stopping_epochs") is None


def test_a_class_without_a_network_leaves_its_seed_without_an_assembly(
    make_spec: MakeSpec, finish: Finish
) -> None:
    spec = make_spec(RATE, data=BY_CLASS, search={"replicates": 2}, **BOTH)
    tree = finish(
        spec, {}, lambda cell: Outcome.FAILED if (cell.group, cell.seed) == ("bus", 0) else 0.5
    )
    broken, whole = tree.assemblies
    assert (broken.without, broken.single, broken.is_settled) == (("bus",), None, True)
    assert whole.without == ()
    assert whole.has_single


def test_a_failed_single_network_holds_up_no_assembly(make_spec: MakeSpec, finish: Finish) -> None:
    spec = make_spec(RATE, data=BY_CLASS, **BOTH)
    tree = finish(spec, {}, lambda cell: 0.5 if cell.group else Outcome.FAILED)
    (assembly,) = tree.assemblies
    assert assembly.is_settled
    assert not assembly.has_single
    assert tree.blocked is None


def test_an_assembly_waits_while_another_seed_may_say_what_the_single_network_gets(
    make_spec: MakeSpec, finish: Finish
) -> None:
    spec = make_spec(RATE_OF_BUSES, data=BY_CLASS, search={"replicates": 2}, **BOTH)
    results: Results = {}
    first, second = finish(spec, results, flat).assemblies
    for cell in (first.single, second.single, first.members["car"]):
        assert cell is not None
        del results[cell.id]
    assert [each.is_settled for each in plan(spec, results).assemblies] == [False, False]


def test_an_assembly_is_another_one_once_the_single_network_is_there(
    make_spec: MakeSpec, finish: Finish
) -> None:
    spec = make_spec(RATE, data=BY_CLASS, **BOTH)
    results: Results = {}
    without = finish(spec, results, lambda cell: 0.5 if cell.group else Outcome.FAILED)
    single = without.assemblies[0].single
    assert single is not None
    del results[single.id]
    assert finish(spec, results, flat).assemblies[0].id != without.assemblies[0].id


def test_a_further_seed_leaves_assemblies_as_they_were(
    make_spec: MakeSpec, finish: Finish
) -> None:
    results: Results = {}
    one = finish(make_spec(RATE, data=BY_CLASS, **BOTH), results, flat)
    before = set(results)
    two = finish(make_spec(RATE, data=BY_CLASS, search={"replicates": 2}, **BOTH), results, flat)
    assert two.assemblies[0].id == one.assemblies[0].id
    assert {cell.seed for cell in two.cells().values() if cell.id not in before} == {1}


def test_the_single_network_has_the_same_settings_with_every_seed(
    make_spec: MakeSpec, finish: Finish
) -> None:
    spec = make_spec(RATE, data=BY_CLASS, search={"replicates": 3}, **BOTH)
    tree = finish(spec, {}, flat)
    singles = [each.single for each in tree.assemblies]
    settings = {each.settings.model_dump_json() for each in singles if each is not None}
    assert len(singles) == 3
    assert len(settings) == 1


@pytest.mark.parametrize(
    ("stages", "assembly", "expected"),
    [
        ([RATE], {}, USUAL_THRESHOLDS),
        ([RATE, THRESHOLD], {}, (0.3, 0.7)),
        ([RATE, THRESHOLD], {"thresholds": [0.9, 0.2]}, (0.2, 0.9)),
    ],
)
def test_thresholds_are_those_asked_for_or_those_of_the_tree(
    make_spec: MakeSpec, stages: Any, assembly: Any, expected: Any
) -> None:
    assert thresholds_of(make_spec(*stages, data=BY_CLASS, assembly=assembly)) == expected


def test_other_thresholds_make_another_assembly(make_spec: MakeSpec, finish: Finish) -> None:
    trees = [
        finish(make_spec(RATE, data=BY_CLASS, assembly={"thresholds": [value]}), {}, flat)
        for value in (0.2, 0.4)
    ]
    assert trees[0].assemblies[0].id != trees[1].assemblies[0].id
