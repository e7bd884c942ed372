"""A joint search like a tree: all that its stages vary, with as much training."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import optuna
import pytest
from optuna.storages import InMemoryStorage

from data_pipeline.catalog import data_fingerprint
from models.noop_landscape import planted_score
from models.noop_settings import NoopSettings
from studies.search.living_tree import LivingTree
from studies.search.measured import Measured
from studies.search.optuna_copy import OptunaCopy
from studies.spec.schema import StudySpec
from studies.tree.cells import PlannedCell
from studies.tree.grown import Tree
from studies.tree.ledger import CellEnd, Ledger
from studies.tree.stages import stages_of
from trackers.records import Outcome

MakeSpec = Callable[..., StudySpec]
RATE, BATCH = "training.learning_rate", "training.batch_size"
EPOCHS = 9
# The best rate falls by two decades for each decade of images per batch: a tree that starts at
# large batches chooses the rate that suits those, and then no smaller batch does better.
RATES, BATCHES = [0.01, 0.04, 0.16, 0.64], [4, 8, 16, 32]
MODEL = {
    "name": "noop",
    "optimum": {"learning_rate": 0.01, "batch_size": 4},
    "interaction": {"of": ["learning_rate", "batch_size"], "strength": 2.0},
}
STAGES = [{"stage": "rate", "vary": {RATE: RATES}}, {"stage": "batch", "vary": {BATCH: BATCHES}}]
LIKE = {
    "like": "tree",
    "sampler": "tpe",
    "pruner": {"name": "successive_halving", "min_epochs": 1, "reduction": 3},
}
OPTIMUM = {RATE: 0.01, BATCH: 4}


@pytest.fixture
def make_study(make_spec: MakeSpec) -> Callable[..., StudySpec]:
    """Return a function that makes the planted study, as a tree or like it."""

    def make(name: str, **search: object) -> StudySpec:
        training = {"learning_rate": 0.01, "batch_size": 32, "epochs": EPOCHS}
        sections: dict[str, Any] = {"study": name, "model": MODEL, "training": training}
        return make_spec(*STAGES, search=search, **sections)

    return make


class Yard:
    """Trains the cells of a study one by one, and counts epochs."""

    def __init__(self, spec: StudySpec, folder: Path) -> None:
        self.spec = spec
        self.epochs: dict[str, int] = {}  # by cell
        self.scores: dict[str, float] = {}  # by cell, of its last epoch
        self.ledger = Ledger(folder / f"{spec.study}.db")
        self.copy = OptunaCopy(InMemoryStorage)
        resolved = spec.model_dump(mode="json", by_alias=True)
        self.ledger.save_study(spec.study, text="", resolved=resolved, environment={})
        self.tree = self.open_tree()

    def open_tree(self) -> LivingTree:
        return LivingTree(
            self.spec,
            self.ledger,
            copy=self.copy,
            measured=lambda cell: Measured(self.epochs[cell], self.curve(cell), {}),
            data_fingerprint=data_fingerprint,
        )

    def finish(self) -> Tree:
        tree = self.tree.refresh().tree
        while cells := [c for c in tree.cells().values() if c.id not in self.tree.results]:
            self.train(cells[0])
            tree = self.tree.take_in(cells[0].id).tree
        self.close()
        return tree

    def close(self) -> None:
        self.copy.close()
        self.ledger.close()

    def curve(self, cell: str) -> dict[int, float]:
        final = self.scores[cell]
        return {e: final - 0.2 * (1 - e / EPOCHS) for e in range(1, self.epochs[cell] + 1)}

    def train(self, cell: PlannedCell) -> None:
        self.scores[cell.id] = planted(cell)
        outcome = Outcome.COMPLETE
        for epoch in range(1, EPOCHS + 1):
            self.epochs[cell.id] = epoch
            if self.tree.verdict(cell.id, self.curve(cell.id)):
                outcome = Outcome.PRUNED
                break
        scored = {"val/iou": planted(cell)} if outcome is Outcome.COMPLETE else {}
        end = CellEnd(cell.id, outcome, "", scored, 1, 1.0, 1.0)
        self.ledger.settle(self.spec.study, end)


def planted(cell: PlannedCell) -> float:
    settings = cell.settings
    assert isinstance(settings.model, NoopSettings)
    return planted_score(
        settings.model,
        lambda name: float(getattr(settings.training, name)),
        seed=cell.seed,
        identity=cell.id,
    )


def winner(tree: Tree) -> Mapping[str, Any]:
    last = tree.stages[-1]
    won = last.decisions[0].winners[0]
    settings = next(each for each in last.configurations if each.id == won).settings[""]
    return {RATE: settings.training.learning_rate, BATCH: settings.training.batch_size}


def test_a_joint_search_finds_at_equal_compute_what_a_greedy_tree_misses(
    make_study: Callable[..., StudySpec], tmp_path: Path
) -> None:
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    greedy = Yard(make_study("tree"), tmp_path)
    assert winner(greedy.finish()) == {RATE: 0.64, BATCH: 32}, "it goes where the rate led it"
    budget = EPOCHS * (len(RATES) + len(BATCHES))
    found = 0
    for number in range(6):
        joint = Yard(make_study(f"joint-{number}", joint=LIKE), tmp_path)
        found += winner(joint.finish()) == OPTIMUM
        spent = sum(joint.epochs.values())
        assert budget - EPOCHS < spent < budget + EPOCHS, "as much as the tree, but for one cell"
    assert found >= 5


def test_a_search_like_a_tree_has_the_union_of_its_stages(
    make_study: Callable[..., StudySpec],
) -> None:
    (stage,) = stages_of(make_study("union", joint=LIKE))
    assert stage.vary() == {RATE: RATES, BATCH: BATCHES}
    assert stage.work is not None
    assert stage.work.configurations == len(RATES) + len(BATCHES)


def test_a_search_that_has_spent_its_compute_proposes_no_more_after_a_relaunch(
    make_study: Callable[..., StudySpec], tmp_path: Path
) -> None:
    yard = Yard(make_study("again", joint=LIKE), tmp_path)
    tree = yard.finish()
    again = Yard(yard.spec, tmp_path)
    again.epochs, again.scores = yard.epochs, yard.scores
    assert again.tree.refresh().tree.cells().keys() == tree.cells().keys()
    assert again.tree.refresh().tree.stages[-1].decisions == tree.stages[-1].decisions
    again.close()


def test_larger_pictures_and_longer_trainings_count_as_more_work(make_spec: MakeSpec) -> None:
    stages = [
        {"stage": "size", "vary": {"data.image_size": [32, 64]}, "with": {"training.epochs": 1}},
        {"stage": "epochs", "vary": {"training.epochs": [2, 4]}},
        {"stage": "cut", "after_training": True, "vary": {"evaluation.threshold": [0.3, 0.5]}},
    ]
    spec = make_spec(
        *stages,
        search={"joint": {"like": "tree"}, "replicates": 2},
        data={"dataset": "none", "image_size": 32},
    )
    (stage,) = stages_of(spec)
    assert stage.work is not None
    small, large = 32**2, 64**2
    assert stage.work.limit == 2 * (small + large + (2 + 4) * small)
    assert stage.work.of({}) == 2 * 2 * small
    assert stage.work.of({"training.epochs": 4, "data.image_size": 64}) == 2 * 4 * large
