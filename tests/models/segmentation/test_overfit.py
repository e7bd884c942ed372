"""Every network that gives each pixel a class learns four real images by heart."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import Any

import pytest
import torch
from torch import nn

from data_pipeline.datasets.settings.pictures import CamVidData
from data_pipeline.samples import SegmentationBatch
from data_pipeline.source import open_data
from models.catalog import MODELS, TASKS
from models.resolve import resolve
from models.settings import EvaluationSettings, TrainingSettings
from models.tasks.segmentation import SegmentationTask

TASK = "semantic_segmentation"
NETWORKS = [name for name, entry in MODELS.items() if TASK in entry.tasks and entry.builder]
IMAGES = 4


@dataclass(frozen=True)
class Exercise:
    """What makes a network learn fast here: small layers, small images, large steps."""

    settings: Mapping[str, Any] = field(default_factory=dict)
    image_size: int = 64
    batch_size: int = IMAGES
    learning_rate: float = 3e-3
    epochs: int = 100


EXERCISES = MappingProxyType(
    {
        "unet": Exercise({"base_channels": 8, "depth": 3, "batch_norm": True}),
        "segnet": Exercise({"base_channels": 8}),
        # Its padding makes small images as dear as large ones; it has no batch normalisation,
        # so that steps on single images cost nothing.
        "fcn_vgg16": Exercise(
            {"base_channels": 4, "dropout": 0.0}, 96, batch_size=1, learning_rate=1e-3
        ),
        "fcn_resnet": Exercise(image_size=80, learning_rate=5e-4),
        "deeplabv3": Exercise({"backbone": "mobilenet_v3_large"}, 160, learning_rate=1e-3),
        "lraspp": Exercise(image_size=128),
        "deeplabv3plus": Exercise({"encoder": "resnet18"}, 96, learning_rate=1e-3),
        "unet_encoder": Exercise({"encoder": "resnet18"}, learning_rate=1e-3),
        "unetplusplus": Exercise({"encoder": "resnet18"}, learning_rate=1e-3),
        "fpn": Exercise({"encoder": "resnet18"}, learning_rate=1e-3),
    }
)


# Its residual encoder is learnt with in deeplabv3plus as well.
LONGEST = ("fcn_resnet",)


def _networks() -> list[Any]:
    marks = {name: [pytest.mark.exhaustive] for name in LONGEST}
    return [pytest.param(name, marks=marks.get(name, [])) for name in NETWORKS]


@pytest.mark.slow
@pytest.mark.parametrize("name", _networks())
def test_network_learns_four_images_by_heart(name: str, real_data: Path) -> None:
    torch.manual_seed(0)
    exercise = EXERCISES.get(name, Exercise())
    batch, class_names = four_images(real_data / "camvid_mini", exercise.image_size)
    training = TrainingSettings(loss="cross_entropy")
    task = SegmentationTask(training, EvaluationSettings(), class_names)
    entry = MODELS[name]
    network: nn.Module = resolve(str(entry.builder))(
        entry.settings.model_validate({"name": name, **exercise.settings}),
        TASKS[TASK].output_channels(training, class_names),
    )
    follow_statistics_closely(network)
    optimizer = torch.optim.Adam(network.parameters(), lr=exercise.learning_rate)
    iou = 0.0
    for epoch in range(1, exercise.epochs + 1):
        for part in task.split_batch(batch, IMAGES // exercise.batch_size):
            optimizer.zero_grad()
            loss = task.training_step(network, part).loss
            loss.backward()  # type: ignore[no-untyped-call]
            optimizer.step()
        if epoch % 5 == 0:
            iou = score(task, network, batch)
        if iou >= 0.9:
            break
    assert iou >= 0.9


def four_images(root: Path, size: int) -> tuple[SegmentationBatch, tuple[str, ...]]:
    """Return real images with two large classes and a background, as a study gets them."""
    settings = CamVidData.model_validate(
        {
            "dataset": "camvid",
            "root": root,
            "classes": ["sky", "road"],
            "image_size": size,
            "limit": {"train": IMAGES},
        }
    )
    source = open_data(settings, TASK, seed=0, examines=False)
    batch = next(iter(source.training_images(IMAGES).epoch(1)))
    assert isinstance(batch, SegmentationBatch)
    return batch, source.class_names


def follow_statistics_closely(network: nn.Module) -> None:
    """Make running statistics, with momenta down to 0.01, catch up within so few steps."""
    for layer in network.modules():
        if isinstance(layer, nn.BatchNorm2d):
            layer.momentum = 0.5


def score(task: SegmentationTask, network: nn.Module, batch: SegmentationBatch) -> float:
    evaluator = task.evaluator()
    with torch.no_grad():
        evaluator.update(network.eval(), batch)
    network.train()
    return evaluator.compute()["iou"]
