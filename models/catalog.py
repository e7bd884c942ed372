"""MODELS and TASKS: every network and task a study may name. Torch-free.

Add a model: one file, one settings class, one line here; the contract tests enrol it at once.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

from models.metrics.names import BACKGROUND, SEGMENTATION_METRICS
from models.noop_settings import NoopSettings
from models.segmentation.settings import (
    DEFAULT_UNET_PARAMETERS,
    DEFAULT_UNET_PARAMETERS_PER_CHANNEL,
    UNetSettings,
    unet_size_rule,
)
from models.settings import SOFTMAX_LOSSES, ModelSettings, TrainingSettings

SizeRule = Callable[[Any, int], str | None]


@dataclass(frozen=True, slots=True)
class ModelEntry:
    """What the study file needs to know of a model, and where the rest is.

    The strings are `module:function`, resolved at use by `importlib`.
    """

    tasks: frozenset[str]
    settings: type[ModelSettings]
    summary: str  # one line for `visionstudy models list`
    size_rule: SizeRule  # (settings, image size) -> None, or what must hold and the nearest sizes
    parameters: Mapping[int, int]  # output channels -> parameter count at default settings
    builder: str | None  # (settings, output channels) -> nn.Module; None: has its own trainer
    trainer: str = "models.training:train"  # (TrainingSession) -> TrainingResult
    scorer: str = "models.scoring:score_test"  # (TrainingSession, weights) -> TrainingResult


@dataclass(frozen=True, slots=True)
class TaskEntry:
    """What the study file needs to know of a task, and where the rest is."""

    metrics: tuple[str, ...]  # what an objective may name after "val/" or "test/"
    output_channels: Callable[[TrainingSettings, Sequence[str]], int]  # of these class names
    builder: str  # (TrainingSettings, EvaluationSettings, class names) -> Task
    rescore: str | None  # (predictions file, EvaluationSettings) -> metrics, torch-free; or None


def any_size(settings: ModelSettings, image_size: int) -> str | None:  # noqa: ARG001
    """Accept every image size."""
    return None


def segmentation_channels(training: TrainingSettings, class_names: Sequence[str]) -> int:
    """Count a sigmoid per class without the background, or a softmax over all labels."""
    has_background = class_names[0] == BACKGROUND
    return len(class_names) - (training.loss not in SOFTMAX_LOSSES and has_background)


MODELS: Mapping[str, ModelEntry] = MappingProxyType(
    {
        "unet": ModelEntry(
            tasks=frozenset({"semantic_segmentation"}),
            settings=UNetSettings,
            summary="U-Net: contracting and expanding path with copies across (2015)",
            size_rule=unet_size_rule,
            parameters={
                channels: DEFAULT_UNET_PARAMETERS + DEFAULT_UNET_PARAMETERS_PER_CHANNEL * channels
                for channels in range(1, 257)
            },
            builder="models.segmentation.unet:build_unet",
        ),
        "noop": ModelEntry(
            tasks=frozenset({"semantic_segmentation"}),
            settings=NoopSettings,
            summary="No network: a scripted trainer with planted scores and faults, for tests",
            size_rule=any_size,
            parameters={},
            builder=None,
            trainer="models.noop:train",
            scorer="models.noop:score_test",
        ),
    }
)
TASKS: Mapping[str, TaskEntry] = MappingProxyType(
    {
        "semantic_segmentation": TaskEntry(
            metrics=SEGMENTATION_METRICS,
            output_channels=segmentation_channels,
            builder="models.tasks.segmentation:build_task",
            rescore="models.metrics.segmentation:rescore",
        ),
    }
)
