"""A small network learns real street scenes by every loss."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import torch

from data_pipeline.datasets.settings.pictures import CamVidData
from data_pipeline.source import open_data
from models.catalog import segmentation_channels
from models.loss_settings import SIGMOID_LOSSES, SOFTMAX_LOSSES
from models.segmentation.settings import UNetSettings
from models.segmentation.unet import build_unet
from models.settings import EvaluationSettings, TrainingSettings
from models.tasks.segmentation import SegmentationTask

STEPS = 40
WEIGHTED: list[Mapping[str, Any]] = [
    {"loss": "cross_entropy", "class_weights": "median_frequency"},
    {"loss": "bce", "border_weight": {"of": "car"}},
]


def steps(training: TrainingSettings, root: Path) -> list[dict[str, float]]:
    """Train on two images; return the training metrics of every step."""
    settings = CamVidData.model_validate(
        {"root": root, "image_size": 48, "limit": {"train": 2}, "workers": 0, "cache": "off"}
    )
    data = open_data(settings, "semantic_segmentation", seed=0)
    task = SegmentationTask(training, EvaluationSettings(), data.class_names)
    task.prepare(data)
    (batch,) = data.training_images(2).epoch(1)
    torch.manual_seed(0)
    channels = segmentation_channels(training, data.class_names)
    network = build_unet(UNetSettings(base_channels=8, depth=2, batch_norm=True), channels)
    optimizer = torch.optim.Adam(network.parameters(), lr=0.01)
    metrics = []
    for _ in range(STEPS):
        result = task.training_step(network, batch)  # type: ignore[arg-type]
        optimizer.zero_grad()
        result.loss.backward()  # type: ignore[no-untyped-call]
        optimizer.step()
        metrics.append(task.summarise(result.sums))
    return metrics


@pytest.mark.parametrize(
    "settings", [*({"loss": name} for name in SIGMOID_LOSSES + SOFTMAX_LOSSES), *WEIGHTED]
)
def test_loss_falls_and_iou_rises(settings: Mapping[str, Any], real_data: Path) -> None:
    training = TrainingSettings.model_validate(settings)
    metrics = steps(training, real_data / "camvid_mini")
    first, last = metrics[0], metrics[-1]
    assert last["loss"] < 0.8 * first["loss"]
    assert last["iou"] > first["iou"] + 0.1
