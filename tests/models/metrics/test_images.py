from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from models.metrics.images import image_scores
from models.settings import EvaluationSettings

ALSO = ("boundary_f1", "rand_error")
EVALUATION = EvaluationSettings(threshold=0.4, also=ALSO)


@pytest.mark.parametrize("seed", range(12))
@pytest.mark.parametrize("is_softmax", [False, True])
def test_image_scores_what_it_would_as_a_whole_split(
    is_softmax: bool, seed: int, random_case: Callable[..., Any]
) -> None:
    case = random_case(seed, is_softmax=is_softmax)
    image_ids, scores = image_scores(case.predictions(*ALSO, threshold=0.4), EVALUATION)
    assert image_ids == tuple(str(index) for index in range(len(case.labels)))
    left_out = {"auc", "average_precision", "iou_image_mean"}  # the last is the image's iou
    at_best_of_split = {"rand_error", "pixel_error"}
    for index in range(len(image_ids)):
        part = slice(index, index + 1)
        alone = replace(case, probabilities=case.probabilities[part], labels=case.labels[part])
        metrics = alone.predictions(*ALSO, threshold=0.4).metrics(EVALUATION)
        for name, values in scores.items():
            if name in at_best_of_split:
                assert not values[index] < metrics.get(name, 0) - 1e-9
            else:
                assert values[index] == pytest.approx(metrics.get(name, np.nan), nan_ok=True), name
        assert {*metrics} - {*scores} <= left_out


def test_means_over_images_are_the_image_mean(random_case: Callable[..., Any]) -> None:
    predictions = random_case(5, is_softmax=False, side=7).predictions()
    _, scores = image_scores(predictions, EvaluationSettings())
    by_class = [
        np.nanmean(values)
        for name, values in scores.items()
        if name.startswith("iou_") and not np.isnan(values).all()
    ]
    metrics = predictions.metrics(EvaluationSettings())
    assert np.mean(by_class) == pytest.approx(metrics["iou_image_mean"])


def test_what_is_not_asked_for_is_not_scored(random_case: Callable[..., Any]) -> None:
    predictions = random_case(5, is_softmax=False).predictions(*ALSO)
    _, scores = image_scores(predictions, EvaluationSettings())
    assert not {*scores} & {"boundary_f1", "rand_error", "pixel_error"}
