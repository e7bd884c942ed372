"""A workspace with two finished studies, launched once, and a way to predict with them."""

import io
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from rich.console import Console
from ruamel.yaml import YAML

from data_pipeline.datasets.settings.generated import StreetScenesData
from data_pipeline.datasets.settings.videos import Clip, UCF101Data
from data_pipeline.settings import DataSettings
from models.catalog import MODELS, TASKS
from models.resolve import resolve
from models.settings import EvaluationSettings, TrainingSettings
from studies.predicting.choosing import ChosenRun, Member, choose_run
from studies.predicting.predicting import Predicted, predict
from studies.predicting.wishes import Wishes
from studies.running.executors import Placement
from studies.running.launch import launch
from studies.running.views import PlainView
from studies.running.workspace import open_workspace
from studies.spec.load import load_study
from studies.spec.schema import CellSettings
from studies.tree.ledger import Ledger
from trackers.memory_tracker import MemoryTracker

SIZE = 64
SCENES: dict[str, Any] = {  # pictures of the network's own size, a network per class
    "study": "scenes",
    "task": "semantic_segmentation",
    "data": {
        "dataset": "street_scenes",
        "images": 48,
        "picture_width": SIZE,
        "picture_height": SIZE,
        "classes": ["car", "bus"],
        "one_model_per_class": True,
        "image_size": SIZE,
    },
    "model": {"name": "unet", "base_channels": 4, "depth": 2, "batch_norm": True},
    "training": {"learning_rate": 1e-2, "batch_size": 4, "epochs": 4},
    "objective": {"metric": "val/iou"},
    "search": {
        "tree": [
            {"stage": "learning rate", "vary": {"training.learning_rate": [1e-2]}},
            {
                "stage": "threshold",
                "after_training": True,
                "vary": {"evaluation.threshold": [0.2, 0.3]},
            },
        ]
    },
}


def streets(real_data: Path) -> dict[str, Any]:
    """Return a study of one network with a softmax, fed letterboxed and normalised pictures."""
    return {
        "study": "streets",
        "task": "semantic_segmentation",
        "data": {
            "dataset": "camvid",
            "root": str(real_data / "camvid_mini"),
            "image_size": SIZE,
            "resize": "letterbox",
            "normalize": "imagenet",
            "limit": {"train": 16, "val": 6},
        },
        "model": {"name": "unet", "base_channels": 4, "depth": 2, "batch_norm": True},
        "training": {
            "learning_rate": 1e-2,
            "batch_size": 4,
            "epochs": 2,
            "loss": "cross_entropy",
        },
        "objective": {"metric": "val/iou"},
        "search": {
            "tree": [{"stage": "learning rate", "vary": {"training.learning_rate": [1e-2]}}]
        },
    }


@pytest.fixture(scope="session")
def launched(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the workspace of a finished study of generated scenes."""
    folder = tmp_path_factory.mktemp("predicting")
    data = {**SCENES["data"], "drawn_in": str(folder)}
    _launch(folder, {**SCENES, "data": data})
    return folder / "runs"


@pytest.fixture(scope="session")
def launched_streets(launched: Path, real_data: Path) -> Path:
    """Return the same workspace, with a finished study of real streets in it too."""
    _launch(launched.parent, streets(real_data))
    return launched


def _launch(folder: Path, study: dict[str, Any]) -> None:
    """Launch a study here; its trials run in processes of their own, as always."""
    file = folder / f"{study['study']}.yaml"
    YAML().dump(study, file)
    view = PlainView(Console(file=io.StringIO()))
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("VISIONSTUDY_WORKSPACE", str(folder / "runs"))  # and back for other tests
        place = open_workspace(folder / "runs")
        placement = Placement(workers=1)
        result = launch(
            load_study(file), place, placement=placement, tracker=MemoryTracker(), view=view
        )
    assert result.end.is_finished, result.end.note


@pytest.fixture
def choose(launched: Path) -> Callable[[str], ChosenRun]:
    """Return a function that finds a run by its name."""

    def find(run: str) -> ChosenRun:
        ledger = Ledger(launched / "workspace.db")
        try:
            return choose_run(ledger, launched, run, find_run=lambda _: None)
        finally:
            ledger.close()

    return find


@pytest.fixture
def predicted(choose: Callable[[str], ChosenRun], tmp_path: Path) -> Callable[..., Predicted]:
    """Return a function that predicts pictures with a run, into `tmp_path / "out"`."""

    def run(name: str, *pictures: Path, **wishes: Any) -> Predicted:
        return predict(
            choose(name),
            [str(each) for each in pictures],
            tmp_path / "out",
            wishes=Wishes(**wishes),
            device=torch.device("cpu"),
            progress=lambda *_: None,
        )

    return run


UNTRAINED: dict[str, tuple[dict[str, Any], tuple[str, ...]]] = {  # task -> model, classes
    "object_detection": (
        {"name": "yolov3_tiny", "width": 0.0625},
        ("person", "car"),
    ),
    "action_recognition": (
        {"name": "fast_only", "depth": 14, "width": 4, "frames": 8, "stride": 1},
        ("walking", "waving", "falling"),
    ),
}


@pytest.fixture
def untrained(tmp_path: Path) -> Callable[[str], ChosenRun]:
    """Return a function that makes a run of a task: a small network with weights of chance."""

    def make(task: str) -> ChosenRun:
        model, class_names = UNTRAINED[task]
        data: DataSettings = StreetScenesData(image_size=64)
        if task == "action_recognition":
            clip = Clip(frames=8, stride=2, shorter_side=36)
            data = UCF101Data(root=tmp_path, image_size=32, clip=clip)
        settings = CellSettings.model_construct(
            data=data,
            model=MODELS[model["name"]].settings.model_validate(model),
            training=TrainingSettings(),
            evaluation=EvaluationSettings(),
        )
        channels = TASKS[task].output_channels(settings.training, class_names)
        torch.manual_seed(0)
        network = resolve(str(MODELS[model["name"]].builder))(settings.model, channels)
        weights = tmp_path / f"{task}.pt"
        torch.save(network.state_dict(), weights)
        member = Member(
            cell=task[:6],
            trained=task[:6],
            role="",
            group="",
            seed=0,
            settings=settings,
            class_names=class_names,
            threshold=0.3,
            weights=weights,
            scored_batch=1,
        )
        return ChosenRun(task, task, (member,), class_names)

    return make
