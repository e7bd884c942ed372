"""What an evaluator keeps of a split for people, reports and the bootstrap."""

import csv
import json
import os
from dataclasses import replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from models.metrics.ranking import Histograms
from models.metrics.segmentation import PROBABILITY_BINS, SigmoidPredictions, SoftmaxPredictions
from models.settings import EvaluationSettings
from models.tasks.segmentation_files import save_pictures, save_split
from models.tasks.strips import Probe
from models.tasks.threshold_strips import picture_iou

HALF = EvaluationSettings(threshold=0.5)


@pytest.fixture
def sigmoids() -> SigmoidPredictions:
    """Three images and two classes; the second class is nowhere and never found."""
    generator = np.random.default_rng(0)
    counts = generator.integers(0, 4, (2, 3, 2, PROBABILITY_BINS))
    counts[0, :, 1] = 0
    counts[1, :, 1, 1:] = 0
    losses = np.array([0.1, 0.2, 0.3])
    names = ("traffic light", "bus")
    return SigmoidPredictions(("a", "b", "c"), names, losses, counts[0], counts[1])


@pytest.fixture
def softmax() -> SoftmaxPredictions:
    generator = np.random.default_rng(1)
    matrices = generator.integers(0, 50, (2, 3, 3))
    histograms = Histograms(*generator.integers(0, 4, (2, 3, PROBABILITY_BINS)))
    names = ("background", "cell", "dirt")
    return SoftmaxPredictions(("a", "b"), names, np.array([0.5, 0.6]), matrices, histograms)


def read_json(file: Path) -> dict[str, Any]:
    def refuse(word: str) -> None:
        raise AssertionError(f"{word} is no JSON")

    content: dict[str, Any] = json.loads(file.read_text(), parse_constant=refuse)
    return content


def test_every_role_names_a_file_and_nothing_else_is_left(
    sigmoids: SigmoidPredictions, tmp_path: Path
) -> None:
    files = save_split(tmp_path, "test", sigmoids, HALF)
    assert sorted(files) == [
        "confusion_test", "curves_picture_test", "curves_test", "image_scores_test",
    ]  # fmt: skip
    assert sorted(files.values()) == sorted(file.name for file in tmp_path.iterdir())


def test_image_name_that_is_not_utf_8_keeps_its_bytes(
    sigmoids: SigmoidPredictions, tmp_path: Path
) -> None:
    named = replace(sigmoids, image_ids=("a", os.fsdecode(b"caf\xe9"), "c"))
    files = save_split(tmp_path, "val", named, HALF)
    assert b"\ncaf\xe9," in (tmp_path / files["image_scores_val"]).read_bytes()


def test_curves_pass_through_the_split_s_metrics(
    sigmoids: SigmoidPredictions, tmp_path: Path
) -> None:
    files = save_split(tmp_path, "val", sigmoids, HALF)
    content = read_json(tmp_path / files["curves_val"])
    at = content["thresholds"].index(0.3)
    metrics = sigmoids.metrics(EvaluationSettings(threshold=0.3))
    light = content["classes"]["traffic light"]
    assert light["iou"][at] == pytest.approx(metrics["iou_traffic_light"], abs=1e-6)
    assert content["mean"]["iou"][at] == pytest.approx(metrics["iou"], abs=1e-6)
    assert content["mean"]["f1"][at] == pytest.approx(metrics["dice"], abs=1e-6)
    assert content["mean"]["auc"] == pytest.approx(metrics["auc"], abs=1e-6)
    assert not content["is_softmax"]


def test_what_is_undefined_is_null(sigmoids: SigmoidPredictions, tmp_path: Path) -> None:
    files = save_split(tmp_path, "val", sigmoids, HALF)
    bus = read_json(tmp_path / files["curves_val"])["classes"]["bus"]
    assert set(bus["precision"]) == set(bus["recall"]) == set(bus["iou"]) == {None}
    assert (bus["average_precision"], bus["auc"]) == (None, None)


def test_sigmoids_have_a_table_per_class_at_the_threshold(
    sigmoids: SigmoidPredictions, tmp_path: Path
) -> None:
    files = save_split(tmp_path, "val", sigmoids, EvaluationSettings(threshold=0.25))
    content = read_json(tmp_path / files["confusion_val"])
    light = content["classes"]["traffic light"]
    assert content["threshold"] == 0.25
    assert light["tp"] == sigmoids.positives[:, 0, 250:].sum()
    assert light["fp"] == sigmoids.negatives[:, 0, 250:].sum()
    assert sum(light.values()) == sigmoids.positives[:, 0].sum() + sigmoids.negatives[:, 0].sum()


def test_a_softmax_has_a_matrix_as_data_and_as_picture(
    softmax: SoftmaxPredictions, tmp_path: Path
) -> None:
    files = save_split(tmp_path, "val", softmax, HALF)
    content = read_json(tmp_path / files["confusion_val"])
    assert content["labels"] == ["background", "cell", "dirt"]
    assert content["matrix"] == softmax.confusions.sum(axis=0).tolist()
    assert cv2.imread(str(tmp_path / files["confusion_picture_val"])) is not None
    curves = read_json(tmp_path / files["curves_val"])
    assert list(curves["classes"]) == ["cell", "dirt"]
    assert curves["is_softmax"]


def test_image_scores_are_exact_and_empty_where_undefined(
    sigmoids: SigmoidPredictions, tmp_path: Path
) -> None:
    files = save_split(tmp_path, "val", sigmoids, HALF)
    with (tmp_path / files["image_scores_val"]).open(newline="") as stream:
        rows = list(csv.DictReader(stream))
    metrics = sigmoids.metrics(HALF)
    assert [row["image_id"] for row in rows] == ["a", "b", "c"]
    assert {row["iou_bus"] for row in rows} == {""}
    found = [float(row["iou_traffic_light"]) for row in rows]
    assert np.mean(found) == pytest.approx(metrics["iou_image_mean"], abs=1e-15)
    assert [float(row["loss"]) for row in rows] == [0.1, 0.2, 0.3]


def test_the_same_predictions_give_the_same_bytes(
    sigmoids: SigmoidPredictions, softmax: SoftmaxPredictions, tmp_path: Path
) -> None:
    contents = []
    for name in ("one", "two"):
        folder = tmp_path / name
        folder.mkdir()
        save_split(folder, "val", sigmoids, HALF)
        save_split(folder, "test", softmax, HALF)
        contents.append({file.name: file.read_bytes() for file in sorted(folder.iterdir())})
    assert contents[0] == contents[1]


def probe(probabilities: Any) -> Probe:
    image = np.full((8, 8, 3), 90, np.uint8)
    truth = np.zeros((1, 8, 8), bool)
    truth[0, :4] = True
    found = truth if probabilities is None else probabilities >= 0.5
    return Probe(image, truth, found, np.ones((8, 8), bool), probabilities)


def test_a_softmax_has_no_picture_at_several_thresholds(tmp_path: Path) -> None:
    assert list(save_pictures(tmp_path, [probe(None)])) == ["predictions_strip"]


def test_the_picture_at_several_thresholds_shows_what_each_one_finds(tmp_path: Path) -> None:
    ramp = np.linspace(0.95, 0.05, 8, dtype=np.float32)[None, :, None].repeat(8, axis=2)
    files = save_pictures(tmp_path, [probe(ramp)] * 2)
    picture = cv2.imread(str(tmp_path / files["predictions_thresholds"]))
    assert picture is not None
    tile, gap, heading = 192, 6, 28
    assert picture.shape == (heading + gap + 2 * (tile + heading + gap), 5 * (tile + gap), 3)
    top = heading + gap
    painted = [
        (picture[top : top + tile, left : left + tile].std(axis=2) > 1).mean()
        for left in range(0, 5 * (tile + gap), tile + gap)
    ]
    assert painted == pytest.approx([0, 4 / 8, 6 / 8, 5 / 8, 3 / 8], abs=0.01)


def test_the_iou_of_a_picture_leaves_out_classes_that_are_nowhere() -> None:
    truth, found = np.zeros((2, 3, 4, 4), bool), np.zeros((2, 3, 4, 4), bool)
    truth[0, 0, :2], found[0, 0, :1] = True, True  # half of the first class
    found[0, 1] = True  # all of a second class that is not there
    valid = np.ones((4, 4), bool)
    assert picture_iou(found[0], truth[0], valid) == pytest.approx((0.5 + 0) / 2)
    assert picture_iou(found[1], truth[1], valid) is None
    assert picture_iou(found[0], truth[0], ~valid) is None
