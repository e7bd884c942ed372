"""Grad-CAM below the images of a strip of predictions."""

from pathlib import Path
from typing import Any

import cv2
import pytest
import torch
from torch import Tensor, nn

from data_pipeline.samples import ClassificationBatch
from models.explaining.probed_maps import with_maps
from models.settings import EvaluationSettings, TrainingSettings
from models.tasks.classification import build_task
from models.tasks.classification_strips import ImageProbe, probe_of
from models.tasks.strips import TILE

COLOURS = ("red", "green", "blue")


@pytest.fixture
def probes(toy: Any) -> list[ImageProbe]:
    """Return every fresh picture of the toy, with what the network says of it."""
    with torch.no_grad():
        probabilities = toy.trained(toy.fresh.images).softmax(dim=1).numpy()
    labels = toy.fresh.labels.tolist()
    return list(map(probe_of, toy.fresh.images, labels, probabilities))


def test_the_corner_is_bright_and_the_rest_is_not(toy: Any, probes: list[ImageProbe]) -> None:
    drawn = with_maps(toy.trained, toy.fresh.images, probes, wanted=probes)
    for probe in drawn:
        assert probe.grad_cam is not None
        colours = probe.grad_cam.astype(int) - (probe.image.mean(axis=2, keepdims=True) / 2)
        side = TILE // 4
        assert colours[: side // 2, -side // 2 :].mean() > colours[side * 2 :].mean() + 30


def test_only_those_that_are_drawn_are_asked_about(toy: Any, probes: list[ImageProbe]) -> None:
    drawn = with_maps(toy.trained, toy.fresh.images, probes, wanted=[probes[3], probes[5]])
    asked = [row for row, probe in enumerate(drawn) if probe.grad_cam is not None]
    assert asked == [3, 5]
    assert [probe.label for probe in drawn] == [probe.label for probe in probes]


def test_a_network_without_maps_has_none_drawn(toy: Any, probes: list[ImageProbe]) -> None:
    images = toy.fresh.images
    network = nn.Sequential(nn.Flatten(), nn.Linear(images[0].numel(), 3)).eval()
    drawn = with_maps(network, images, probes, wanted=probes)
    assert all(probe.grad_cam is None for probe in drawn)


class WithoutLayers(nn.Module):
    """Says what a network says, but shows none of its layers."""

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self._hidden = [network]

    def forward(self, images: Tensor) -> Tensor:
        scores: Tensor = self._hidden[0](images)
        return scores


def test_a_strip_has_a_row_of_maps_below_its_images(toy: Any, tmp_path: Path) -> None:
    task = build_task(TrainingSettings(), EvaluationSettings(), COLOURS)
    pixels = ((toy.fresh.images + 1) * 127.5).round().clamp(0, 255).to(torch.uint8)
    ids = tuple(f"image {row}" for row in range(len(pixels)))
    strips = []
    for network in (toy.trained, WithoutLayers(toy.trained).eval()):
        evaluator = task.evaluator(is_saved=True)
        with torch.no_grad():
            evaluator.update(network, ClassificationBatch(ids, pixels, toy.fresh.labels))
        evaluator.save(tmp_path, "val")
        strips.append(cv2.imread(str(tmp_path / "predictions_strip.png")))
    with_row, without = strips
    assert with_row is not None
    assert without is not None
    assert with_row.shape[0] == without.shape[0] + TILE  # it is always right: one row of images
