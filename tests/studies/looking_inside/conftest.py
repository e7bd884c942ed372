"""Networks of chance for a few tasks, and a picture."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
import torch

from data_pipeline.datasets.settings.generated import StreetScenesData
from data_pipeline.datasets.settings.pictures import ImageFolderData
from data_pipeline.settings import DataSettings
from models.catalog import MODELS, TASKS
from models.resolve import resolve
from models.settings import EvaluationSettings, TrainingSettings
from studies.predicting.choosing import ChosenRun, Member
from studies.spec.schema import CellSettings

TASK = "image_classification"
ATTENTIVE = {"name": "attention_cnn", "filters": [8, 12]}


@pytest.fixture
def run_of(tmp_path: Path) -> Callable[..., ChosenRun]:
    """Return a function that makes a run of a model, with weights of chance."""

    def make(model: dict[str, Any], task: str = TASK, **data: Any) -> ChosenRun:
        names = ("ant", "bee", "cat")
        pictures: DataSettings = ImageFolderData(root=tmp_path, image_size=16, **data)
        if task != TASK:
            pictures = StreetScenesData(image_size=16)
        settings = CellSettings.model_construct(
            data=pictures,
            model=MODELS[model["name"]].settings.model_validate(model),
            training=TrainingSettings(),
            evaluation=EvaluationSettings(),
        )
        channels = TASKS[task].output_channels(settings.training, names)
        torch.manual_seed(0)
        network = resolve(str(MODELS[model["name"]].builder))(settings.model, channels)
        weights = tmp_path / "weights.pt"
        torch.save(network.state_dict(), weights)
        member = Member(
            cell="0123456789ab",
            trained="0123456789ab",
            role="",
            group="",
            seed=0,
            settings=settings,
            class_names=names,
            threshold=0.5,
            weights=weights,
            scored_batch=1,
        )
        return ChosenRun("insects", task, (member,), names)

    return make


@pytest.fixture
def picture(tmp_path: Path) -> Path:
    """Return a wide picture, dark but for a corner."""
    pixels = np.full((20, 40, 3), 40, np.uint8)
    pixels[:10, 20:] = (30, 200, 90)
    file = tmp_path / "photos" / "one.png"
    file.parent.mkdir()
    cv2.imwrite(str(file), pixels)
    return file
