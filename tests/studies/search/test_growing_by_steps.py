"""Growing by a configuration at a time gives the tree that growing anew gives, at every step."""

import random
import sqlite3
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import Engine, event

from data_pipeline.catalog import data_fingerprint
from studies.search.living_tree import LivingTree, stage_record
from studies.search.measured import measured_by
from studies.search.optuna_copy import OptunaCopy
from studies.spec.schema import StudySpec
from studies.tree.cells import PlannedCell
from studies.tree.grown import Tree
from studies.tree.growth import grow
from studies.tree.ledger import CellEnd, Ledger
from studies.tree.sources import Sources
from trackers.records import Outcome

MakeSpec = Callable[..., StudySpec]
RATE = {"stage": "rate", "vary": {"training.learning_rate": [0.1, 0.01]}}
BATCH = {"stage": "batch", "vary": {"training.batch_size": [2, 4, 8]}}
THRESHOLD = {
    "stage": "threshold",
    "after_training": True,
    "vary": {"evaluation.threshold": [0.3, 0.5]},
}
SAMPLED = {
    "stage": "decay",
    "vary": {"training.weight_decay": {"low": 1e-6, "high": 1e-2, "log": True}},
    "sampler": "random",
    "trials": 3,
}
FEW = {**SAMPLED, "stage": "few", "vary": {"training.batch_size": [1, 2]}}  # proposes repeats
BY_MODEL = {**SAMPLED, "sampler": "tpe", "stage": "by model"}
BY_CLASS = {"dataset": "none", "classes": ["car", "bus"], "one_model_per_class": True}
STAGES: tuple[dict[str, Any], ...] = (RATE, BATCH, THRESHOLD, SAMPLED, FEW, BY_MODEL)


def unique(stages: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return list({each["stage"]: each for each in stages}.values())


@pytest.fixture
def quick_ledgers() -> Iterator[None]:
    """Have SQLite wait for no disk."""

    def hurry(connection: sqlite3.Connection, _: object) -> None:
        connection.execute("PRAGMA synchronous = OFF")

    event.listen(Engine, "connect", hurry)
    yield
    event.remove(Engine, "connect", hurry)


class NoCopy(OptunaCopy):
    """Optuna's database is looked at elsewhere."""

    def __init__(self) -> None:
        pass

    def follow(self, *_: object) -> None:
        pass

    def add(self, *_: object, **__: object) -> None:
        pass


def open_tree(spec: StudySpec, ledger: Ledger, folder: Path) -> LivingTree:
    return LivingTree(
        spec,
        ledger,
        copy=NoCopy(),
        measured=measured_by(ledger, folder, spec),
        sources=Sources(data_fingerprint),
    )


def end(cell: PlannedCell, dice: random.Random) -> CellEnd:
    outcome = dice.choice([Outcome.COMPLETE] * 6 + [Outcome.INFEASIBLE, Outcome.FAILED])
    metrics = {"val/iou": dice.random()} if outcome is Outcome.COMPLETE else {}
    return CellEnd(cell.id, outcome, "", metrics, 1, dice.choice([1.0, 2.0]), 1.0)


def check(spec: StudySpec, ledger: Ledger, tree: Tree) -> None:
    """Compare a tree, and the plan in the ledger, with the one that is grown anew."""
    results = ledger.results("demo")
    proposals = ledger.proposals("demo")
    anew = grow(spec, results, data_fingerprint=data_fingerprint, proposals=proposals)
    assert tree == anew
    written = list(ledger.stage_records("demo"))
    # As text: the mean of a configuration without a score is NaN, which equals nothing.
    assert str(written) == str([stage_record(each) for each in anew.every_stage])
    assert {row["id"] for row in ledger.cells("demo")} == anew.cells().keys()


@settings(
    max_examples=20,
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(
    stages=st.lists(st.sampled_from(STAGES), min_size=1, max_size=2).map(unique),
    replicates=st.integers(1, 2),
    beam=st.integers(1, 2),
    per_class=st.booleans(),
    seed=st.integers(0, 2**16),
)
@pytest.mark.slow
@pytest.mark.usefixtures("quick_ledgers")
def test_every_step_gives_the_tree_that_growing_anew_gives(
    make_spec: MakeSpec,
    tmp_path_factory: pytest.TempPathFactory,
    stages: list[dict[str, Any]],
    replicates: int,
    beam: int,
    per_class: bool,
    seed: int,
) -> None:
    if per_class:
        stages = [{**stages[0], "per": "data.classes"}, *stages[1:]]
    search = {"replicates": replicates, "select": {"beam": beam}}
    sections: dict[str, Any] = {"data": BY_CLASS} if per_class else {}
    spec = make_spec(*stages, search=search, **sections)
    folder = tmp_path_factory.mktemp("steps")
    ledger = Ledger(folder / "workspace.db")
    ledger.save_study("demo", text="", resolved={}, environment={})
    dice = random.Random(seed)
    living = open_tree(spec, ledger, folder)
    tree = living.refresh().tree
    check(spec, ledger, tree)
    while ready := [
        cell
        for cell in tree.cells().values()
        if cell.id not in living.results and (cell.source or "") in {"", *living.results}
    ]:
        cell = dice.choice(ready)
        ledger.settle("demo", end(cell, dice))
        if dice.random() < 0.1:  # the coordinator was killed here
            living = open_tree(spec, ledger, folder)
            tree = living.refresh().tree
        else:
            tree = living.take_in(cell.id).tree
        check(spec, ledger, tree)
    ledger.close()
