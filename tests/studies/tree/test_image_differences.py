"""Decisions over images: by the predictions that cells kept, also of one replicate."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from data_pipeline.catalog import data_fingerprint
from models.metrics.resampling import ResampledMean, mean_difference
from models.metrics.segmentation import PROBABILITY_BINS, SigmoidPredictions
from studies.search.living_tree import stage_record
from studies.spec.schema import StudySpec
from studies.tree.cells import CellResult
from studies.tree.growth import grow
from studies.tree.image_differences import image_differences
from studies.tree.intervals import Interval
from studies.tree.ledger import CellEnd, Ledger, TrialEnd, TrialStart
from trackers.event_log import EventLog
from trackers.records import Outcome

RATE = {"stage": "rate", "vary": {"training.learning_rate": [0.1, 0.01, 0.001]}}
OVER_IMAGES = {"select": {"interval": "images", "ties": "best_mean"}}
SCORES = {0.1: 0.5, 0.01: 0.9, 0.001: 0.89}
IMAGES, PIXELS = 30, 1000


def predictions(score: float, *, noise: int) -> SigmoidPredictions:
    """Return images in each of which about a share `score` of the class is found."""
    found = np.clip(score + np.random.default_rng(noise).normal(0, 0.03, IMAGES), 0, 1)
    positives = np.zeros((IMAGES, 1, PROBABILITY_BINS), np.int32)
    positives[:, 0, -1] = (found * PIXELS).astype(np.int32)
    positives[:, 0, 0] = PIXELS - positives[:, 0, -1]
    names = tuple(str(number) for number in range(IMAGES))
    return SigmoidPredictions(
        names, ("car",), np.ones(IMAGES), positives, np.zeros_like(positives)
    )


@pytest.fixture
def measured(
    make_spec: Callable[..., StudySpec], tmp_path: Path
) -> tuple[StudySpec, Ledger, dict[str, CellResult]]:
    """A study of one replicate whose three cells kept their predictions."""
    spec = make_spec(RATE, search=OVER_IMAGES)
    tree = grow(spec, {}, data_fingerprint=data_fingerprint)
    ledger = Ledger(tmp_path / "workspace.db")
    resolved = spec.model_dump(mode="json", by_alias=True)
    ledger.save_study(spec.study, text="", resolved=resolved, environment={})
    ledger.plan(spec.study, tree.cells().values(), [stage_record(each) for each in tree.stages])
    for number, cell in enumerate(tree.cells().values()):
        kept = predictions(SCORES[cell.settings.training.learning_rate], noise=number)
        folder = tmp_path / "trials" / cell.id
        folder.mkdir(parents=True)
        kept.save(folder / "predictions_val.npz")
        metrics = kept.metrics(cell.settings.evaluation)
        value = {f"val/{name}": each for name, each in metrics.items()}
        start = TrialStart(cell.id, 1, "cpu", "here", f"trials/{cell.id}", 1)
        ledger.start_trial(spec.study, start)
        log = EventLog(folder / "events.jsonl")
        log.append("finished", metrics=value, files={"predictions_val": "predictions_val.npz"})
        log.close()
        end = TrialEnd(cell.id, 1, Outcome.COMPLETE, "", False, 0, 1, {})
        settled = CellEnd(cell.id, Outcome.COMPLETE, "", value, 1, 1.0, 1.0)
        ledger.end_trial(spec.study, end, settled)
    return spec, ledger, ledger.results(spec.study)


def test_one_replicate_has_intervals_over_images(
    measured: tuple[StudySpec, Ledger, dict[str, CellResult]], tmp_path: Path
) -> None:
    spec, ledger, results = measured
    compare = image_differences(spec, ledger, tmp_path)
    tree = grow(spec, results, data_fingerprint=data_fingerprint, image_difference=compare)
    (decision,) = tree.stages[0].decisions
    worst, best, near = decision.candidates
    assert (decision.interval, decision.chance, decision.flips) == ("images", None, ())
    assert decision.winners == (best.configuration,)
    assert worst.difference == pytest.approx(worst.mean - best.mean)
    assert worst.difference_high is not None
    assert worst.difference_high < 0
    assert not worst.is_tied
    assert near.difference_low is not None
    assert near.is_tied == (near.difference_low <= 0 <= (near.difference_high or 0))
    ledger.close()


def test_study_that_decides_over_seeds_reads_no_predictions(
    make_spec: Callable[..., StudySpec], tmp_path: Path
) -> None:
    ledger = Ledger(tmp_path / "workspace.db")
    assert image_differences(make_spec(RATE), ledger, tmp_path) is None
    ledger.close()


def test_error_is_shared_by_all_pairs(
    make_spec: Callable[..., StudySpec], finish: Callable[..., object]
) -> None:
    asked: list[float] = []

    def compare(pairs: Sequence[tuple[str, str]], confidence: float) -> Interval:
        assert len(pairs) == 1, "one replicate"
        asked.append(confidence)
        return Interval(0.0, -1.0, 1.0)

    spec, results = make_spec(RATE, search=OVER_IMAGES), dict[str, CellResult]()
    finish(spec, results, lambda _: 0.5)
    grow(spec, results, data_fingerprint=data_fingerprint, image_difference=compare)
    assert asked == pytest.approx([1 - 0.05 / 3] * 2)


def test_without_predictions_there_is_no_interval(
    measured: tuple[StudySpec, Ledger, dict[str, CellResult]], tmp_path: Path
) -> None:
    spec, ledger, results = measured
    for file in tmp_path.rglob("predictions_val.npz"):
        file.unlink()
    compare = image_differences(spec, ledger, tmp_path)
    assert compare is not None
    own, other, *_ = results
    assert compare([(own, other)], 0.95) is None
    ledger.close()


def test_interval_is_known_once_the_cells_ran_that_a_plan_asked_for(
    measured: tuple[StudySpec, Ledger, dict[str, CellResult]], tmp_path: Path
) -> None:
    spec, ledger, results = measured
    compare = image_differences(spec, ledger, tmp_path)
    assert compare is not None
    own, other, *_ = results
    ledger.reopen(spec.study, [own])
    assert compare([(own, other)], 0.95) is None
    ledger.settle(
        spec.study, CellEnd(own, Outcome.COMPLETE, "", results[own].metrics, 1, 1.0, 1.0)
    )
    assert compare([(own, other)], 0.95) is not None
    ledger.close()


@pytest.fixture
def bootstraps(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """Return a list that holds the confidence of every bootstrap from now on."""
    run: list[float] = []

    def counted(pairs: Sequence[tuple[Any, Any]], confidence: float) -> ResampledMean:
        run.append(confidence)
        return mean_difference(pairs, confidence)

    monkeypatch.setattr("studies.tree.image_differences.mean_difference", counted)
    return run


def test_a_decided_stage_is_resampled_once_also_by_a_later_launch(
    measured: tuple[StudySpec, Ledger, dict[str, CellResult]],
    tmp_path: Path,
    bootstraps: list[float],
) -> None:
    spec, ledger, results = measured
    decisions = []
    for _ in range(2):  # launches
        compare = image_differences(spec, ledger, tmp_path)
        for _ in range(2):  # growths
            tree = grow(spec, results, data_fingerprint=data_fingerprint, image_difference=compare)
            decisions.append(tree.stages[0].decisions)
        ledger.plan(spec.study, tree.cells().values(), [stage_record(tree.stages[0])])
    assert len(bootstraps) == 2
    assert decisions == decisions[:1] * 4
    ledger.close()


def test_what_was_measured_anew_is_resampled_anew(
    measured: tuple[StudySpec, Ledger, dict[str, CellResult]],
    tmp_path: Path,
    bootstraps: list[float],
) -> None:
    spec, ledger, results = measured
    compare = image_differences(spec, ledger, tmp_path)
    tree = grow(spec, results, data_fingerprint=data_fingerprint, image_difference=compare)
    ledger.plan(spec.study, tree.cells().values(), [stage_record(tree.stages[0])])
    worst = next(iter(results))
    metrics = {**results[worst].metrics, spec.objective.metric: 0.1}
    ledger.settle(spec.study, CellEnd(worst, Outcome.COMPLETE, "", metrics, 1, 1.0, 1.0))
    again, bootstraps[:] = image_differences(spec, ledger, tmp_path), []
    results = ledger.results(spec.study)
    grow(spec, results, data_fingerprint=data_fingerprint, image_difference=again)
    assert len(bootstraps) == 1, "of the pair that it is in"
    ledger.close()
