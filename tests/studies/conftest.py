"""Studies of the scripted trainer, and a way to measure their cells without running one."""

import subprocess
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest

from data_pipeline.catalog import data_fingerprint
from studies.spec.schema import StudySpec
from studies.tree.cells import CellResult, PlannedCell
from studies.tree.grown import Tree
from studies.tree.growth import Proposals, grow
from trackers.records import Outcome

CHECKOUT = Path(__file__).parents[2]
FORK = """
import os
barrier, start = os.pipe()
children = []
for number in range(PROCESSES):
    child = os.fork()
    if child == 0:
        os.close(start)
        os.read(barrier, 1)
        CODE
        os._exit(0)
    children.append(child)
os.close(start)
codes = [os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) for child in children]
assert not any(codes), codes
"""
Score = Callable[[PlannedCell], float | Outcome]
Results = dict[str, CellResult]


@pytest.fixture
def make_spec() -> Callable[..., StudySpec]:
    """Return a function that makes a study of some stages; keywords replace whole sections."""

    def make(
        *stages: Mapping[str, Any], search: Mapping[str, Any] | None = None, **sections: object
    ) -> StudySpec:
        content = {
            "study": "demo",
            "task": "semantic_segmentation",
            "data": {"dataset": "none"},
            "model": {"name": "noop"},
            "training": {"learning_rate": 0.01, "batch_size": 2, "epochs": 2},
            "objective": {"metric": "val/iou"},
            "search": {"tree": list(stages), **(search or {})},
            **sections,
        }
        return StudySpec.model_validate(content)

    return make


@pytest.fixture
def measure() -> Callable[..., list[PlannedCell]]:
    """Return a function that ends the cells of a study that are open now; returns those."""

    def settle(
        spec: StudySpec, results: Results, score: Score, proposals: Proposals | None = None
    ) -> list[PlannedCell]:
        tree = grow(spec, results, data_fingerprint=data_fingerprint, proposals=proposals)
        fresh = [cell for cell in tree.cells().values() if cell.id not in results]
        for cell in fresh:
            results[cell.id] = _result(spec, cell, score(cell))
        return fresh

    return settle


@pytest.fixture
def finish(measure: Callable[..., list[PlannedCell]]) -> Callable[..., Tree]:
    """Return a function that measures a study to its end; returns the tree."""

    def run(spec: StudySpec, results: Results, score: Score) -> Tree:
        while measure(spec, results, score):
            pass
        return grow(spec, results, data_fingerprint=data_fingerprint)

    return run


@pytest.fixture
def at_once() -> Callable[..., str]:
    """Return a function that runs code in several processes at the same time.

    `prepare` runs first, in the process they are forked from, so that they start together.
    Returns what they wrote to stderr: "" when none failed.
    """

    def run(prepare: str, code: str, *, processes: int = 6) -> str:
        script = f"{prepare}\n{FORK}".replace("PROCESSES", str(processes)).replace("CODE", code)
        # Python 3.12 warns of a fork beside threads; those of BLAS idle.
        quiet = ["-W", "error", "-W", "ignore::DeprecationWarning"]
        command = [sys.executable, *quiet, "-c", script]
        done = subprocess.run(command, cwd=CHECKOUT, capture_output=True, text=True, check=False)
        return done.stderr

    return run


def _result(spec: StudySpec, cell: PlannedCell, score: float | Outcome) -> CellResult:
    """Cost grows with epochs and pixels, as it would in training; re-scoring is free."""
    if isinstance(score, Outcome):
        return CellResult(score, {}, 0.0, 0.0, cell.source)
    settings = cell.settings
    macs = 0.0 if cell.source else settings.training.epochs * settings.data.image_size**2.0
    return CellResult(
        Outcome.COMPLETE, {spec.objective.metric: score}, macs, macs / 1e6, cell.source
    )
