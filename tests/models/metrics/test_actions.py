"""Metrics of actions against scikit-learn, torchmetrics and counting by hand."""

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from sklearn.metrics import (  # type: ignore[import-untyped]
    accuracy_score,
    confusion_matrix,
    log_loss,
    recall_score,
    top_k_accuracy_score,
)
from torchmetrics.functional.classification import multiclass_accuracy

from models.metrics.actions import ScoredVideos, action_metrics
from models.metrics.names import ACTION_METRICS, action_metric_names
from models.metrics.top_k import credit

CASES = 1000  # counted by hand; the references are slower, and see fewer


def videos(
    probabilities: NDArray[np.floating], labels: NDArray[np.int64], **changes: object
) -> ScoredVideos:
    count, classes = probabilities.shape
    fields: dict[str, object] = {
        "video_ids": tuple(f"v{index}" for index in range(count)),
        "class_names": tuple(f"c{index}" for index in range(classes)),
        "labels": labels,
        "probabilities": probabilities.astype(np.float32),
        "clips": np.ones(count, np.int64),
        "losses": np.zeros(count),
        "clip_top1": np.zeros(count),
        "clip_top5": np.zeros(count),
        **changes,
    }
    return ScoredVideos(**fields)  # type: ignore[arg-type]


def random_case(seed: int) -> ScoredVideos:
    random = np.random.default_rng(seed)
    count, classes = int(random.integers(1, 30)), int(random.integers(2, 12))
    scores = random.gamma(0.3, size=(count, classes)) + 1e-6
    shares = scores / scores.sum(axis=1, keepdims=True)
    return videos(shares, random.integers(0, classes, count))


def test_random_cases_agree_with_sorting_and_counting() -> None:
    for seed in range(CASES):
        case = random_case(seed)
        found, labels = action_metrics(case), case.labels.tolist()
        first = [np.argsort(-row)[:5].tolist() for row in case.probabilities]
        right = [label == best[0] for label, best in zip(labels, first, strict=True)]
        assert found["top1"] == pytest.approx(sum(right) / len(labels))
        among = [label in best for label, best in zip(labels, first, strict=True)]
        assert found.get("top5", 1.0) == pytest.approx(sum(among) / len(labels))
        shares = []
        for label in sorted(set(labels)):
            own = [good for good, each in zip(right, labels, strict=True) if each == label]
            shares.append(sum(own) / len(own))
            assert found[f"recall_c{label}"] == pytest.approx(shares[-1])
        assert found["class_recall"] == pytest.approx(sum(shares) / len(shares))


def test_random_cases_agree_with_scikit_learn() -> None:
    for seed in range(CASES // 10):
        case = random_case(seed)
        found, labels = action_metrics(case), case.labels
        every = list(range(len(case.class_names)))
        assert found["top1"] == pytest.approx(accuracy_score(labels, case.predicted))
        recalls = recall_score(labels, case.predicted, labels=np.unique(labels), average=None)
        assert found["class_recall"] == pytest.approx(recalls.mean())
        by_class = [found[f"recall_c{label}"] for label in np.unique(labels)]
        assert by_class == pytest.approx(list(recalls))
        expected = confusion_matrix(labels, case.predicted, labels=every)
        assert (case.confusion() == expected).all()


def test_random_cases_agree_with_references_of_ranks_and_logarithms() -> None:
    for seed in range(CASES // 10):
        case = random_case(seed)
        found, classes = action_metrics(case), len(case.class_names)
        wide = case.probabilities.astype(np.float64)
        wide /= wide.sum(axis=1, keepdims=True)
        expected = log_loss(case.labels, wide, labels=range(classes))
        assert found["log_loss"] == pytest.approx(expected, rel=1e-5)
        assert ("top5" in found) == (classes > 5)
        if classes > 5:
            expected = top_k_accuracy_score(case.labels, wide, k=5, labels=range(classes))
            assert found["top5"] == pytest.approx(expected)


def test_random_cases_agree_with_torchmetrics() -> None:
    for seed in range(CASES // 20):
        case = random_case(seed)
        truth, shares = torch.from_numpy(case.labels), torch.from_numpy(case.probabilities)
        for k in range(1, min(6, shares.shape[1])):
            theirs = multiclass_accuracy(
                shares, truth, num_classes=shares.shape[1], average="micro", top_k=k
            )
            assert case.credit(k).mean() == pytest.approx(float(theirs))


@pytest.mark.parametrize("k", [1, 2, 5])
def test_constant_output_scores_chance_whatever_the_classes(k: int) -> None:
    labels = torch.tensor([0, 0, 0, 3, 6])
    assert credit(torch.full((5, 7), 1 / 7), labels, k).tolist() == pytest.approx([k / 7] * 5)


def test_ties_share_the_places_that_are_left() -> None:
    scores = torch.tensor([[0.4, 0.2, 0.2, 0.2, 0.0]])
    by_label = [
        [float(credit(scores, torch.tensor([label]), k)) for label in range(5)] for k in (1, 2, 4)
    ]
    third = pytest.approx(1 / 3)
    assert by_label == [[1, 0, 0, 0, 0], [1, third, third, third, 0], [1, 1, 1, 1, 0]]


def test_credits_of_all_classes_are_k_however_they_tie() -> None:
    random = torch.Generator().manual_seed(0)
    scores = torch.randint(0, 3, (200, 8), generator=random).float()
    for k in (1, 3, 5):
        each = [credit(scores, torch.full((200,), label), k) for label in range(8)]
        assert torch.stack(each).sum(dim=0).tolist() == pytest.approx([k] * 200)


def test_class_without_a_video_has_no_recall_and_is_in_no_mean() -> None:
    shares = np.array([[0.6, 0.3, 0.1], [0.2, 0.7, 0.1], [0.9, 0.1, 0.0]])
    found = action_metrics(videos(shares, np.array([0, 1, 1])))
    assert "recall_c2" not in found
    assert found["class_recall"] == (1.0 + 0.5) / 2
    assert found["top1"] == 2 / 3


def test_hopeless_video_has_a_finite_log_loss() -> None:
    found = action_metrics(videos(np.array([[1.0, 0.0]]), np.array([1])))
    assert found["log_loss"] == pytest.approx(-np.log(np.finfo(np.float32).eps))


def test_means_over_clips_are_those_that_were_added_up() -> None:
    case = videos(
        np.full((2, 6), 1 / 6),
        np.array([0, 1]),
        losses=np.array([1.0, 3.0]),
        clip_top1=np.array([0.5, 0.0]),
        clip_top5=np.array([1.0, 0.5]),
    )
    found = action_metrics(case)
    assert (found["loss"], found["clip_top1"], found["clip_top5"]) == (2.0, 0.25, 0.75)


def test_names_are_those_that_may_be_computed() -> None:
    few, many = (tuple(f"c{index}" for index in range(count)) for count in (5, 6))
    assert "top5" not in action_metric_names(few)
    assert set(ACTION_METRICS) < set(action_metric_names(many))
    shares = np.full((12, 6), 1 / 6)
    found = action_metrics(videos(shares, np.arange(12) % 6))
    assert set(found) == set(action_metric_names(many))
