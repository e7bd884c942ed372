"""What a training really runs with, read back from the live objects.

A study compares settings; one that silently had no effect would be a wrong data point. So what
can be read back is compared with what was asked for, and a difference ends the trial.
"""

import math
import platform
from collections.abc import Sequence
from importlib import metadata
from typing import Any

import torch

from models.catalog import TASKS
from models.cost import count_parameters
from models.session import TrainingSession
from models.workbench import Workbench


class SettingWithoutEffectError(RuntimeError):
    """A setting of the study did not arrive where it acts."""


def check_optimizer(session: TrainingSession, bench: Workbench) -> dict[str, Any]:
    """Compare the fresh optimizer and the precision with the settings; return what they are.

    Raises:
        SettingWithoutEffectError: one of them differs.
    """
    training, live = session.training, bench.optimizer.param_groups[0]
    found = {
        "optimizer": type(bench.optimizer).__name__.lower(),
        "learning_rate": float(live["lr"]),
        "weight_decay": float(live["weight_decay"]),
        "momentum": float(live["momentum"]) if "momentum" in live else None,
        "nesterov": bool(live.get("nesterov", False)),
        "precision": str(bench.fabric.strategy.precision.precision),
    }
    momentum = None if found["momentum"] is None else training.momentum or 0.0
    asked = {**training.model_dump(include=set(found)), "momentum": momentum}
    for name, value in asked.items():
        _check(f"training.{name}", value, found[name])
    return found


def check_batch(session: TrainingSession, shape: Sequence[int], *, is_last: bool) -> None:
    """Compare the shape of a batch, (images, channels, …, height, width), with the settings.

    Raises:
        SettingWithoutEffectError: it has other images or another size; the last batch of an
            epoch may be smaller.
    """
    if not is_last or shape[0] > session.training.batch_size:
        _check("training.batch_size", session.training.batch_size, shape[0])
    sides = list(shape[-2:])
    if not TASKS[session.task].has_one_size:  # `resize: shorter_side` is among the ways then
        sides = [min(sides)] * 2
    _check("data.image_size", [session.image_size] * 2, sides)


def describe(bench: Workbench) -> dict[str, Any]:
    """Return what does not depend on a batch: device, network, data, versions."""
    device = bench.device
    is_cuda = device.type == "cuda"
    packages = ("torch", "lightning-fabric", "numpy")
    return {
        "device": f"{device} {torch.cuda.get_device_name(device)}" if is_cuda else "cpu",
        "cpu_threads": torch.get_num_threads(),
        "parameters": count_parameters(bench.model),
        "macs_per_image": bench.macs_per_image,
        "classes": list(bench.data.class_names),
        **bench.task.facts(),
        "deterministic": torch.are_deterministic_algorithms_enabled(),
        "versions": {
            "python": platform.python_version(),
            **{name: metadata.version(name) for name in packages},
            "cuda": str(torch.version.cuda) if is_cuda else "",
            "cudnn": str(torch.backends.cudnn.version()) if is_cuda else "",  # type: ignore[no-untyped-call]
        },
    }


def _check(name: str, asked: object, found: object) -> None:
    same = (
        math.isclose(asked, found)
        if isinstance(asked, float) and isinstance(found, float)
        else asked == found
    )
    if not same:
        raise SettingWithoutEffectError(
            f"{name} did not take effect: the study asks for {asked}, the training runs with "
            f"{found}; this is a fault of the program, not of the study"
        )
