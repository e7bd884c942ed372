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
from studies.search.pruners import make_pruner
from studies.spec.sampling_schema import Pruner
from studies.spec.schema import StudySpec
from studies.tree.cells import PlannedCell
from studies.tree.equal_compute import work_of
from studies.tree.grown import Tree
from studies.tree.ledger import CellEnd, Ledger
from studies.tree.sources import Sources
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
CONFIGURATIONS = len(RATES) + len(BATCHES) - 1  # batches of 32 were measured with every rate


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
            sources=Sources(data_fingerprint),
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
    budget = sum(greedy.epochs.values())
    assert budget == EPOCHS * CONFIGURATIONS
    found = 0
    for number in range(6):
        joint = Yard(make_study(f"joint-{number}", joint=LIKE), tmp_path)
        found += winner(joint.finish()) == OPTIMUM
        spent = sum(joint.epochs.values())
        assert spent < budget + EPOCHS, "as much as the tree, but for one cell"
        is_all_tried = len(joint.epochs) == len(RATES) * len(BATCHES)
        assert budget - EPOCHS < spent or is_all_tried, "pruning left nothing else to try"
    assert found >= 5


def test_a_search_like_a_tree_has_the_union_of_its_stages(
    make_study: Callable[..., StudySpec],
) -> None:
    (stage,) = stages_of(make_study("union", joint=LIKE))
    assert stage.vary() == {RATE: RATES, BATCH: BATCHES}
    assert stage.work is not None
    assert stage.work.configurations == CONFIGURATIONS


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


WITH_BASE = {"stage": "rate", "vary": {RATE: [0.01, 0.04]}}  # its base value, once measured
TREES: list[tuple[list[dict[str, Any]], dict[str, Any]]] = [
    (STAGES, {}),
    ([{"stage": "batch", "vary": {BATCH: [4, 8, 16]}}, WITH_BASE], {"select": {"beam": 2}}),
    ([WITH_BASE, {"stage": "batch", "vary": {BATCH: [16, 32]}}], {"base": True}),
    (
        [
            {"stage": "screen", "vary": {BATCH: [4, 8]}, "with": {"training.epochs": 3}},
            {"stage": "cut", "after_training": True, "vary": {"evaluation.threshold": [0.3, 0.5]}},
            {"stage": "batch again", "vary": {BATCH: [4, 8, 16]}},
            {"stage": "longer", "vary": {"training.epochs": [9, 18]}},
        ],
        {"replicates": 2},
    ),
]


@pytest.mark.parametrize(("stages", "search"), TREES, ids=["batch 32", "beam", "base", "held"])
def test_the_budget_is_what_a_finished_tree_trained(
    make_spec: MakeSpec,
    finish: Callable[..., Tree],
    stages: list[dict[str, Any]],
    search: dict[str, Any],
) -> None:
    training = {"learning_rate": 0.01, "batch_size": 32, "epochs": EPOCHS}
    sections: dict[str, Any] = {
        "model": MODEL, "training": training, "data": {"dataset": "none", "image_size": 32},
    }  # fmt: skip
    tree = finish(make_spec(*stages, search=search, **sections), {}, best_first)
    trained = {cell.id: cell for cell in tree.cells().values() if cell.source is None}
    base = tree.stages[0].cells() if search.get("base") else ()
    for cell in base:  # which the joint search measures too, beside its budget
        trained.pop(cell.id)
    like = make_spec(*stages, search={**search, "joint": LIKE}, **sections)
    work = stages_of(like)[-1].work
    assert work is not None
    assert work.limit == sum(
        work_of(cell.settings, cell.settings.training.epochs) for cell in trained.values()
    )


def best_first(cell: PlannedCell) -> float:
    """Have few epochs and low values win, so that no winner changes the work."""
    training = cell.settings.training
    return 0.9 - training.epochs / 100 - training.learning_rate / 10 - training.batch_size / 1000


@pytest.mark.parametrize(
    ("inherited", "held", "expected"),
    [([9, 18], {}, 9), ([18], {}, 18), ([18], {"training.epochs": 5}, 5)],
)
def test_a_pruner_is_made_for_the_epochs_that_its_stage_trains(
    make_spec: MakeSpec,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    *,
    inherited: list[int],
    held: dict[str, int],
    expected: int,
) -> None:
    made = []

    def record(pruner: Pruner | None, *, epochs: int) -> optuna.pruners.BasePruner:
        made.append(epochs)
        return make_pruner(pruner, epochs=epochs)

    monkeypatch.setattr("studies.search.watch.make_pruner", record)
    sampled: dict[str, Any] = {
        "stage": "rate", "vary": {RATE: {"low": 0.01, "high": 0.1}}, "sampler": "tpe", "trials": 2,
        "pruner": {"name": "hyperband"}, "with": held,
    }  # fmt: skip
    stages = [{"stage": "epochs", "vary": {"training.epochs": inherited}}, sampled]
    Yard(make_spec(*stages), tmp_path).finish()
    assert made[-1] == expected
