"""A thousand random cases, with classes that are absent and images without a label."""

import warnings
from collections.abc import Callable, Iterable
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from sklearn import metrics as sklearn_metrics  # type: ignore[import-untyped]

from models.metrics.segmentation import SigmoidPredictions, SoftmaxPredictions
from models.settings import EvaluationSettings

CASES = 1000
Pixels = set[tuple[int, ...]]


def pixels(mask: NDArray[np.bool_]) -> Pixels:
    return set(zip(*(axis.tolist() for axis in np.nonzero(mask)), strict=True))


def share(part: float, whole: float) -> float | None:
    return part / whole if whole else None


def average(values: Iterable[float | None]) -> float | None:
    defined = [value for value in values if value is not None]
    return sum(defined) / len(defined) if defined else None


def iou_of(found: Pixels, truth: Pixels) -> float | None:
    return share(len(found & truth), len(found | truth))


def of_image(image: int, members: Pixels) -> Pixels:
    return {each for each in members if each[0] == image}


def by_sets(case: Any, threshold: float) -> dict[str, float | None]:
    """Score decisions by sets of pixels, which is nothing like counting by histogram."""
    valid = pixels(case.valid)
    found = [pixels(case.found(label, threshold)) & valid for label in case.classes]
    truth = [pixels(case.labels == label) for label in case.classes]
    pairs = list(zip(found, truth, strict=True))
    images = range(len(case.labels))
    result = {
        "iou": average(iou_of(*pair) for pair in pairs),
        "iou_image_mean": average(
            average(iou_of(of_image(i, one), of_image(i, other)) for i in images)
            for one, other in pairs
        ),
        "dice": average(share(2 * len(a & b), len(a) + len(b)) for a, b in pairs),
        "class_accuracy": average(share(len(a & b), len(b)) for a, b in pairs),
    }
    result |= {
        f"iou_class_{i}": iou_of(*pair) for i, pair in zip(case.classes, pairs, strict=True)
    }
    if case.is_softmax:
        everything = (
            [pixels(case.found(0, threshold)) & valid, *found],
            [
                pixels(case.labels == 0),
                *truth,
            ],
        )
        both = list(zip(*everything, strict=True))
        result["iou_with_background"] = average(iou_of(*pair) for pair in both)
        result["pixel_accuracy"] = share(sum(len(a & b) for a, b in both), len(valid))
    else:
        wrong = sum(len(a ^ b) for a, b in pairs)
        decided = len(valid) * len(pairs)
        result["pixel_accuracy"] = share(decided - wrong, decided)
    return result


def by_hand(case: Any) -> dict[str, float | None]:
    """Score probabilities of labelled pixels by what the metrics are defined as."""
    ranked = [
        (ranks[truth], ranks[~truth]) for truth, own in _columns(case) for ranks in [_ranks(own)]
    ]
    flat = np.moveaxis(case.probabilities, 1, -1)[case.valid].astype(np.float64)  # (n, channels)
    first = 0 if case.is_softmax else 1
    truth = case.labels[case.valid][:, None] == np.arange(first, first + flat.shape[1])
    likely = np.clip(np.where(truth, flat, 1 - flat), 2.0**-23, 1 - 2.0**-23)
    surprise = -np.log(likely)[truth if case.is_softmax else slice(None)]
    return {
        "auc": average(
            share((own[:, None] > rest).sum() + 0.5 * (own[:, None] == rest).sum(), pairs)
            for own, rest in ranked
            for pairs in [own.size * rest.size]
        ),
        "average_precision": average(_average_precision(*pair) for pair in ranked),
        "log_loss": share(surprise.sum(), surprise.size),
        "mae": share(np.abs(flat - truth).sum(), flat.size),
        "mse": share(((flat - truth) ** 2).sum(), flat.size),
    }


def _average_precision(own: NDArray[np.int64], rest: NDArray[np.int64]) -> float | None:
    area, recall = 0.0, 0.0
    for rank in sorted({*own.tolist()}, reverse=True):
        tp, fp = (own >= rank).sum(), (rest >= rank).sum()
        area += (tp / own.size - recall) * tp / (tp + fp)
        recall = tp / own.size
    return area if own.size else None


def _columns(case: Any) -> list[tuple[NDArray[np.bool_], NDArray[np.float32]]]:
    """Return each class's truth and probability at labelled pixels."""
    valid = case.valid
    return [((case.labels == c)[valid], case.of_class(c)[valid]) for c in case.classes]


def _ranks(probabilities: NDArray[np.float32]) -> NDArray[np.int64]:
    return np.floor(probabilities.astype(np.float64) * 1000).astype(np.int64)


def by_scikit_learn(case: Any) -> dict[str, float | None]:
    """Score probabilities of labelled pixels; ranks are those of floor(1000 p)."""
    if not case.valid.any():
        return {}
    columns = _columns(case)
    ranked = [(truth, _ranks(own)) for truth, own in columns]
    return {
        "auc": average(
            sklearn_metrics.roc_auc_score(*pair) if 0 < pair[0].sum() < len(pair[0]) else None
            for pair in ranked
        ),
        "average_precision": average(
            sklearn_metrics.average_precision_score(*pair) if pair[0].any() else None
            for pair in ranked
        ),
        **(_softmax_errors(case) if case.is_softmax else _sigmoid_errors(columns)),
    }


def _sigmoid_errors(
    columns: list[tuple[NDArray[np.bool_], NDArray[np.float32]]],
) -> dict[str, float | None]:
    truth, flat = (np.concatenate(part) for part in zip(*columns, strict=True))
    return {
        "log_loss": sklearn_metrics.log_loss(truth, flat, labels=[False, True]),
        "mae": sklearn_metrics.mean_absolute_error(truth.astype(float), flat),
        "mse": sklearn_metrics.mean_squared_error(truth.astype(float), flat),
    }


def _softmax_errors(case: Any) -> dict[str, float | None]:
    labels = case.labels[case.valid]
    flat = np.moveaxis(case.probabilities, 1, -1)[case.valid]
    one_hot = np.eye(flat.shape[1])[labels]
    with warnings.catch_warnings():  # float32 does not add up to 1 as closely as it wants
        warnings.filterwarnings("ignore", "The y_prob values do not sum to one")
        log_loss = sklearn_metrics.log_loss(labels, flat, labels=range(flat.shape[1]))
    return {
        "log_loss": log_loss,
        "mae": sklearn_metrics.mean_absolute_error(one_hot, flat),
        "mse": sklearn_metrics.mean_squared_error(one_hot, flat),
    }


@pytest.mark.slow
@pytest.mark.parametrize("is_softmax", [False, True])
def test_every_metric_is_its_references(is_softmax: bool, random_case: Callable[..., Any]) -> None:
    absent = empty = 0
    for seed in range(CASES):
        case = random_case(seed, is_softmax=is_softmax)
        threshold = 0.5 if is_softmax else (1 + seed % 9) / 10
        predictions = case.predictions(threshold=threshold)
        found = predictions.metrics(EvaluationSettings(threshold=threshold))
        reference = {**by_sets(case, threshold), **by_hand(case), "loss": 0.0}
        expected = {name: value for name, value in reference.items() if value is not None}
        assert found == pytest.approx(expected, abs=1e-6, rel=0), seed
        if seed % 20 == 0:  # it is slow, and our own reading of a definition may be wrong
            confirmed = {k: v for k, v in by_scikit_learn(case).items() if v is not None}
            own = {name: found[name] for name in confirmed}
            assert own == pytest.approx(confirmed, abs=1e-6, rel=0), seed
        absent += len(expected) < len(reference)
        empty += not case.valid.all()
    assert absent > CASES / 20  # the cases hold what they should
    assert empty > CASES / 4
    assert isinstance(predictions, SoftmaxPredictions if is_softmax else SigmoidPredictions)
