from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from sklearn.metrics import f1_score, jaccard_score, recall_score  # type: ignore[import-untyped]
from torchmetrics.classification import MulticlassAccuracy, MulticlassJaccardIndex

from models.catalog import TASKS
from models.metrics.names import (
    ASKED_FOR,
    BY_CLASS,
    SEGMENTATION_METRICS,
    class_slugs,
    segmentation_metric_names,
    task_slugs,
)
from models.metrics.segmentation import (
    PROBABILITY_BINS,
    SigmoidPredictions,
    SoftmaxPredictions,
    load_predictions,
    mean_iou,
    rescore,
)
from models.settings import EvaluationSettings
from models.tasks.segmentation_counts import histograms

IMAGES, CLASSES, SIDE = 4, 3, 12


@pytest.fixture
def pixels() -> tuple[NDArray[np.float32], NDArray[np.bool_], NDArray[np.bool_]]:
    """Probabilities and truth (images, classes, h, w), and valid (images, h, w)."""
    generator = np.random.default_rng(0)
    truth = generator.random((IMAGES, CLASSES, SIDE, SIDE)) < 0.3
    truth[0, 0] = False
    noise = generator.random(truth.shape)
    probabilities = np.clip(0.6 * noise + 0.35 * truth, 0, 1).astype(np.float32)
    valid = generator.random((IMAGES, SIDE, SIDE)) < 0.9
    return probabilities, truth, valid


@pytest.fixture
def sigmoid(
    pixels: tuple[NDArray[np.float32], NDArray[np.bool_], NDArray[np.bool_]],
) -> SigmoidPredictions:
    probabilities, truth, valid = (torch.from_numpy(part) for part in pixels)
    counts = histograms(probabilities, truth, valid).numpy()
    return SigmoidPredictions(
        tuple(f"image-{index}" for index in range(IMAGES)),
        ("car", "traffic light", "bus"),
        np.array([0.5, 0.25, 0.75, 1.0]),
        positives=counts[:, :, 1],
        negatives=counts[:, :, 0],
    )


def confusion(
    truth: NDArray[np.int64], found: NDArray[np.int64], labels: int
) -> NDArray[np.int64]:
    matrix = np.zeros((len(truth), labels, labels), np.int64)
    for index in range(len(truth)):
        np.add.at(matrix[index], (truth[index].ravel(), found[index].ravel()), 1)
    return matrix


@pytest.mark.parametrize("threshold", [0.001, 0.2, 0.333, 0.5, 0.7, 0.999])
def test_metrics_at_any_threshold_are_scikit_learns(
    threshold: float,
    pixels: tuple[NDArray[np.float32], NDArray[np.bool_], NDArray[np.bool_]],
    sigmoid: SigmoidPredictions,
) -> None:
    probabilities, truth, valid = pixels
    found = probabilities.astype(np.float64) >= threshold
    flat = [(truth[:, c][valid], found[:, c][valid]) for c in range(CLASSES)]
    metrics = sigmoid.metrics(EvaluationSettings(threshold=threshold))
    iou = [jaccard_score(*pair, zero_division=0) for pair in flat]
    assert metrics["iou"] == pytest.approx(np.mean(iou))
    assert metrics["iou_traffic_light"] == pytest.approx(iou[1])
    assert metrics["dice"] == pytest.approx(np.mean([f1_score(*p, zero_division=0) for p in flat]))
    assert metrics["class_accuracy"] == pytest.approx(np.mean([recall_score(*p) for p in flat]))
    right = np.concatenate([a == b for a, b in flat])
    assert metrics["pixel_accuracy"] == pytest.approx(right.mean())
    assert metrics["loss"] == 0.625


def test_thresholds_on_the_grid_are_exact_to_the_last_bit() -> None:
    grid = np.arange(1, 1000) / 1000
    around = np.concatenate([grid.astype(np.float32), *(
        np.nextafter(grid.astype(np.float32), np.float32(end)) for end in (0, 1)
    )])  # fmt: skip
    counts = histograms(
        torch.from_numpy(around).view(1, 1, 1, -1),
        torch.ones(1, 1, 1, around.size, dtype=torch.bool),
        torch.ones(1, 1, around.size, dtype=torch.bool),
    ).numpy()
    predictions = SigmoidPredictions(("a",), ("c",), np.zeros(1), counts[:, :, 1], counts[:, :, 0])
    for threshold in grid:
        expected = (around.astype(np.float64) >= threshold).sum()
        assert predictions.counts(threshold).tp.item() == expected


def test_iou_by_hand() -> None:
    # Image 1 holds 4 pixels of the class, 2 found, 1 false find: 2 / 5. Image 2 holds none and
    # has 3 false finds: 0 / 3. Image 3 holds none, none found: left out.
    positives, negatives = np.zeros((2, 3, 1, PROBABILITY_BINS), np.int64)
    positives[0, 0, 900], positives[0, 0, 100] = 2, 2
    negatives[0, 0, 900], negatives[0, 0, 100] = 1, 5
    negatives[1, 0, 900], negatives[1, 0, 100] = 3, 7
    negatives[2, 0, 100] = 10
    metrics = SigmoidPredictions(
        ("1", "2", "3"), ("car",), np.zeros(3), positives, negatives
    ).metrics(EvaluationSettings())
    assert metrics == pytest.approx(
        {
            "iou": 2 / 8,
            "iou_car": 2 / 8,
            "iou_image_mean": (2 / 5 + 0) / 2,
            "dice": 4 / 10,
            "class_accuracy": 2 / 4,
            "pixel_accuracy": 24 / 30,
            "loss": 0.0,
            # 2 of the class at 0.9 beside 4 others, 2 at 0.1 beside 22: pairs ranked rightly,
            # ties counting half, of 4 * 26; and precision 2 / 6 at half the recall, then 4 / 30.
            "auc": (2 * (22 + 4 / 2) + 2 * (22 / 2)) / (4 * 26),
            "average_precision": 0.5 * 2 / 6 + 0.5 * 4 / 30,
        }
    )


def test_softmax_metrics_are_torchmetrics_with_the_background_named_apart() -> None:
    generator = np.random.default_rng(1)
    truth = generator.integers(0, 4, (3, 8, 8))
    found = np.where(
        generator.random(truth.shape) < 0.6, truth, generator.integers(0, 4, (3, 8, 8))
    )
    predictions = SoftmaxPredictions(
        ("a", "b", "c"),
        ("background", "car", "bus", "person"),
        np.zeros(3),
        confusion(truth, found, 4),
    )
    metrics = predictions.metrics(EvaluationSettings())
    pair = torch.from_numpy(found), torch.from_numpy(truth)
    per_class = MulticlassJaccardIndex(4, average="none")(*pair)
    assert metrics["iou_with_background"] == pytest.approx(per_class.mean().item())
    assert metrics["iou"] == pytest.approx(per_class[1:].mean().item())
    assert metrics["iou_person"] == pytest.approx(per_class[3].item())
    recall = MulticlassAccuracy(4, average="none")(*pair)
    assert metrics["class_accuracy"] == pytest.approx(recall[1:].mean().item())
    assert metrics["pixel_accuracy"] == pytest.approx((truth == found).mean())


def test_class_that_is_neither_there_nor_found_is_left_out_of_means() -> None:
    truth, found = np.array([[[0, 1, 1, 1]]]), np.array([[[0, 1, 1, 0]]])
    predictions = SoftmaxPredictions(
        ("a",), ("background", "car", "bus"), np.zeros(1), confusion(truth, found, 3)
    )
    metrics = predictions.metrics(EvaluationSettings())
    assert metrics["iou"] == pytest.approx(2 / 3)
    assert "iou_bus" not in metrics


def test_undefined_metrics_are_left_out_of_the_result() -> None:
    nothing = np.zeros((1, 1, PROBABILITY_BINS), np.int64)
    empty = nothing.copy()
    empty[..., 0] = 9
    metrics = SigmoidPredictions(("a",), ("car",), np.ones(1), nothing, empty).metrics(
        EvaluationSettings()
    )
    assert metrics == {"pixel_accuracy": 1.0, "loss": 1.0}


@pytest.mark.parametrize("losses", [[0.5, np.nan, 0.75, 1.0], [np.nan] * 4])
def test_loss_that_is_not_a_number_is_not_averaged_away(
    losses: list[float], sigmoid: SigmoidPredictions
) -> None:
    metrics = replace(sigmoid, losses=np.array(losses)).metrics(EvaluationSettings())
    assert np.isnan(metrics["loss"])


def test_loss_that_is_not_defined_is_left_out(sigmoid: SigmoidPredictions, tmp_path: Path) -> None:
    undefined = replace(sigmoid, losses=None)
    expected = sigmoid.metrics(EvaluationSettings())
    del expected["loss"]
    assert undefined.metrics(EvaluationSettings()) == expected
    undefined.save(tmp_path / "predictions_val.npz")
    assert rescore(tmp_path / "predictions_val.npz", EvaluationSettings()) == expected


def test_saved_predictions_are_scored_again_at_another_threshold(
    sigmoid: SigmoidPredictions, tmp_path: Path
) -> None:
    file = tmp_path / "predictions_val.npz"
    sigmoid.save(file)
    loaded = load_predictions(file)
    assert (loaded.image_ids, loaded.class_names) == (sigmoid.image_ids, sigmoid.class_names)
    for threshold in (0.2, 0.5, 0.8):
        evaluation = EvaluationSettings(threshold=threshold)
        assert rescore(file, evaluation) == sigmoid.metrics(evaluation)
    assert rescore(file, EvaluationSettings(threshold=0.2)) != sigmoid.metrics(
        EvaluationSettings()
    )


def test_threshold_of_a_softmax_is_refused(tmp_path: Path) -> None:
    truth = np.array([[[0, 1]]])
    file = tmp_path / "predictions_val.npz"
    predictions = SoftmaxPredictions(
        ("a",), ("background", "car"), np.zeros(1), confusion(truth, truth, 2)
    )
    predictions.save(file)
    assert rescore(file, EvaluationSettings())["iou"] == 1.0
    with pytest.raises(
        ValueError, match=r"evaluation.threshold 0.3 has no effect on .*such as bce"
    ):
        rescore(file, EvaluationSettings(threshold=0.3))


def test_file_of_another_format_is_refused(tmp_path: Path) -> None:
    np.savez(tmp_path / "other.npz", positives=np.zeros(3))
    with pytest.raises(ValueError, match=r"must hold segmentation predictions .* got format None"):
        load_predictions(tmp_path / "other.npz")


def test_class_names_become_names_of_metrics() -> None:
    names = ["traffic light", "Stop-Sign!", "stop sign", "Fußgänger", "車", "image mean"]
    slugs = class_slugs(names)
    assert slugs == (
        "traffic_light",
        "stop_sign",
        "stop_sign_2",
        "fuganger",
        "class",
        "image_mean_5",
    )
    by_class = [f"{own}_{slug}" for own in BY_CLASS for slug in slugs]
    assert not {*by_class} & {*SEGMENTATION_METRICS}
    assert len({*by_class}) == len(by_class)


@pytest.mark.parametrize("task", TASKS)
def test_every_task_says_what_classes_are_called_in_its_metrics(task: str) -> None:
    names = ["background", "traffic light", "\u732b", "Caf\u00e9", "a b", "a_b"]
    slugs = task_slugs(task, names)
    assert list(slugs) == names[1:]
    assert list(slugs.values()) == ["traffic_light", "class", "cafe", "a_b", "a_b_4"]


def test_names_of_classes_mind_the_metrics_of_their_task() -> None:
    assert task_slugs("object_detection", ["small"]) == {"small": "small_0"}  # there is ap_small
    assert task_slugs("image_classification", ["small"]) == {"small": "small"}


def test_background_has_no_metric_of_its_own() -> None:
    usual = tuple(name for name in SEGMENTATION_METRICS if name not in ASKED_FOR)
    assert segmentation_metric_names(["background", "car"]) == (*usual, "iou_car")
    assert "iou_with_background" not in segmentation_metric_names(["road", "car"])


def test_costly_metrics_are_there_where_they_are_asked_for() -> None:
    names = segmentation_metric_names(["background", "car"], ["rand_error", "boundary_f1"])
    assert {"rand_error", "pixel_error", "boundary_f1", "boundary_f1_car"} < {*names}
    assert "boundary_f1" not in segmentation_metric_names(["background", "car"], ["rand_error"])


def test_mean_iou_of_counts() -> None:
    counts = np.array([2, 0, 0]), np.array([1, 3, 0]), np.array([1, 0, 0])
    assert mean_iou(*counts) == pytest.approx((0.5 + 0.0) / 2)
    assert mean_iou(*(np.zeros(2, np.int64) for _ in range(3))) is None
