"""Acceptance: planted winners are found, and nothing is where nothing was planted.

The landscape is the scripted trainer's own; only its processes are left out.
"""

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import pytest

from models.noop_landscape import planted_score
from models.noop_settings import NoopSettings
from reports.study_verdict import verdict
from studies.spec.schema import StudySpec
from studies.tree.cells import CellResult, PlannedCell
from studies.tree.decisions import Candidate, Rule, decide
from studies.tree.grown import Tree
from trackers.records import DecisionRecord

Score = Callable[[PlannedCell], float]
Finish = Callable[[StudySpec, dict[str, CellResult], Score], Tree]
OPTIMUM = {"learning_rate": 0.01, "batch_size": 8.0}
RATE = {"stage": "rate", "vary": {"training.learning_rate": [0.001, 0.01, 0.1]}}
BATCH = {"stage": "batch", "vary": {"training.batch_size": [1, 8, 64]}}
ORDER = {"select": {"ties": "best_mean"}, "replicates": 3}


def measured(repetition: int) -> Score:
    """Return what scores a cell, with the noise of one repetition."""

    def score(cell: PlannedCell) -> float:
        model, training = cell.settings.model, cell.settings.training
        assert isinstance(model, NoopSettings)
        return planted_score(
            model,
            lambda name: float(getattr(training, name)),
            seed=repetition * 1000 + cell.seed,
            identity=f"{repetition} {cell.id}",
        )

    return score


def planted(tree: Tree, optimum: Mapping[str, float]) -> bool:
    """Whether each stage chose what is planted."""
    for grown in tree.stages:
        (winner,) = grown.decisions[0].winners
        (chosen,) = (each for each in grown.configurations if each.id == winner)
        ((path, value),) = chosen.varied.items()
        if value != optimum[path.removeprefix("training.")]:
            return False
    return True


def null_study(generator: np.random.Generator, *, stages: int, seeds: int) -> list[DecisionRecord]:
    """Decide a study in which no setting matters; the winner above stands in the stage below."""
    inherited, decisions = generator.normal(size=seeds), []
    for stage in range(stages):
        table = [inherited, *generator.normal(size=(2, seeds))]
        candidates = [
            Candidate(
                id=f"{stage}.{number}",
                label=str(number),
                values={f"seed {seed}": float(value) for seed, value in enumerate(row)},
                missing=(),
                train_macs=1.0,
                seconds=1.0,
            )
            for number, row in enumerate(table)
        ]
        rule = Rule(str(stage), "", "val/iou", True, 0.95, False, 1, tried=3 + 2 * stage)
        found = decide(candidates, rule)
        assert found is not None
        decisions.append(found)
        inherited = table[int(found.winners[0].partition(".")[2])]
    return decisions


@pytest.mark.slow
def test_planted_winner_is_found_at_every_stage_in_95_of_100_seeds(
    make_spec: Callable[..., StudySpec], finish: Finish
) -> None:
    model = {"name": "noop", "optimum": OPTIMUM, "noise": 0.02, "seed_noise": 0.05}
    spec = make_spec(RATE, BATCH, search=ORDER, model=model)
    found = [planted(finish(spec, {}, measured(seed)), OPTIMUM) for seed in range(100)]
    assert sum(found) >= 95


@pytest.mark.slow
def test_study_without_differences_ends_in_no_difference() -> None:
    generator = np.random.default_rng(0)
    studies = [null_study(generator, stages=3, seeds=3) for _ in range(400)]
    declared = sum(bool(verdict(each).told) for each in studies)
    assert declared <= 0.05 * len(studies)
    alone = sum(any(not c.is_tied for d in each for c in d.candidates) for each in studies)
    assert alone > 0.05 * len(studies), "so the study's own verdict is needed"


def test_interaction_that_the_path_missed_is_reported_by_the_probe(
    make_spec: Callable[..., StudySpec], finish: Finish
) -> None:
    decades = np.log10(64)
    model = {
        "name": "noop",
        "optimum": {"learning_rate": 0.01, "batch_size": 64},
        # The best rate is 0.001 at the base's batch of 1, where it is chosen, and 0.01 at 64.
        "interaction": {"of": ["learning_rate", "batch_size"], "strength": float(1 / decades)},
        "noise": 0.005,
    }
    training: dict[str, Any] = {"learning_rate": 0.1, "batch_size": 1, "epochs": 1}
    spec = make_spec(RATE, BATCH, search={**ORDER, "probe": True}, model=model, training=training)
    for seed in range(5):
        tree = finish(spec, {}, measured(seed))
        (probe,) = tree.afterwards
        (decision,) = probe.decisions
        better = [each for each in decision.candidates if (each.difference or 0) > 0]
        (missed,) = (each for each in better if not each.is_tied)
        by_id = {each.id: each for each in probe.configurations}
        assert by_id[missed.configuration].varied == {"training.learning_rate": 0.01}
        assert missed.difference == pytest.approx(0.1, abs=0.02)
        assert decision.rule == "learning rate 1e-2 is better at 95% confidence."


def test_without_an_interaction_the_probe_finds_nothing_better(
    make_spec: Callable[..., StudySpec], finish: Finish
) -> None:
    model = {"name": "noop", "optimum": OPTIMUM, "noise": 0.005}
    spec = make_spec(RATE, BATCH, search={**ORDER, "probe": True}, model=model)
    tree = finish(spec, {}, measured(0))
    (decision,) = tree.afterwards[0].decisions
    assert decision.rule == "0 of 2 score better, none of them surely at 95% confidence."
