"""Action recognition: one class for a whole clip, and for a video by all of its clips.

The loss is cross entropy; where a network has several voters, theirs weighed as it says. A
video's probabilities are the mean of its clips', whose number, views times crops, the data set.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from models.entries import ClipShape
from models.metrics.names import TOP, action_metric_names
from models.metrics.top_k import credit
from models.session import DataSource
from models.settings import EvaluationSettings, TrainingSettings
from models.tasks.action_evaluator import ActionEvaluator
from models.tasks.clips import ClipBatch, scaled_clips
from models.tasks.micro_batches import on_device, pieces
from models.tasks.task import StepResult
from models.votes import Votes, class_losses, class_probabilities


class ActionTask:
    """Losses and training metrics of clips."""

    def __init__(self, class_names: Sequence[str]) -> None:
        self.class_names = tuple(class_names)
        if len(self.class_names) < 2:
            raise ValueError(
                "action recognition needs two classes to choose from, got "
                f"{self.class_names}; name more in data.classes"
            )

    @property
    def metric_names(self) -> tuple[str, ...]:
        """Every metric an evaluator may compute, without a split's prefix."""
        return action_metric_names(self.class_names)

    def prepare(self, data: DataSource) -> None:
        """Need nothing of the training data."""

    def facts(self) -> Mapping[str, Any]:
        """Return nothing: nothing was prepared."""
        return {}

    def decide(self, model: nn.Module, batch: ClipBatch) -> tuple[Tensor, Tensor]:
        """Run the model; return losses (b,) and detached probabilities (b, classes), float32."""
        outputs: Tensor | Votes = model(scaled_clips(batch.clips))
        losses = class_losses(outputs, batch.labels)
        with torch.no_grad():
            return losses, class_probabilities(outputs)

    def training_step(self, model: nn.Module, batch: ClipBatch) -> StepResult:
        """Return the mean loss of the clips, and how many are right."""
        losses, probabilities = self.decide(model, batch)
        sums = {
            "loss": losses.detach().sum(dtype=torch.float64),
            "images": torch.tensor(len(batch.video_ids)),
            "top1": credit(probabilities, batch.labels, 1).sum(),
        }
        if len(self.class_names) > TOP:
            sums["top5"] = credit(probabilities, batch.labels, TOP).sum()
        return StepResult(losses.mean(), len(batch.video_ids), sums)

    def summarise(self, sums: Mapping[str, Tensor]) -> dict[str, float]:
        """Return means over the epoch's clips, of which there is one for each video."""
        clips = int(sums["images"])
        return {name: float(value) / clips for name, value in sums.items() if name != "images"}

    def input_shape(self, batch: ClipBatch) -> tuple[int, ...]:
        """Return (clips, channels, frames, height, width)."""
        return tuple(batch.clips.shape)

    def example_input(self, image_size: int, clip: ClipShape | None) -> Tensor:
        """Return one clip on the meta device.

        Raises:
            ValueError: nothing says what a clip has.
        """
        if clip is None:
            raise ValueError(
                "action recognition must be told how many frames a clip has, got data without "
                "clips; choose a dataset of videos"
            )
        shape = (1, clip.channels, clip.frames, image_size, image_size)
        return torch.empty(shape, device="meta")

    def split_batch(self, batch: ClipBatch, parts: int) -> list[ClipBatch]:
        """Cut a batch into at most `parts` micro-batches of as equal size as can be."""
        return pieces(batch, parts)

    def to_device(self, batch: ClipBatch, device: torch.device) -> ClipBatch:
        """Move clips and labels."""
        return on_device(batch, device)

    def evaluator(self, *, is_saved: bool = False) -> ActionEvaluator:
        """Start scoring a split."""
        return ActionEvaluator(self.decide, self.class_names, is_saved=is_saved)


def build_task(
    training: TrainingSettings,  # noqa: ARG001  # there is one loss
    evaluation: EvaluationSettings,  # noqa: ARG001  # a class is chosen without a threshold
    class_names: Sequence[str],
) -> ActionTask:
    """Build the task for a dataset's classes."""
    return ActionTask(class_names)
