"""How often decisions are right, and how often they see differences where none are.

    python benchmarks/decisions.py [--studies 400]

Studies of the scripted trainer are measured without running one: the landscape says what a cell
scores. Each line is a landscape; the shares are those that docs/statistics.md quotes.
"""

import argparse
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from data_pipeline.catalog import data_fingerprint
from models.noop_landscape import planted_score
from models.noop_settings import NoopSettings
from reports.study_verdict import verdict
from studies.spec.schema import StudySpec
from studies.tree.cells import CellResult, PlannedCell
from studies.tree.grown import GrownStage, Tree
from studies.tree.growth import grow
from trackers.records import DecisionRecord, Outcome

STAGES = (
    {"stage": "rate", "vary": {"training.learning_rate": [0.1, 0.01, 0.001]}},
    {"stage": "batch", "vary": {"training.batch_size": [1, 8, 64]}},
    {"stage": "size", "vary": {"data.image_size": [32, 64, 128]}},
    {"stage": "decay", "vary": {"training.accumulate": [1, 2, 4]}},
)
OPTIMUM = {"learning_rate": 0.01, "batch_size": 8, "image_size": 64, "accumulate": 2}
PATHS = {
    "learning_rate": "training.learning_rate",
    "batch_size": "training.batch_size",
    "accumulate": "training.accumulate",
    "image_size": "data.image_size",
}


@dataclass(frozen=True, slots=True)
class Landscape:
    """What is planted, and how it is measured."""

    name: str
    planted: Mapping[str, Any]  # fields of `NoopSettings`
    replicates: int
    search: Mapping[str, Any]  # further fields of `search`


@dataclass(frozen=True, slots=True)
class Shares:
    """What came of many studies of one landscape, in [0, 1]."""

    studies: int
    found: float  # every stage chose the planted value
    stage_differs: float  # a stage alone told configurations apart
    study_differs: float  # so did the study's verdict
    probe_differs: float  # a probe found something surely better


# From batch 1 to 64 the best learning rate rises from 0.001 to 0.01.
INTERACTION = {"of": ["learning_rate", "batch_size"], "strength": 1 / math.log10(64)}
LANDSCAPES = (
    Landscape("null, noise 0.01, 3 seeds", {"noise": 0.01}, 3, {}),
    Landscape("null, noise 0.01, 2 seeds", {"noise": 0.01}, 2, {}),
    Landscape("null, noise and seeds 0.01, 5 seeds", {"noise": 0.01, "seed_noise": 0.01}, 5, {}),
    Landscape("planted, noise 0.005, 3 seeds", {"noise": 0.005, "optimum": OPTIMUM}, 3, {}),
    Landscape(
        "interaction, noise 0.005, 3 seeds",
        {
            "noise": 0.005,
            "optimum": OPTIMUM | {"batch_size": 64},
            "interaction": INTERACTION,
        },
        3,
        {"probe": True},
    ),
)


def study_of(landscape: Landscape) -> StudySpec:
    """Return a study of the four stages."""
    content = {
        "study": "simulated",
        "task": "semantic_segmentation",
        "data": {"dataset": "none", "image_size": 64},
        "model": {"name": "noop", **landscape.planted},
        "training": {"learning_rate": 0.1, "batch_size": 1, "epochs": 1},
        "objective": {"metric": "val/iou"},
        "search": {
            "tree": list(STAGES),
            "replicates": landscape.replicates,
            "select": {"ties": "best_mean"},
            **landscape.search,
        },
    }
    return StudySpec.model_validate(content)


def simulate(spec: StudySpec, repetition: int) -> Tree:
    """Measure a study to its end with the noise of one repetition."""
    results: dict[str, CellResult] = {}
    while True:
        tree = grow(spec, results, data_fingerprint=data_fingerprint)
        fresh = [cell for cell in tree.cells().values() if cell.id not in results]
        if not fresh:
            return tree
        for cell in fresh:
            score = cell_score(cell, repetition)
            macs = float(cell.settings.training.epochs)
            results[cell.id] = CellResult(
                Outcome.COMPLETE, {spec.objective.metric: score}, macs, macs, cell.source
            )


def cell_score(cell: PlannedCell, repetition: int) -> float:
    """Return what the landscape says of a cell."""
    model = cell.settings.model
    assert isinstance(model, NoopSettings)
    values = {name: _setting(cell, path) for name, path in PATHS.items()}
    # Another repetition has other seeds: no seed of it is a seed of this one.
    seed = repetition * 1000 + cell.seed
    return planted_score(model, values.get, seed=seed, identity=f"{repetition} {cell.id}")


def shares_of(landscape: Landscape, studies: int) -> Shares:
    """Repeat a landscape's study, each time with other noise, and count."""
    spec = study_of(landscape)
    trees = [simulate(spec, repetition) for repetition in range(studies)]
    decisions = [[d for each in tree.stages for d in each.decisions] for tree in trees]
    return Shares(
        studies=studies,
        found=_share(_found_all, trees),
        stage_differs=_share(lambda own: any(_has_told(d) for d in own), decisions),
        study_differs=_share(lambda own: bool(verdict(own).told), decisions),
        probe_differs=_share(_probe_found, trees),
    )


def _setting(cell: PlannedCell, path: str) -> float:
    part, name = path.split(".")
    return float(getattr(getattr(cell.settings, part), name))


def _share(holds: Callable[[Any], bool], of: Sequence[Any]) -> float:
    return sum(map(holds, of)) / len(of)


def _found_all(tree: Tree) -> bool:
    """Whether every stage chose the value that is planted."""
    return all(_chosen(grown) == _planted(grown) for grown in tree.stages)


def _chosen(grown: GrownStage) -> float:
    winner = grown.decisions[0].winners[0]
    found = next(each for each in grown.configurations if each.id == winner)
    return float(next(iter(found.varied.values())))


def _planted(grown: GrownStage) -> float:
    path = next(iter(grown.stage.lists))
    return next(OPTIMUM[name] for name, own in PATHS.items() if own == path)


def _has_told(decision: DecisionRecord) -> bool:
    return any(not each.is_tied for each in decision.candidates)


def _probe_found(tree: Tree) -> bool:
    """Whether something beside the path is surely better than where it ended."""
    return any(
        not each.is_tied and (each.difference or 0.0) > 0
        for grown in tree.afterwards
        for decision in grown.decisions
        for each in decision.candidates
    )


def main() -> None:
    """Print a line per landscape."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--studies", type=int, default=400, help="per landscape")
    studies: int = parser.parse_args().studies
    print("landscape                            found  stage  study  probe")
    for landscape in LANDSCAPES:
        shares = shares_of(landscape, studies)
        columns = (shares.found, shares.stage_differs, shares.study_differs, shares.probe_differs)
        print(f"{landscape.name:<36}", *(f"{each:6.3f}" for each in columns))


if __name__ == "__main__":
    main()
