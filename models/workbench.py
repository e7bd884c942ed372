"""Everything alive in a training: network, optimizer, task, data and device."""

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, BinaryIO

import torch
from lightning_fabric import Fabric
from torch import nn, optim

from models.catalog import MODELS, TASKS
from models.checkpoints import UnreadableCheckpointError, write_atomically
from models.cost import count_macs
from models.determinism import seed_everything, set_deterministic
from models.freezing import freeze, parameter_groups
from models.optimizers import build_optimizer
from models.pretrained_settings import names_weights
from models.recomputing import recompute_stages
from models.resolve import resolve
from models.session import DataSource, TrainingSession
from models.settings import ModelSettings
from models.synced_norm import normalised_over
from models.tasks.task import Task


class UnusablePrecisionError(ValueError):
    """An arithmetic that the machine does not have."""


@dataclass(frozen=True, slots=True)
class Workbench:
    """The live parts; `network` and `stepper` are the same as `model` and `optimizer`, wrapped."""

    fabric: Fabric
    data: DataSource
    task: Task[Any]
    model: nn.Module
    optimizer: optim.Optimizer
    network: nn.Module  # runs in the precision asked for
    stepper: optim.Optimizer  # unscales gradients first
    macs_per_image: float  # multiply-accumulates of a forward pass

    @property
    def device(self) -> torch.device:
        """Where weights and batches live."""
        return self.fabric.device


def set_up(session: TrainingSession) -> Workbench:
    """Seed, then build network, optimizer and task on the device.

    Raises:
        UnusablePrecisionError: the precision needs a GPU.
        ValueError: the model has a trainer of its own.
        TransferError: a layer that `training.transfer` names is not there.
        CannotRecomputeError: the network has nothing for `training.gradient_checkpointing`.
        RanksError: several ranks cannot train it as one would.
    """
    set_deterministic(session.training.deterministic)
    seed_everything(session.seed)
    fabric = _fabric(session.training.precision, session.ranks.rank)
    data = session.data()
    task_entry, model_entry = TASKS[session.task], MODELS[session.model.name]
    if model_entry.builder is None:
        raise ValueError(f"model {session.model.name!r} has no network; use its own trainer")
    names = data.class_names
    task: Task[Any] = resolve(task_entry.builder)(session.training, session.evaluation, names)
    task.prepare(data)
    channels = task_entry.output_channels(session.training, names)
    model: nn.Module = resolve(model_entry.builder)(session.model, channels)
    macs = count_macs(model, task.example_input(session.image_size, session.clip))
    model = normalised_over(
        model,
        session.ranks,
        batch_size=session.training.batch_size,
        has_gpus=fabric.device.type == "cuda",
    )
    if session.training.gradient_checkpointing:
        recompute_stages(model)
    freeze(model, session.training.transfer)
    optimizer = build_optimizer(session.training, parameter_groups(model, session.training))
    network, stepper = fabric.setup(model, optimizer)
    return Workbench(fabric, data, task, model, optimizer, network, stepper, macs)


def load_pretrained(network: nn.Module, settings: ModelSettings) -> list[dict[str, str]]:
    """Give a new network the pretrained weights that its settings name; return which they were.

    Without such weights nothing is loaded, and [] returned.

    Raises:
        PretrainedWeightsError: they cannot be had.
        OSError: the disk is full.
    """
    loader = MODELS[settings.name].pretrain
    if loader is None or not names_weights(settings):
        return []
    return [asdict(weights) for weights in resolve(loader)(network, settings)]


def _fabric(precision: str, rank: int) -> Fabric:
    # Not "auto": that takes Apple's MPS too, which has no float64 to add losses up in.
    accelerator = "cuda" if torch.cuda.is_available() else "cpu"
    if precision == "16-mixed" and accelerator == "cpu":
        raise UnusablePrecisionError(
            "training.precision 16-mixed needs a GPU, got a CPU; use bf16-mixed or 32-true"
        )
    # To Fabric each rank is a training of its own: see `models.process_group`.
    devices = [rank] if accelerator == "cuda" else 1
    return Fabric(accelerator=accelerator, devices=devices, precision=precision)  # type: ignore[arg-type]


def dump_state(state: object, stream: BinaryIO) -> None:
    """Write tensors and plain types for `load_state`."""
    torch.save(state, stream)


def load_state(stream: BinaryIO) -> Any:  # noqa: ANN401  # whatever was dumped
    """Read a dumped state onto the CPU; nothing in it is executed.

    Raises:
        UnreadableCheckpointError: the content is not what `dump_state` writes.
    """
    try:
        return torch.load(stream, map_location="cpu", weights_only=True)
    except MemoryError:  # says nothing about the content
        raise
    # What is damaged can make the reader stumble anywhere: IndexError, AttributeError, …
    except Exception as error:
        raise UnreadableCheckpointError(f"is not a saved state: {error}") from error


def save_weights(model: nn.Module, file: Path) -> None:
    """Write the state_dict, whole or not at all."""
    write_atomically(file, lambda stream: torch.save(model.state_dict(), stream))


def load_weights(model: nn.Module, file: Path) -> None:
    """Put a saved state_dict into the model, every name of it.

    Raises:
        UnreadableCheckpointError: the file is torn.
    """
    with file.open("rb") as stream:
        model.load_state_dict(load_state(stream))
