"""Epochs until a search is as good as a greedy tree: grid, random, TPE, with and without pruning.

    python benchmarks/search.py [--seeds N] [--csv FILE] [--figure FILE]

Searches run on recorded trainings (`models/landscapes`, made by `benchmarks/record_landscape.py`),
by the same code that a launch runs, with four trainings at a time. What an epoch costs is counted,
not timed. A tree goes through learning rate, batch size and optimizer from a random start, and
its best score is what the others must reach, with as good a configuration trained to its end.
Every seed has another start, another order and another sampler. A configuration that was tried is
known and costs nothing again; what does not get there in 120 proposals counts as the full grid,
which it would be followed by. Exits with 1 when TPE with Hyperband needs more than the grid.
"""

import argparse
import csv
import random
import statistics
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import matplotlib.pyplot as plt
import optuna

from models.tabulated_settings import Landscape, Point, read_landscape
from studies.search.stage_search import StageSearch
from studies.search.told import ConfigurationResult
from studies.spec.load import load_study
from studies.spec.sampling_schema import PARALLEL_PROPOSALS
from studies.tree.stages import stages_of

STUDY = Path("studies/library/small/joint_tabulated.yaml")
FIGURE = Path("docs/search_epochs.svg")
SEEDS = 50
METRIC = "val/iou"
PATHS = ("training.learning_rate", "training.batch_size", "training.optimizer")
OVERRIDES = {
    "random": ("search.joint.sampler=random", "search.joint.pruner=null"),
    "TPE": ("search.joint.pruner=null",),
    "TPE + median": ("search.joint.pruner={name: median}",),
    "TPE + successive halving": ("search.joint.pruner={name: successive_halving}",),
    "TPE + Hyperband": (),
}
PROMISE = "TPE + Hyperband"


@dataclass(slots=True)
class Task:
    """One landscape, and a score to reach."""

    curves: Mapping[Point, Sequence[float]]  # epoch by epoch
    target: float

    def score(self, point: Point) -> float:
        """Return what a configuration scores at its best epoch."""
        return max(self.curves[point])


@dataclass(slots=True)
class Running:
    """A training under way."""

    number: int
    point: Point
    curve: dict[int, float] = field(default_factory=dict)


def main() -> int:
    """Run every search with every seed; print a table, write numbers and figure."""
    parser = argparse.ArgumentParser(description="Compare searches by the epochs they need.")
    parser.add_argument("--seeds", type=int, default=SEEDS, help=f"of each search; {SEEDS}")
    parser.add_argument("--csv", type=Path, help="write the epochs of every seed there")
    parser.add_argument("--figure", type=Path, default=FIGURE, help=f"draw it there; {FIGURE}")
    arguments = parser.parse_args()
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    epochs = measure(arguments.seeds)
    print_table(epochs)
    if arguments.csv:
        write_csv(epochs, arguments.csv)
    draw(epochs, arguments.figure)
    better = statistics.median(epochs[PROMISE]) < statistics.median(epochs["full grid"])
    return 0 if better else 1


def measure(seeds: int) -> dict[str, list[int]]:
    """Return the epochs that each search needed, seed by seed."""
    landscape = read_landscape("unet_street_scenes")
    searches = {name: _sampled(name) for name in OVERRIDES}
    found: dict[str, list[int]] = {"greedy tree": [], "full grid": [], "grid, random order": []}
    for seed in range(seeds):
        task, tree_epochs = _task(landscape, seed)
        found["greedy tree"].append(tree_epochs)
        found["full grid"].append(sum(len(curve) for curve in task.curves.values()))
        found["grid, random order"].append(_shuffled_grid(task, seed))
        for name, search in searches.items():
            found.setdefault(name, []).append(search(task, seed))
    return found


def _task(landscape: Landscape, seed: int) -> tuple[Task, int]:
    """Return a landscape and what a tree from a random start finds there, with its epochs."""
    of_seed = seed % landscape.seeds
    curves = {
        point: [epoch[METRIC] for epoch in curve]
        for (point, each), curve in landscape.curves.items()
        if each == of_seed
    }
    task = Task(curves, 0.0)
    best: Point = random.Random(seed).choice(list(curves))
    tried: set[Point] = set()
    for at in range(len(PATHS)):
        rivals = [each for each in curves if all(each[i] == best[i] for i in range(3) if i != at)]
        tried |= set(rivals)
        best = max(rivals, key=task.score)
    return Task(curves, task.score(best)), sum(len(curves[each]) for each in tried)


def _shuffled_grid(task: Task, seed: int) -> int:
    points = list(task.curves)
    random.Random(seed).shuffle(points)
    spent = 0
    for point in points:
        spent += len(task.curves[point])
        if task.score(point) >= task.target:
            return spent
    return spent


def _sampled(name: str) -> Callable[[Task, int], int]:
    """Return a search with a sampler, as a study file has it."""
    loaded = load_study(STUDY, overrides=("search.joint.trials=120", *OVERRIDES[name]), environ={})
    stage = stages_of(loaded.spec)[-1]
    epochs = loaded.spec.training.epochs

    def run(task: Task, seed: int) -> int:
        search = StageSearch(stage, f"{name} {seed}", maximize=True, epochs=epochs)
        search.hold([], [])
        return _Bench(search, task).epochs_needed()

    return run


class _Bench:
    """Trains what a search proposes, four at a time, an epoch of each in turn."""

    def __init__(self, search: StageSearch, task: Task) -> None:
        self._search = search
        self._task = task
        self._waiting: list[Running] = []
        self._known: dict[Point, ConfigurationResult] = {}
        self._number = 0

    def epochs_needed(self) -> int:
        """Return the epochs trained until the target was reached."""
        spent = 0
        running: list[Running] = []
        while True:
            self._propose()
            while self._waiting and len(running) < PARALLEL_PROPOSALS:
                running.append(self._waiting.pop(0))
            if not running:
                return sum(len(curve) for curve in self._task.curves.values())
            for each in list(running):
                spent += 1
                result = self._train(each)
                if result is None:
                    continue
                running.remove(each)
                if result.values and result.values[0] >= self._task.target:
                    return spent
                self._known[each.point] = result
                self._search.tell(each.number, result)

    def _propose(self) -> None:
        """Take in proposals; what is known already is told at once."""
        while proposals := self._search.proposals():
            for proposal in proposals:
                point: Point = tuple(proposal.varied[path] for path in PATHS)
                known = self._known.get(point)
                if known is not None:
                    self._search.tell(self._number, known)
                else:
                    self._waiting.append(Running(self._number, point))
                self._number += 1

    def _train(self, running: Running) -> ConfigurationResult | None:
        """Train an epoch; return the result when that was the last one."""
        curve = self._task.curves[running.point]
        epoch = len(running.curve) + 1
        running.curve[epoch] = curve[epoch - 1]
        if self._search.verdict(running.number, running.curve):
            return ConfigurationResult(None, is_pruned=True, intermediate=dict(running.curve))
        if epoch < len(curve):
            return None
        return ConfigurationResult((max(curve),), intermediate=dict(running.curve))


def rows(epochs: Mapping[str, Sequence[int]]) -> Iterator[tuple[str, int, int, int]]:
    """Yield each search with the quartiles of the epochs that it needed."""
    for name, each in epochs.items():
        low, middle, high = statistics.quantiles(each, n=4)
        yield name, round(low), round(middle), round(high)


def print_table(epochs: Mapping[str, Sequence[int]]) -> None:
    """Print quartiles."""
    sys.stdout.write(f"epochs until as good as a greedy tree, {len(epochs[PROMISE])} seeds\n")
    sys.stdout.write(f"{'search':<26} {'25 %':>6} {'median':>6} {'75 %':>6} {'reached':>8}\n")
    most = max(epochs["full grid"])
    for name, low, middle, high in rows(epochs):
        reached = sum(each < most for each in epochs[name]) / len(epochs[name])
        share = "" if name == "full grid" else f"{reached:.0%}"
        sys.stdout.write(f"{name:<26} {low:>6} {middle:>6} {high:>6} {share:>8}\n")


def write_csv(epochs: Mapping[str, Sequence[int]], file: Path) -> None:
    """Write a row per search and seed."""
    with file.open("w", encoding="utf-8", newline="") as stream:
        writer = csv.writer(stream, lineterminator="\n")
        writer.writerow(("search", "seed", "epochs"))
        writer.writerows((name, i, n) for name, each in epochs.items() for i, n in enumerate(each))


def draw(epochs: Mapping[str, Sequence[int]], file: Path) -> None:
    """Draw the share of seeds that reached the score, by epochs."""
    plt.rcParams["svg.hashsalt"] = "visionstudy"  # the same file every time
    figure, axes = plt.subplots(figsize=(7, 4))
    for name, each in epochs.items():
        ordered = sorted(each)
        shares = [(index + 1) / len(ordered) for index in range(len(ordered))]
        axes.step([0, *ordered], [0, *shares], where="post", label=name)
    axes.set_xlabel("epochs trained")
    axes.set_ylabel("share of seeds as good as the tree")
    axes.set_ylim(0, 1.02)
    axes.legend(frameon=False)
    figure.tight_layout()
    file.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(file, metadata={"Date": None})


if __name__ == "__main__":
    sys.exit(main())
