"""Metrics of whole images against scikit-learn, and what is left out."""

import numpy as np
import pytest
from numpy.typing import NDArray
from sklearn import metrics as reference  # type: ignore[import-untyped]
from sklearn.calibration import calibration_curve  # type: ignore[import-untyped]

from models.metrics.calibration import BINS, calibration
from models.metrics.classification import ClassifiedImages, classification_metrics
from models.metrics.names import classification_metric_names


def classified(
    labels: NDArray[np.int64], probabilities: NDArray[np.float32], names: tuple[str, ...] = ()
) -> ClassifiedImages:
    return ClassifiedImages(
        names or tuple(f"class {number}" for number in range(probabilities.shape[1])),
        labels,
        probabilities,
        np.linspace(0, 1, len(labels)),
        image_ids=tuple(f"image {row}" for row in range(len(labels))),
    )


def random_case(seed: int, classes: int = 7, images: int = 200) -> ClassifiedImages:
    """Draw images of all classes; the network leans to the true one."""
    random = np.random.default_rng(seed)
    labels = np.concatenate([np.arange(classes), random.integers(0, classes, images - classes)])
    logits = random.normal(size=(images, classes))
    logits[np.arange(images), labels] += 1
    shares = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    return classified(labels.astype(np.int64), shares.astype(np.float32))


@pytest.fixture(params=range(5))
def images(request: pytest.FixtureRequest) -> ClassifiedImages:
    return random_case(request.param)


def test_scores_are_scikit_learns(images: ClassifiedImages) -> None:
    found = classification_metrics(images)
    truth, predicted, shares = images.labels, images.predicted, images.probabilities
    doubles = shares.astype(np.float64)
    doubles /= doubles.sum(axis=1, keepdims=True)  # to within float32 they add up to 1 already
    expected = {
        "top1": reference.accuracy_score(truth, predicted),
        "top5": reference.top_k_accuracy_score(truth, shares, k=5),
        "class_recall": reference.balanced_accuracy_score(truth, predicted),
        "precision": reference.precision_score(truth, predicted, average="macro"),
        "f1": reference.f1_score(truth, predicted, average="macro"),
    }
    assert {name: found[name] for name in expected} == pytest.approx(expected, abs=1e-9)
    assert found["log_loss"] == pytest.approx(reference.log_loss(truth, doubles), abs=1e-6)
    assert found["loss"] == pytest.approx(0.5)


def test_log_loss_is_scikit_learns_of_the_same_numbers(images: ClassifiedImages) -> None:
    right = images.probabilities[np.arange(len(images.labels)), images.labels].astype(np.float64)
    # Of two columns the second is what the true class has, so that they add up to 1 exactly.
    columns = np.stack([1 - right, right], axis=1)
    expected = reference.log_loss(np.ones(len(right), int), columns, labels=[0, 1])
    assert classification_metrics(images)["log_loss"] == pytest.approx(expected, abs=1e-9)


def test_auc_is_scikit_learns_one_against_rest(images: ClassifiedImages) -> None:
    by_class = [
        reference.roc_auc_score(images.labels == index, images.probabilities[:, index])
        for index in range(len(images.class_names))
    ]
    found = classification_metrics(images)["auc"]
    assert found == pytest.approx(np.mean(by_class), abs=1e-9)
    shares = images.probabilities.astype(np.float64)
    shares /= shares.sum(axis=1, keepdims=True)
    ovr = reference.roc_auc_score(images.labels, shares, multi_class="ovr", average="macro")
    assert found == pytest.approx(ovr, abs=1e-5)


def test_auc_counts_ties_half(images: ClassifiedImages) -> None:
    coarse = classified(images.labels, np.round(images.probabilities, 1))
    expected = np.mean(
        [
            reference.roc_auc_score(coarse.labels == index, coarse.probabilities[:, index])
            for index in range(len(coarse.class_names))
        ]
    )
    assert classification_metrics(coarse)["auc"] == pytest.approx(expected, abs=1e-9)


def test_scores_of_classes_are_scikit_learns(images: ClassifiedImages) -> None:
    found = classification_metrics(images)
    for name, score in (
        ("recall", reference.recall_score),
        ("precision", reference.precision_score),
        ("f1", reference.f1_score),
    ):
        expected = score(images.labels, images.predicted, average=None)
        ours = [found[f"{name}_class_{index}"] for index in range(len(images.class_names))]
        assert ours == pytest.approx(expected.tolist(), abs=1e-9)


def test_names_are_those_announced(images: ClassifiedImages) -> None:
    assert set(classification_metrics(images)) == set(
        classification_metric_names(images.class_names)
    )
    few = random_case(1, classes=5)
    assert set(classification_metrics(few)) == set(classification_metric_names(few.class_names))
    assert "top5" not in classification_metrics(few), "all classes are among the first five"


def test_class_that_the_split_lacks_is_left_out() -> None:
    whole = random_case(3)
    is_there = whole.labels != 2
    rest = classified(whole.labels[is_there], whole.probabilities[is_there])
    found = classification_metrics(rest)
    assert not [name for name in found if name.endswith("class_2")]
    present = [0, 1, 3, 4, 5, 6]
    truth, predicted = rest.labels, rest.predicted
    assert (predicted == 2).any(), "it must have been predicted for the case to say something"
    for name, score in (
        ("class_recall", reference.recall_score),
        ("precision", reference.precision_score),
        ("f1", reference.f1_score),
    ):
        expected = score(truth, predicted, labels=present, average="macro", zero_division=0)
        assert found[name] == pytest.approx(expected, abs=1e-9)


def test_class_that_was_never_predicted_has_no_precision_and_no_f1_but_zero() -> None:
    shares = np.array([[0.9, 0.1], [0.8, 0.2], [0.7, 0.3]], np.float32)
    found = classification_metrics(classified(np.array([0, 0, 1]), shares, ("ant", "bee")))
    assert "precision_bee" not in found
    assert found["precision_ant"] == pytest.approx(2 / 3)
    assert found["precision"] == pytest.approx((2 / 3 + 0) / 2)
    assert (found["recall_bee"], found["f1_bee"]) == (0, 0)
    assert found["f1"] == pytest.approx((2 * 2 / 5 + 0) / 2)


@pytest.mark.parametrize("seed", range(4))
def test_mean_precision_is_scikit_learns_where_classes_are_never_predicted(seed: int) -> None:
    whole = random_case(seed, classes=9, images=40)
    is_there = whole.labels != 2
    shares = whole.probabilities[is_there].copy()
    shares[:, seed + 3] = 0  # there, and never predicted
    found = classification_metrics(classified(whole.labels[is_there], shares))
    truth, predicted = whole.labels[is_there], shares.argmax(axis=1)
    expected = reference.precision_score(
        truth, predicted, labels=np.unique(truth), average="macro", zero_division=0
    )
    assert f"precision_class_{seed + 3}" not in found
    assert found["precision"] == pytest.approx(expected, abs=1e-9)


def test_mean_precision_is_zero_where_only_classes_without_an_image_are_predicted() -> None:
    shares = np.array([[0.1, 0.2, 0.7], [0.2, 0.1, 0.7]], np.float32)
    assert classification_metrics(classified(np.array([0, 1]), shares))["precision"] == 0


def test_split_of_one_class_has_no_auc() -> None:
    shares = np.array([[0.9, 0.1], [0.4, 0.6]], np.float32)
    assert "auc" not in classification_metrics(classified(np.array([0, 0]), shares))


def test_equals_share_their_places_whatever_order_classes_have() -> None:
    even = classified(np.array([0, 1, 2, 2]), np.full((4, 3), 1 / 3, np.float32))
    found = classification_metrics(even)
    third = pytest.approx(1 / 3)
    assert found["top1"] == found["class_recall"] == third
    # A third of each image is predicted as each class: 4 / 3, of which 1 / 3 or 2 / 3 are right.
    precisions = (found["precision_class_0"], found["precision_class_2"])
    assert precisions == pytest.approx((1 / 4, 1 / 2))
    assert found["f1_class_0"] == pytest.approx(2 * (1 / 3) / (1 + 4 / 3))
    assert found["auc"] == 0.5


def test_calibration_error_is_that_of_scikit_learns_curve(images: ClassifiedImages) -> None:
    right = (images.predicted == images.labels).astype(np.float64)
    found = calibration(images.confidence, right)
    accuracy, confidence = calibration_curve(right, images.confidence, n_bins=BINS)
    is_filled = found.counts > 0
    assert found.accuracy[is_filled] == pytest.approx(accuracy, abs=1e-9)
    assert found.confidence[is_filled] == pytest.approx(confidence, abs=1e-9)
    error = (found.counts[is_filled] * np.abs(accuracy - confidence)).sum() / found.counts.sum()
    assert found.error == pytest.approx(error, abs=1e-9)
    assert classification_metrics(images)["ece"] == pytest.approx(error, abs=1e-9)


def test_calibration_of_a_case_worked_by_hand() -> None:
    confidence = np.array([0.55, 0.58, 0.95, 1.0])
    found = calibration(confidence, np.array([1.0, 0.0, 1.0, 1.0]))
    assert found.counts.tolist() == [0] * 8 + [2] + [0] * 5 + [2]
    # |0.5 - 0.565| and |1 - 0.975|, each of half the images.
    assert found.error == pytest.approx(0.5 * 0.065 + 0.5 * 0.025)


def test_confidence_on_an_edge_is_of_the_bin_below() -> None:
    found = calibration(np.array([1 / 15, 2 / 15]), np.array([1.0, 1.0]))
    assert found.counts[:3].tolist() == [1, 1, 0]
