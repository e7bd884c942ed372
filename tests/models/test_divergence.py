"""Trainings that end because a number is not finite, or the objective is not defined."""

import math
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from data_pipeline.datasets.settings.generated import StreetScenesData
from data_pipeline.samples import InstanceBatch
from data_pipeline.source import open_data
from models.detection.outputs import Detection, Scored, Targets
from models.session import Diverged
from models.settings import EvaluationSettings, TrainingSettings
from models.tasks.instances import build_task
from models.training import _Training, train


def test_divergence_is_told_apart(attempts: Callable[..., Any]) -> None:
    cell = attempts(training={"optimizer": "sgd", "learning_rate": 1e30})
    with pytest.raises(Diverged, match=r"must be finite, got .* try a smaller"):
        train(cell.session())


@pytest.mark.parametrize("loss", ["bce", "dice", "lovasz_hinge", "cross_entropy"])
def test_divergence_in_an_epochs_last_step_is_told_apart(
    loss: str, attempts: Callable[..., Any], tiny_data: Callable[..., Any]
) -> None:
    training = {"optimizer": "sgd", "learning_rate": 1e30, "batch_size": 2, "loss": loss}
    cell = attempts(training=training, data=tiny_data(count=2))  # one step per epoch
    with pytest.raises(Diverged, match=r"must be finite, got nan.* try a smaller"):
        train(cell.session())


def test_divergence_in_a_step_that_nobody_looked_at_ends_before_validation(
    attempts: Callable[..., Any], tiny_data: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    class Broken(tiny_data):  # type: ignore[misc,valid-type]
        """Its training images are no numbers."""

        def training(self, batch_size: int) -> Any:
            source = super().training(batch_size)
            original = source.epoch

            def epoch(number: int, **cut: Any) -> Iterator[Any]:
                for batch in original(number, **cut):
                    yield replace(batch, images=batch.images * math.nan)

            source.epoch = epoch
            return source

    # On a GPU only every 16th step is looked at, for each look makes it wait.
    monkeypatch.setattr(_Training, "_check_loss", lambda *_: None)
    with pytest.raises(Diverged, match="train/loss of epoch 1 must be finite, got nan"):
        train(attempts(data=Broken()).session())


def test_divergence_of_a_detector_is_told_by_its_losses() -> None:
    class Diverging(nn.Module):
        def forward(self, images: list[Tensor], _: Targets) -> Scored:
            nothing: Detection = {
                "boxes": torch.zeros(0, 4),
                "labels": torch.zeros(0, dtype=torch.int64),
                "scores": torch.zeros(0),
                "masks": torch.zeros(0, 1, 64, 64),
            }
            return Scored(
                [nothing] * len(images), {"loss_mask": images[0].new_tensor([0, math.nan])}, {}
            )

    settings = StreetScenesData(images=8, image_size=64, classes=["car"], cache="off")
    data = open_data(settings, "instance_segmentation", 0)
    task = build_task(TrainingSettings(), EvaluationSettings(), data.class_names)
    task.prepare(data)
    batch = next(iter(data.training_images(2).epoch(1)))
    assert isinstance(batch, InstanceBatch)
    with pytest.raises(Diverged, match="every image that is scored must be finite, got nan"):
        task.evaluator().update(Diverging(), batch)


def test_objective_that_nothing_defines_is_told_with_those_that_are_defined(
    attempts: Callable[..., Any], tiny_data: Callable[..., Any]
) -> None:
    data = tiny_data(class_names=("background", "bright square", "dark square", "never there"))
    cell = attempts(
        data=data, objective="val/rand_error", evaluation=EvaluationSettings(also=("rand_error",))
    )
    with pytest.raises(
        ValueError, match=r"objective val/rand_error must be defined .* got val/iou, .*val/loss"
    ) as caught:
        train(cell.session())
    assert "train/" not in str(caught.value)
