"""Outlines and objects: measured where `evaluation.also` asks, kept, and scored again."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pydantic import ValidationError

from models.metrics.boundaries import boundary_scores
from models.metrics.objects import THRESHOLDS, object_agreement
from models.metrics.segmentation import load_predictions, rescore
from models.settings import EvaluationSettings

ALSO = ("boundary_f1", "rand_error")


@pytest.mark.parametrize("seed", range(10))
@pytest.mark.parametrize("is_softmax", [False, True])
def test_outlines_are_averaged_over_classes_then_images(
    is_softmax: bool, seed: int, random_case: Callable[..., Any]
) -> None:
    case = random_case(seed, is_softmax=is_softmax, side=8)
    threshold = 0.5 if is_softmax else 0.35
    evaluation = EvaluationSettings(threshold=threshold, also=ALSO)
    metrics = case.predictions(*ALSO, threshold=threshold).metrics(evaluation)
    scores = []
    for image, valid in enumerate(case.valid):
        found = np.stack([case.found(c, threshold)[image] for c in case.classes])
        truth = np.stack([case.labels[image] == c for c in case.classes])
        scores.append(boundary_scores(found[None], truth, valid)[0])
    by_image = [np.mean(row[~np.isnan(row)]) for row in scores if not np.isnan(row).all()]
    expected = float(np.mean(by_image)) if by_image else None
    assert metrics.get("boundary_f1") == pytest.approx(expected)
    for index, label in enumerate(case.classes):
        column = np.array(scores)[:, index]
        expected = None if np.isnan(column).all() else float(np.nanmean(column))
        assert metrics.get(f"boundary_f1_class_{label}") == pytest.approx(expected)


@pytest.mark.parametrize("seed", range(10))
@pytest.mark.parametrize("is_softmax", [False, True])
def test_errors_are_those_of_the_last_class_at_the_best_threshold_of_the_split(
    is_softmax: bool, seed: int, random_case: Callable[..., Any]
) -> None:
    case = random_case(seed, is_softmax=is_softmax, side=8)
    label = case.classes[-1]
    images = zip(case.of_class(label), case.labels == label, case.valid, strict=True)
    counts = np.sum([object_agreement(*image) for image in images], axis=0)
    metrics = case.predictions(*ALSO).metrics(EvaluationSettings(also=ALSO))
    if not (case.labels == label).any():
        assert "rand_error" not in metrics
        assert "pixel_error" not in metrics
        return
    for kind, name in enumerate(("pixel_error", "rand_error")):
        f1 = [2 * both / (found + true) for both, found, true in counts[:, kind]]
        assert metrics[name] == pytest.approx(1 - max(f1))
        assert len(f1) == len(THRESHOLDS)


@pytest.mark.parametrize("is_softmax", [False, True])
def test_saved_predictions_keep_what_was_asked_for(
    is_softmax: bool, random_case: Callable[..., Any], tmp_path: Path
) -> None:
    predictions = random_case(4, is_softmax=is_softmax, side=8).predictions(*ALSO)
    predictions.save(tmp_path / "predictions_val.npz")
    for also in ((), ALSO[:1], ALSO):
        evaluation = EvaluationSettings(also=also)
        scores = rescore(tmp_path / "predictions_val.npz", evaluation)
        assert scores == predictions.metrics(evaluation)
        assert ("boundary_f1" in scores) == ("boundary_f1" in also)
    assert type(load_predictions(tmp_path / "predictions_val.npz")) is type(predictions)


def test_outlines_are_scored_again_at_another_threshold(
    random_case: Callable[..., Any], tmp_path: Path
) -> None:
    case = random_case(4, is_softmax=False, side=8)
    case.predictions(*ALSO).save(tmp_path / "predictions_val.npz")
    at_low, at_high = (
        rescore(tmp_path / "predictions_val.npz", EvaluationSettings(threshold=t, also=ALSO))
        for t in (0.1, 0.75)
    )
    assert at_low["boundary_f1"] != at_high["boundary_f1"]
    assert at_low["rand_error"] == at_high["rand_error"]
    evaluation = EvaluationSettings(threshold=0.75, also=ALSO)
    assert at_high == case.predictions(*ALSO, threshold=0.75).metrics(evaluation)


@pytest.mark.parametrize("name", ALSO)
def test_what_was_not_measured_cannot_be_asked_for_later(
    name: str, random_case: Callable[..., Any], tmp_path: Path
) -> None:
    random_case(4, is_softmax=False).predictions().save(tmp_path / "predictions_val.npz")
    evaluation = EvaluationSettings.model_validate({"also": [name]})
    message = rf"evaluation.also asks for {name}, which was not measured when predictions_val.npz"
    with pytest.raises(ValueError, match=message):
        rescore(tmp_path / "predictions_val.npz", evaluation)


def test_asking_twice_is_refused() -> None:
    with pytest.raises(ValidationError, match="also must name 'rand_error' once"):
        EvaluationSettings(also=("rand_error", "rand_error"))
