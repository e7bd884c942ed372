"""What the catalogs hold of a model and of a task. Torch-free."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from models.loss_settings import Loss
from models.settings import ModelSettings, TrainingSettings

SizeRule = Callable[[Any, int], str | None]
ClipRule = Callable[[Any, "ClipShape"], str | None]
TrainingRule = Callable[[Any, TrainingSettings], str | None]
ObjectiveRule = Callable[[Any, str], str | None]
TRAINING_LOOP = "models.training:train"  # of every network whose weights are learned by steps


@dataclass(frozen=True, slots=True)
class ClipShape:
    """What a clip has besides the size of its pictures."""

    frames: int
    has_flow: bool = False  # optical flow across and down, besides red, green and blue
    scored: int = 1  # clips of a video when it is scored: views times crops

    @property
    def channels(self) -> int:
        """Numbers for each pixel of a frame."""
        return 5 if self.has_flow else 3


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
    trainer: str = TRAINING_LOOP  # (TrainingSession) -> TrainingResult
    scorer: str = "models.scoring:score_test"  # (TrainingSession, weights) -> TrainingResult
    pretrain: str | None = None  # (nn.Module, settings) -> models.pretrained.LoadedWeights, …
    # Value of `pretrained` -> () -> tuple[str, ...]: classes that its last layers know, in order;
    # the loader then loads those too where the network has as many.
    pretrained_classes: Mapping[str, str] = field(default_factory=dict)
    clip_rule: ClipRule | None = None  # (settings, clip) -> None, or what must hold and what to do
    objective_rule: ObjectiveRule | None = None  # (settings, "val/loss") -> as above
    idle_training: tuple[str, ...] = ()  # fields of `training` that it makes nothing of
    idle_because: str = "which learns by no gradients"
    training_rule: TrainingRule | None = None  # (settings, training) -> None, or what must hold
    most_seeds: Callable[[Any], int] | None = None  # (settings) -> seeds 0, 1, … that it has
    needs_square: bool = False  # its input has the sides of `data.image_size`, whatever the task


@dataclass(frozen=True, slots=True)
class TaskEntry:
    """What the study file needs to know of a task, and where the rest is."""

    metrics: tuple[str, ...]  # what an objective may name after "val/" or "test/"
    at_threshold: tuple[str, ...]  # those of them that `evaluation.threshold` can change
    output_channels: Callable[[TrainingSettings, Sequence[str]], int]  # of these class names
    builder: str  # (TrainingSettings, EvaluationSettings, class names) -> Task
    rescore: str | None  # (predictions file, EvaluationSettings) -> metrics, torch-free; or None
    predictions: str = "predictions_{split}.npz"  # the name of that file
    predictor: str | None = None  # (TrainingSettings, class names) -> models.predictions.Predictor
    idle_settings: tuple[str, ...] = ()  # dotted; those that it makes nothing of
    has_one_size: bool = True  # all images of a batch have the sides of `data.image_size`
    losses: tuple[Loss, ...] | None = None  # that `training.loss` may name; None: any
    usual_loss: Loss | None = None  # what `training.loss: null` means; None: its networks' own
    has_single_classes: bool = True  # `data.one_model_per_class` means something
    # (predictions file, metric, EvaluationSettings) -> models.metrics.resampling.ImageStatistic
    image_statistic: str | None = None
    resampled: tuple[str, ...] = ()  # metrics that it knows


def any_size(settings: ModelSettings, image_size: int) -> str | None:  # noqa: ARG001
    """Accept every image size."""
    return None


def linear_in_channels(fixed: int, per_channel: int) -> Mapping[int, int]:
    """Return output channels -> parameters of a network whose last layer alone has channels."""
    return {channels: fixed + per_channel * channels for channels in range(1, 257)}
