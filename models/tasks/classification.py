"""Image classification: one class for a whole image.

The loss is what `training.loss` says. Voters without a say in the class, as GoogLeNet's auxiliary
classifiers, learn beside it by the weights of their losses, and triplets are mined among the
images of a micro-batch: both in training alone, and logged apart from the loss.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from models.classification.embedding import watched
from models.entries import ClipShape
from models.losses.classification_loss import ClassificationLoss
from models.losses.triplets import Mined
from models.metrics.names import TOP, classification_metric_names
from models.metrics.top_k import credit
from models.session import DataSource
from models.settings import EvaluationSettings, TrainingSettings
from models.tasks.classification_evaluator import ClassificationEvaluator
from models.tasks.classified_images import ImageBatch
from models.tasks.micro_batches import on_device, pieces
from models.tasks.segmentation import scaled
from models.tasks.task import StepResult
from models.votes import Votes, class_probabilities, deciding, helping


class ClassificationTask:
    """Losses and training metrics of images with a class each."""

    def __init__(self, training: TrainingSettings, class_names: Sequence[str]) -> None:
        self.class_names = tuple(class_names)
        if len(self.class_names) < 2:
            raise ValueError(
                "image classification needs two classes to choose from, got "
                f"{self.class_names}; name more in data.classes"
            )
        self.loss = ClassificationLoss(training, self.class_names)

    @property
    def metric_names(self) -> tuple[str, ...]:
        """Every metric an evaluator may compute, without a split's prefix."""
        return classification_metric_names(self.class_names)

    def prepare(self, data: DataSource) -> None:
        """Count the classes, where the loss weighs them by how frequent they are."""
        self.loss.prepare(data)

    def facts(self) -> Mapping[str, Any]:
        """Return the weights of the classes, where they have any."""
        weights = self.loss.class_weights
        return {} if weights is None else {"class_weights": dict(weights)}

    def decide(self, model: nn.Module, batch: ImageBatch) -> tuple[Tensor, Tensor]:
        """Run the model; return losses (b,) and detached probabilities (b, classes), float32.

        Voters that have no say in the probabilities have none in the losses.
        """
        return self._judge(model(scaled(batch.images)), batch)

    def training_step(self, model: nn.Module, batch: ImageBatch) -> StepResult:
        """Return the mean of what is minimised, and how many images are right."""
        outputs, mined = self._run(model, batch)
        losses, probabilities = self._judge(outputs, batch)
        images, minimised = len(batch.image_ids), losses.mean()
        sums = {
            "loss": losses.detach().sum(dtype=torch.float64),
            "images": torch.tensor(images),
            "top1": credit(probabilities, batch.labels, 1).sum(),
        }
        if len(self.class_names) > TOP:
            sums["top5"] = credit(probabilities, batch.labels, TOP).sum()
        helpers = helping(outputs)
        if helpers is not None:
            auxiliary = self.loss(helpers, batch.labels)
            sums["auxiliary_loss"] = auxiliary.detach().sum(dtype=torch.float64)
            minimised = minimised + auxiliary.mean()
        if mined is not None:
            sums["triplet_loss"] = mined.loss.detach().double() * images
            sums["triplets"] = mined.triplets
            minimised = minimised + mined.loss
        return StepResult(minimised, images, sums)

    def _judge(self, outputs: Tensor | Votes, batch: ImageBatch) -> tuple[Tensor, Tensor]:
        losses = self.loss(deciding(outputs), batch.labels)
        with torch.no_grad():
            return losses, class_probabilities(outputs)

    def _run(self, model: nn.Module, batch: ImageBatch) -> tuple[Tensor | Votes, Mined | None]:
        """Return outputs, and the triplets of the batch where the loss has any."""
        if not self.loss.needs_embedding:
            return model(scaled(batch.images)), None
        with watched(model) as embedding:
            outputs: Tensor | Votes = model(scaled(batch.images))
        return outputs, self.loss.of_embedding(embedding.of_images(), batch.labels)

    def summarise(self, sums: Mapping[str, Tensor]) -> dict[str, float]:
        """Return means over the epoch's images."""
        images = int(sums["images"])
        return {name: float(value) / images for name, value in sums.items() if name != "images"}

    def input_shape(self, batch: ImageBatch) -> tuple[int, ...]:
        """Return (images, channels, height, width)."""
        return tuple(batch.images.shape)

    def example_input(self, image_size: int, clip: ClipShape | None = None) -> Tensor:  # noqa: ARG002
        """Return one image on the meta device."""
        return torch.empty(1, 3, image_size, image_size, device="meta")

    def split_batch(self, batch: ImageBatch, parts: int) -> list[ImageBatch]:
        """Cut a batch into at most `parts` micro-batches of as equal size as can be."""
        return pieces(batch, parts)

    def to_device(self, batch: ImageBatch, device: torch.device) -> ImageBatch:
        """Move images and labels."""
        return on_device(batch, device)

    def evaluator(self, *, is_saved: bool = False) -> ClassificationEvaluator:
        """Start scoring a split."""
        return ClassificationEvaluator(self.decide, self.class_names, is_saved=is_saved)


def build_task(
    training: TrainingSettings,
    evaluation: EvaluationSettings,  # noqa: ARG001  # a class is chosen without a threshold
    class_names: Sequence[str],
) -> ClassificationTask:
    """Build the task for a dataset's classes."""
    return ClassificationTask(training, class_names)
