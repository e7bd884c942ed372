from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, cast

import cv2
import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from data_pipeline.datasets.settings.pictures import IsbiData
from data_pipeline.samples import SegmentationBatch
from data_pipeline.source import open_data
from models.metrics.segmentation import rescore
from models.reference_networks import (
    build_otsu,
    constant_logits,
    dark_and_bright,
    otsu_logits,
)
from models.reference_settings import ConstantSettings, OtsuSettings
from models.references import score_test, train
from models.session import Interrupted
from models.settings import EvaluationSettings, ModelSettings

REFERENCES = (ConstantSettings(), OtsuSettings())


def probabilities(logits: NDArray[np.float64], *, is_softmax: bool) -> NDArray[np.float64]:
    values = torch.from_numpy(logits)
    return (values.softmax(dim=1) if is_softmax else values.sigmoid()).numpy()


def test_constant_is_the_share_of_each_class() -> None:
    counts = np.array([[70, 20, 10]])
    shares = probabilities(constant_logits(counts, 3, is_softmax=True), is_softmax=True)
    assert shares == pytest.approx(np.array([[0.7, 0.2, 0.1]]))
    shares = probabilities(constant_logits(counts, 2, is_softmax=False), is_softmax=False)
    assert shares == pytest.approx(np.array([[0.2, 0.1]]))


def test_constant_of_a_class_that_does_not_occur_is_finite() -> None:
    logits = constant_logits(np.array([[100, 0]]), 1, is_softmax=False)
    assert np.isfinite(logits).all()
    assert probabilities(logits, is_softmax=False) < 1e-5


@pytest.mark.parametrize("is_bright", [False, True])
def test_otsu_puts_a_class_where_it_fills_more(is_bright: bool) -> None:
    # Of the side of the class a tenth is of it, of the other side nothing.
    sides = [[500, 0], [90, 10]] if is_bright else [[90, 10], [500, 0]]
    logits = otsu_logits(np.array(sides), 1, is_softmax=False)
    assert (logits[:, 0] > 0).tolist() == [not is_bright, is_bright]
    logits = otsu_logits(np.array(sides), 2, is_softmax=True)
    assert logits.argmax(axis=1).tolist() == ([0, 1] if is_bright else [1, 0])


def test_otsu_of_three_labels_takes_the_two_that_light_tells_apart() -> None:
    counts = np.array([[50, 9, 50], [50, 1, 10]])
    logits = otsu_logits(counts, 3, is_softmax=True)
    assert logits.argmax(axis=1).tolist() == [1, 0]  # 0.9 + 0.5 beats 0.83 + 0.5


def test_otsu_never_finds_a_class_that_training_has_no_pixel_of() -> None:
    counts = np.array([[60, 10, 0], [20, 10, 0]])
    assert (otsu_logits(counts, 2, is_softmax=False)[:, 1] < 0).all()
    assert (otsu_logits(counts, 2, is_softmax=False)[:, 0] > 0).any()
    lone = np.array([[60, 0, 0], [20, 0, 0]])
    assert otsu_logits(counts, 3, is_softmax=True).argmax(axis=1).tolist() == [0, 1]
    assert otsu_logits(lone, 3, is_softmax=True).argmax(axis=1).tolist() == [0, 0]


def test_threshold_is_opencvs_of_the_grey_values() -> None:
    generator = np.random.default_rng(0)
    grey = np.where(generator.random((24, 24)) < 0.3, 60, 170) + generator.integers(
        -50, 50, (24, 24)
    )
    grey[0, :2] = 0, 255
    cut, _ = cv2.threshold(grey.astype(np.uint8), 0, 255, cv2.THRESH_OTSU)
    image = torch.from_numpy(grey / 127.5 - 1).float().expand(1, 3, 24, 24)
    assert dark_and_bright(image)[0].tolist() == (grey > cut).astype(int).tolist()
    assert torch.equal(dark_and_bright(5 * image + 3), dark_and_bright(image))


def test_picture_of_one_grey_is_dark() -> None:
    assert not dark_and_bright(torch.full((2, 3, 4, 4), 0.3)).any()


def test_unlabelled_pixels_are_not_counted() -> None:
    network = build_otsu(OtsuSettings(), 1)
    images = torch.tensor([[-1.0, -1.0, 1.0, 1.0]]).expand(1, 3, 1, 4)
    counts = network.count(images, torch.tensor([[[0, 255, 1, 1]]]), label_count=2)
    assert counts.tolist() == [[1, 0], [0, 2]]


@pytest.mark.parametrize("model", REFERENCES, ids=lambda model: model.name)
@pytest.mark.parametrize("loss", ["bce", "cross_entropy"])
def test_reference_takes_the_way_of_a_network(
    model: ModelSettings, loss: str, attempts: Callable[..., Any]
) -> None:
    cell = attempts(model=model, training={"loss": loss, "epochs": 30}, scores_test=True)
    result = train(cell.session())
    assert (result.epochs, result.best_epoch, result.train_macs) == (1, 1, 0)
    (report,) = cell.reports
    assert {"train/loss", "train/pixel_accuracy", "val/loss", "val/iou"} <= {*report.metrics}
    assert {name: report.metrics[name] for name in result.metrics if "val/" in name} == {
        name: value for name, value in result.metrics.items() if "val/" in name
    }
    folder: Path = cell.folders[0]
    assert all((folder / name).is_file() for name in result.files.values())
    for split in ("val", "test"):
        scores = rescore(folder / f"predictions_{split}.npz", EvaluationSettings())
        assert {f"{split}/{name}": value for name, value in scores.items()} == {
            name: value for name, value in result.metrics.items() if name.startswith(split)
        }
    (effective,) = cell.effective
    assert (effective["epochs"], effective["parameters"]) == (1, 0)
    assert effective["learning_rate"] is effective["optimizer"] is effective["batch_size"] is None


@pytest.mark.parametrize("model", REFERENCES, ids=lambda model: model.name)
def test_winner_is_scored_on_the_test_split_as_in_training(
    model: ModelSettings, attempts: Callable[..., Any]
) -> None:
    cell = attempts(model=model, scores_test=True)
    result = train(cell.session())
    scored = score_test(cell.session(seed=99), cell.folders[0] / result.files["weights"])
    expected = {name: value for name, value in result.metrics.items() if name.startswith("test/")}
    assert scored.metrics == expected


def test_constant_has_the_training_splits_shares_as_probabilities(
    attempts: Callable[..., Any],
) -> None:
    cell = attempts(model=ConstantSettings(), training={"loss": "cross_entropy"})
    result = train(cell.session())
    shares, total = np.zeros(3), 0
    for batch in cell.data.training_images(2).epoch(1):
        shares += [(batch.masks == label).sum() for label in range(3)]
    shares /= shares.sum()
    squares = 0.0
    for batch in cell.data.validation(2).epoch(1):
        labels = batch.masks[batch.masks != 255].numpy()
        squares += ((shares - np.eye(3)[labels]) ** 2).mean(axis=1).sum()
        total += labels.size
    assert result.metrics["val/mse"] == pytest.approx(squares / total)
    assert result.metrics["val/auc"] == 0.5


def test_errors_of_references_on_slices_of_neurons(
    attempts: Callable[..., Any], real_data: Path
) -> None:
    settings = IsbiData(
        dataset="isbi2012", root=real_data / "isbi2012", image_size=128, cache="off"
    )
    data = open_data(settings, "semantic_segmentation", 0)
    metrics = {}
    for model in REFERENCES:
        cell = attempts(model=model, training={"loss": "cross_entropy"})
        evaluation = EvaluationSettings(also=("rand_error",))
        session = cell.session(data=lambda: data, image_size=128, evaluation=evaluation)
        metrics[model.name] = train(session).metrics
    batches = cast("Iterator[SegmentationBatch]", data.validation(1).epoch(1))
    share = np.concatenate([batch.masks.numpy() for batch in batches]).mean()  # cell is label 1
    assert 0.7 < share < 0.85
    assert metrics["constant"]["val/pixel_error"] == pytest.approx(1 - 2 * share / (1 + share))
    assert metrics["otsu"]["val/rand_error"] < metrics["constant"]["val/rand_error"]


def test_stopped_reference_counts_anew(attempts: Callable[..., Any]) -> None:
    cell, whole = attempts(model=OtsuSettings()), attempts(model=OtsuSettings())
    for poll in (1, 4, 7):
        with pytest.raises(Interrupted):
            train(cell.session(stop_at_poll=poll))
    assert train(cell.session()).metrics == train(whole.session()).metrics


def test_objective_that_is_undefined_is_told(attempts: Callable[..., Any]) -> None:
    cell = attempts(model=ConstantSettings())
    with pytest.raises(ValueError, match="objective val/rand_error must be defined"):
        train(cell.session(objective="val/rand_error"))
