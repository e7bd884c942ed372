"""Metrics of resampled images: against scipy on raw values, and against scoring them anew."""

import gc
import tracemalloc
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import ArrayLike, NDArray
from scipy import stats

from models.metrics.coco_ap import coco_scores
from models.metrics.coco_files import save_scored_split
from models.metrics.ratios import ratio
from models.metrics.resampled_boxes import image_statistic as of_boxes
from models.metrics.resampled_classes import image_statistic as of_classes
from models.metrics.resampled_pixels import image_statistic as of_pixels
from models.metrics.resampling import (
    RESAMPLES,
    ImageStatistic,
    counted,
    mean_difference,
)
from models.metrics.scored_images import Objects, ScoredImage
from models.metrics.scored_split import ScoredSplit
from models.metrics.segmentation import PROBABILITY_BINS, SigmoidPredictions, SoftmaxPredictions
from models.metrics.top_k import credit
from models.settings import EvaluationSettings

AT_HALF = EvaluationSettings()
IMAGES = 40


def statistic_of(values: ArrayLike) -> ImageStatistic:
    """Return the mean of one value per image."""
    data = np.asarray(values, np.float64)
    names = tuple(str(number) for number in range(len(data)))
    return ImageStatistic(names, lambda weights: weights @ data / weights.sum(axis=1))


def test_interval_of_a_mean_is_scipys_of_the_raw_values() -> None:
    generator = np.random.default_rng(3)
    own, other = generator.gamma(2.0, size=IMAGES), generator.gamma(1.5, size=IMAGES)
    found = mean_difference([(statistic_of(own), statistic_of(other))], 0.9)
    expected = stats.bootstrap(
        (own - other,),
        np.mean,
        n_resamples=RESAMPLES,
        confidence_level=0.9,
        method="BCa",
        rng=np.random.default_rng(0),
    ).confidence_interval
    assert found.mean == pytest.approx(np.mean(own - other))
    assert (found.low, found.high) == pytest.approx((expected.low, expected.high))


def test_ends_that_many_comparisons_share_lie_among_the_resamples() -> None:
    values, confidence = np.random.default_rng(9).normal(size=IMAGES), 1 - 0.05 / 400
    found = mean_difference([(statistic_of(values), statistic_of(np.zeros(IMAGES)))], confidence)
    expected = stats.bootstrap(
        (values,),
        np.mean,
        n_resamples=63_999,
        confidence_level=confidence,
        method="BCa",
        rng=np.random.default_rng(0),
    )
    ends = expected.confidence_interval
    assert (found.low, found.high) == pytest.approx((ends.low, ends.high))
    resampled = expected.bootstrap_distribution
    assert found.low is not None
    assert found.high is not None
    assert 2 <= np.sum(resampled < found.low) <= 8
    assert 2 <= np.sum(resampled > found.high) <= 8


def test_confidence_that_no_resample_reaches_has_no_interval() -> None:
    values = np.random.default_rng(9).normal(size=IMAGES)
    pair = [(statistic_of(values), statistic_of(np.zeros(IMAGES)))]
    found = mean_difference(pair, 1 - 0.05 / 5000)
    assert (found.low, found.high) == (None, None)
    assert found.mean == pytest.approx(values.mean())


def test_seeds_are_averaged_over_the_same_images() -> None:
    generator = np.random.default_rng(4)
    seeds = generator.normal(size=(2, 2, IMAGES))
    pairs = [(statistic_of(own), statistic_of(other)) for own, other in seeds]
    averaged = (statistic_of(seeds[:, 0].mean(axis=0)), statistic_of(seeds[:, 1].mean(axis=0)))
    several, one = mean_difference(pairs, 0.95), mean_difference([averaged], 0.95)
    assert (several.mean, several.low, several.high) == pytest.approx(
        (one.mean, one.low, one.high)
    )


def test_equal_predictions_differ_by_nothing() -> None:
    same = statistic_of(np.linspace(0, 1, IMAGES))
    found = mean_difference([(same, same)], 0.95)
    assert (found.mean, found.low, found.high) == (0.0, 0.0, 0.0)


def test_few_images_have_no_interval() -> None:
    found = mean_difference([(statistic_of([0.1, 0.3]), statistic_of([0.2, 0.2]))], 0.95)
    assert (found.low, found.high) == (None, None)


def test_statistics_of_their_own_images_each_take_theirs() -> None:
    generator = np.random.default_rng(8)
    values = generator.normal(size=(2, IMAGES))
    cars = [statistic_of(values[0]), statistic_of(values[0] - 0.5)]
    buses = [statistic_of(values[1]), statistic_of(values[1] + 0.25)]
    others = tuple(f"bus {number}" for number in range(IMAGES))
    own, other = (replace(each, image_ids=others) for each in buses)
    found = mean_difference([(cars[0], cars[1]), (own, other)], 0.95)
    assert found.mean == pytest.approx((0.5 - 0.25) / 2)
    assert (found.low, found.high) == pytest.approx((found.mean, found.mean))


def drawn(images: int, resamples: int = 4) -> NDArray[np.int64]:
    return np.random.default_rng(5).integers(images, size=(resamples, images))


@pytest.mark.parametrize(
    "metric", ["iou", "iou_image_mean", "dice", "class_accuracy", "pixel_accuracy"]
)
@pytest.mark.parametrize("is_softmax", [True, False])
def test_pixels_of_a_resample_score_as_if_they_were_the_split(
    metric: str, is_softmax: bool, tmp_path: Path
) -> None:
    predictions = softmax() if is_softmax else sigmoid()
    predictions.save(tmp_path / "predictions_val.npz")
    statistic = of_pixels(tmp_path / "predictions_val.npz", metric, AT_HALF)
    indices = drawn(len(predictions.image_ids))
    values = statistic.score(counted(indices, len(predictions.image_ids)))
    for own, value in zip(indices, values, strict=True):
        assert value == pytest.approx(_taken(predictions, own).metrics(AT_HALF)[metric])


def sigmoid() -> SigmoidPredictions:
    """Six images and two classes; the second class is in no image but the first three."""
    generator = np.random.default_rng(1)
    shape = (6, 2, PROBABILITY_BINS)
    positives, negatives = generator.integers(0, 2, (2, *shape))
    positives[3:, 1] = 0
    # Every class of an image has the same pixels.
    totals = (positives + negatives).sum(axis=-1)
    negatives[..., 0] += totals.max(axis=1, keepdims=True) - totals
    names = tuple("abcdef")
    return SigmoidPredictions(names, ("car", "bus"), np.ones(6), positives, negatives)


def softmax() -> SoftmaxPredictions:
    confusions = np.random.default_rng(2).integers(0, 50, (6, 3, 3))
    return SoftmaxPredictions(tuple("abcdef"), ("background", "car", "bus"), None, confusions)


def _taken(
    predictions: SigmoidPredictions | SoftmaxPredictions, images: NDArray[np.int64]
) -> SigmoidPredictions | SoftmaxPredictions:
    names = tuple(predictions.image_ids[index] for index in images)
    if isinstance(predictions, SoftmaxPredictions):
        return replace(predictions, image_ids=names, confusions=predictions.confusions[images])
    return replace(
        predictions,
        image_ids=names,
        losses=None,
        positives=predictions.positives[images],
        negatives=predictions.negatives[images],
    )


@pytest.mark.parametrize("metric", ["ap", "ap50", "ap75"])
def test_boxes_of_a_resample_score_as_pycocotools_scores_them(metric: str, tmp_path: Path) -> None:
    images = [scored_image(str(number), number) for number in range(12)]
    file = tmp_path / "predictions_val.json.gz"
    split = ScoredSplit(("car", "bus", "dog"), tuple(images), np.zeros(len(images)), {})
    save_scored_split(file, split, kind="bbox", metrics={})
    statistic = of_boxes(file, metric, AT_HALF)
    indices = drawn(len(images))
    values = statistic.score(counted(indices, len(images)))
    for own, value in zip(indices, values, strict=True):
        copies = [replace(images[index], image_id=str(at)) for at, index in enumerate(own)]
        expected = coco_scores(copies, 3, "bbox", reference=True).summary[metric]
        assert value == pytest.approx(expected, abs=1e-9)


def scored_image(name: str, seed: int) -> ScoredImage:
    """Objects of three classes, detections beside them, a crowd, and no two equal scores."""
    generator = np.random.default_rng(seed)
    labels = generator.integers(0, 3, 4)
    corners = generator.uniform(0, 60, (4, 2))
    sides = generator.uniform(8, 40, (4, 2))
    truth = np.hstack([corners, corners + sides]).round(3).astype(np.float64)
    shifted = truth + generator.normal(0, 3, truth.shape)
    found = np.vstack([shifted, truth[:1] + 30]).round(3).astype(np.float64)
    sides = truth[:, 2:] - truth[:, :2]  # as rounded
    return ScoredImage(
        image_id=name,
        size_hw=(120, 120),
        pixel_area=1.0,
        truth=Objects(labels, truth, None),
        truth_areas=sides[:, 0] * sides[:, 1],
        is_ignored=np.array([False, False, False, True]),
        found=Objects(np.append(labels, labels[0]), found, None),
        scores=generator.uniform(0, 1, 5).astype(np.float32).astype(np.float64),
    )


@pytest.mark.parametrize("kind", ["image_ids", "video_ids"])
@pytest.mark.parametrize("metric", ["top1", "top5", "class_recall"])
def test_classes_of_a_resample_score_as_if_they_were_the_split(
    metric: str, kind: str, tmp_path: Path
) -> None:
    generator = np.random.default_rng(6)
    labels = np.arange(21) % 7
    probabilities = generator.dirichlet(np.ones(7), 21).astype(np.float32)
    file = tmp_path / "predictions_val.npz"
    ids = np.array([str(number) for number in range(21)])
    columns: dict[str, Any] = {kind: ids, "labels": labels, "probabilities": probabilities}
    np.savez(file, **columns)
    statistic = of_classes(file, metric, AT_HALF)
    assert statistic.image_ids == tuple(ids.tolist())
    values = statistic.score(counted(drawn(21), 21))
    for own, value in zip(drawn(21), values, strict=True):
        rank = (probabilities[own] > probabilities[own, labels[own]][:, None]).sum(axis=1)
        is_right = rank < (5 if metric == "top5" else 1)
        of_class = [is_right[labels[own] == label].mean() for label in np.unique(labels[own])]
        expected = np.mean(of_class) if metric == "class_recall" else is_right.mean()
        assert value == pytest.approx(expected)


@pytest.mark.parametrize("seed", range(5))
def test_class_recall_is_that_of_a_matrix_of_samples_by_classes(seed: int, tmp_path: Path) -> None:
    generator = np.random.default_rng(seed)
    images, classes = 60, 9
    labels = generator.integers(1, classes - 1, images)  # neither the first nor the last class
    probabilities = generator.dirichlet(np.ones(classes), images).round(1).astype(np.float32)
    file = tmp_path / "predictions_val.npz"
    ids = np.array([str(number) for number in range(images)])
    np.savez(file, image_ids=ids, labels=labels, probabilities=probabilities)
    weights = counted(drawn(images), images)
    is_of_class = labels[:, None] == np.arange(classes)
    shares = credit(torch.from_numpy(probabilities), torch.from_numpy(labels), 1).numpy()
    by_class = ratio(weights @ (is_of_class * shares[:, None]), weights @ is_of_class)
    found = of_classes(file, "class_recall", AT_HALF).score(weights)
    assert found == pytest.approx(np.nanmean(by_class, axis=1), rel=1e-12)


@pytest.mark.parametrize("metric", ["top1", "top5", "class_recall"])
def test_statistic_of_classes_keeps_no_more_of_an_image_than_it_needs(
    metric: str, tmp_path: Path
) -> None:
    images, classes = 100, 1000
    file = tmp_path / "predictions_val.npz"
    probabilities = np.full((images, classes), 1 / classes, np.float32)
    labels, ids = np.arange(images), np.array([str(number) for number in range(images)])
    np.savez(file, image_ids=ids, labels=labels, probabilities=probabilities)
    tracemalloc.start()
    statistic = of_classes(file, metric, AT_HALF)
    gc.collect()
    before, _ = tracemalloc.get_traced_memory()
    tracemalloc.reset_peak()
    statistic.score(np.ones((1, images)))
    _, most = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert before < 200 * images * 8
    assert most - before < 200 * images * 8
