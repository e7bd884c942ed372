"""Trained weights, ready to be applied to pictures.

A network predicts as it did when the trial scored it: same precision, same kernels, same layers in
evaluation mode. With the batches of the scoring it gives, on the same CPU, the same bits.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from lightning_fabric import Fabric
from torch import Tensor, nn

from models.catalog import MODELS, TASKS
from models.checkpoints import UnreadableCheckpointError
from models.determinism import seed_everything, set_deterministic
from models.memory import out_of_memory_named
from models.predictions import Prediction, Predictor
from models.resolve import resolve
from models.settings import ModelSettings, TrainingSettings
from models.workbench import load_weights


class UnusableWeightsError(Exception):
    """A trained network cannot be built from its settings and weights."""


@dataclass(frozen=True, slots=True)
class TrainedNetwork:
    """What it takes to build a trained network again."""

    task: str
    model: ModelSettings
    training: TrainingSettings
    class_names: tuple[str, ...]  # in label order
    weights: Path  # a state_dict


@dataclass(slots=True)
class AppliedNetwork:
    """A network on its device."""

    network: nn.Module
    predictor: Predictor
    device: torch.device
    precision: str  # of its arithmetic, e.g. "32-true"
    is_deterministic: bool = field(default=True)

    def predict(self, images: Sequence[Tensor]) -> list[Prediction]:
        """Predict a batch of pictures of the network's input size.

        Args:
            images: (3, h, w) each, uint8 RGB, or float32 where the study normalises.

        Raises:
            OutOfMemory: The device's memory does not hold the batch.
        """
        set_deterministic(self.is_deterministic)
        on_device = [image.to(self.device) for image in images]
        with out_of_memory_named(), torch.no_grad():
            return self.predictor(self.network, on_device)


def apply_network(trained: TrainedNetwork, device: torch.device) -> AppliedNetwork:
    """Build the network and put its weights in.

    Args:
        trained: What to build.
        device: Where to. On a CPU, half precision with scaled gradients becomes 32 bits.

    Raises:
        UnusableWeightsError: The model has no network, or the weights are not of it.
    """
    model_entry, task_entry = MODELS[trained.model.name], TASKS[trained.task]
    if model_entry.builder is None or task_entry.predictor is None:
        raise UnusableWeightsError(
            f"model '{trained.model.name}' has no network that predicts task '{trained.task}'; "
            "name a study of another model"
        )
    seed_everything(0)  # every weight drawn here is replaced
    channels = task_entry.output_channels(trained.training, trained.class_names)
    model: nn.Module = resolve(model_entry.builder)(trained.model, channels)
    try:
        load_weights(model, trained.weights)
    except (UnreadableCheckpointError, RuntimeError, OSError) as error:
        reason = str(error).splitlines()[0]
        raise UnusableWeightsError(
            f"weights {trained.weights} must be those of model '{trained.model.name}' with "
            f"{channels} output channels: {reason}; launch the study again"
        ) from error
    fabric = _fabric(trained.training.precision, device)
    network: nn.Module = fabric.setup_module(model)
    predictor: Predictor = resolve(task_entry.predictor)(trained.training, trained.class_names)
    return AppliedNetwork(
        network.eval(),
        predictor,
        fabric.device,
        precision=fabric.strategy.precision.precision,
        is_deterministic=trained.training.deterministic,
    )


def _fabric(precision: str, device: torch.device) -> Fabric:
    """Return what runs a network in the precision of its training."""
    is_cuda = device.type == "cuda"
    if precision == "16-mixed" and not is_cuda:
        precision = "32-true"
    devices: Any = [device.index or 0] if is_cuda else 1
    return Fabric(accelerator=device.type, devices=devices, precision=precision)  # type: ignore[arg-type]
