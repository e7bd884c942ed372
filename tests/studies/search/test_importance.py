"""Which settings of a search matter, by evaluators that are named."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from data_pipeline.catalog import data_fingerprint
from studies.search.importance import FEWEST, with_importance
from studies.search.living_tree import stage_record
from studies.spec.schema import StudySpec
from studies.tree.cells import CellResult, PlannedCell
from studies.tree.grown import Tree
from studies.tree.growth import grow
from studies.tree.ledger import Ledger
from studies.tree.study_record import read_study
from trackers.records import StudyRecord

GRID = {
    "stage": "grid",
    "vary": {
        "training.learning_rate": [0.1, 0.01, 0.001, 0.0001],
        "training.batch_size": [1, 2, 4],
    },
}
Finish = Callable[..., Tree]


def by_rate(cell: PlannedCell) -> float:
    """Nothing but the learning rate matters, much."""
    training = cell.settings.training
    return training.learning_rate + 1e-4 * training.batch_size


@pytest.fixture
def record_of(
    make_spec: Callable[..., StudySpec], finish: Finish, tmp_path: Path
) -> Callable[..., StudyRecord]:
    """Return a function that measures a stage and reads the study's record."""

    def make(stage: dict[str, Any], score: Callable[[PlannedCell], float]) -> StudyRecord:
        spec, results = make_spec(stage), dict[str, CellResult]()
        finish(spec, results, score)
        tree = grow(spec, results, data_fingerprint=data_fingerprint)
        ledger = Ledger(tmp_path / "workspace.db")
        resolved = spec.model_dump(mode="json", by_alias=True)
        ledger.save_study(spec.study, text="", resolved=resolved, environment={})
        records = [stage_record(each) for each in tree.every_stage]
        ledger.plan(spec.study, tree.cells().values(), records)
        record = read_study(ledger, tmp_path, spec.study)
        ledger.close()
        return record

    return make


def test_both_evaluators_find_the_setting_that_matters(
    record_of: Callable[..., StudyRecord],
) -> None:
    found = with_importance(record_of(GRID, by_rate)).importance
    assert [each.evaluator for each in found] == ["PED-ANOVA", "fANOVA"]
    for each in found:
        assert each.shares["training.learning_rate"] > 0.7
        assert sum(each.shares.values()) == pytest.approx(1.0)
        assert (each.configurations, each.left_out) == (12, 0)


def test_same_results_have_the_same_importance(record_of: Callable[..., StudyRecord]) -> None:
    record = record_of(GRID, by_rate)
    assert with_importance(record).importance == with_importance(record).importance


def test_where_nothing_matters_no_share_is_told(record_of: Callable[..., StudyRecord]) -> None:
    found = with_importance(record_of(GRID, lambda _: 0.5)).importance
    assert [dict(each.shares) for each in found] == [{}, {}]


def test_configurations_without_a_value_are_counted(record_of: Callable[..., StudyRecord]) -> None:
    record = record_of(GRID, by_rate)
    (stage,) = record.stages
    (decision,) = stage.decisions
    lost = tuple(replace(each, values={}) for each in decision.candidates[:2])
    decision = replace(decision, candidates=(*lost, *decision.candidates[2:]))
    cut = replace(record, stages=(replace(stage, decisions=(decision,)),))
    assert {each.left_out for each in with_importance(cut).importance} == {2}
    assert {each.configurations for each in with_importance(cut).importance} == {FEWEST}


@pytest.mark.parametrize(
    "vary",
    [
        {"training.learning_rate": [10.0**-n for n in range(12)]},
        {"training.learning_rate": [0.1, 0.01], "training.batch_size": [1, 2, 4]},
    ],
)
def test_single_settings_and_small_searches_have_none(
    vary: dict[str, Any], record_of: Callable[..., StudyRecord]
) -> None:
    record = record_of({"stage": "grid", "vary": vary}, by_rate)
    assert with_importance(record).importance == ()


def test_what_was_proposed_twice_counts_once(record_of: Callable[..., StudyRecord]) -> None:
    record = record_of(GRID, by_rate)
    (stage,) = record.stages
    again = tuple(replace(each, id=f"{each.id} again") for each in stage.configurations[:5])
    stage = replace(stage, configurations=(*stage.configurations, *again))
    (found, _) = with_importance(replace(record, stages=(stage,))).importance
    assert (found.configurations, found.left_out) == (12, 0)
