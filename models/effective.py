"""What a training really runs with, read back from the live objects.

A study compares settings; one that silently had no effect would be a wrong data point. So what
can be read back is compared with what was asked for, and a difference ends the trial.
"""

import math
import platform
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib import metadata
from typing import Any

import torch
from torch import nn

from models.catalog import TASKS
from models.cost import count_parameters, count_predicting
from models.latency import forward_ms
from models.named_layers import is_within
from models.optimizers import read_learning_rate, read_rule
from models.recomputing import count_recomputed
from models.session import TrainingSession
from models.settings import TrainingSettings
from models.workbench import Workbench


class SettingWithoutEffectError(RuntimeError):
    """A setting of the study did not arrive where it acts."""


def check_optimizer(session: TrainingSession, bench: Workbench) -> dict[str, Any]:
    """Compare the fresh optimizer, precision and network with the settings; return what they are.

    Raises:
        SettingWithoutEffectError: one of them differs.
    """
    training, groups = session.training, bench.optimizer.param_groups
    live = groups[0]
    found: dict[str, Any] = {
        "optimizer": type(bench.optimizer).__name__.lower(),
        "learning_rate": read_learning_rate(bench.optimizer),
        "weight_decay": float(live["weight_decay"]),
        "momentum": None,
        "nesterov": False,
        **read_rule(bench.optimizer),
        "precision": str(bench.fabric.strategy.precision.precision),
    }
    asked = {**training.model_dump(include=set(found)), **training.rule_parameters()}
    for name, value in asked.items():
        _check(f"training.{name}", value, found[name])
    stages = count_recomputed(bench.model)
    _check("training.gradient_checkpointing", training.gradient_checkpointing, stages > 0)
    found["recomputed_stages"] = stages
    if training.transfer is None:
        return found
    return {**found, "learning_rates": _check_groups(training, bench.model, groups)}


def _check_groups(
    training: TrainingSettings, network: nn.Module, groups: Sequence[Mapping[str, Any]]
) -> dict[str, float]:
    """Compare each weight's rate with its layer's factor; return layer -> rate."""
    factors = {"": 1.0, **(training.transfer.learning_rate_factors if training.transfer else {})}
    rates = {id(weights): float(group["lr"]) for group in groups for weights in group["params"]}
    for name, weights in network.named_parameters():
        layer = max((each for each in factors if is_within(name, each)), key=len, default="")
        asked = training.learning_rate * factors[layer] if weights.requires_grad else None
        _check(f"training.transfer for {name}", asked, rates.get(id(weights)))
    decays = {float(group["weight_decay"]) for group in groups}
    _check("training.weight_decay", {training.weight_decay}, decays)
    return {str(group["layer"]): float(group["lr"]) for group in groups}


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
    if session.clip is not None:
        asked = {"channels": session.clip.channels, "frames": session.clip.frames}
        _check("data.clip", asked, {"channels": shape[1], "frames": shape[2]})


@dataclass(frozen=True, slots=True)
class FirstStep:
    """The batches of an attempt's first step; none where it has no step left."""

    shapes: Sequence[tuple[int, ...]]  # of each, as far as it is this rank's
    sizes: Sequence[int]  # images of each, those of all ranks
    micro_sizes: Sequence[int]  # images of each micro-batch of this rank
    ends_epoch: bool


def describe_training(
    session: TrainingSession, bench: Workbench, first: FirstStep
) -> dict[str, Any]:
    """Compare the batches of the first step with the settings; return what runs, and with them.

    Raises:
        SettingWithoutEffectError: a batch has other images or another size.
    """
    shapes = list(first.shapes)
    if session.ranks.count > 1:  # each holds a part
        shapes = [(size, *shape[1:]) for size, shape in zip(first.sizes, shapes, strict=True)]
    for index, shape in enumerate(shapes, start=1):
        check_batch(session, shape, is_last=first.ends_epoch and index == len(shapes))
    return {
        **describe(bench),
        **describe_clips(session),
        "latency_ms": forward_ms(
            bench.model, bench.task.example_input(session.image_size, session.clip), bench.device
        ),
        "batch_shapes": [list(shape) for shape in shapes],
        "batch_size": shapes[0][0] if shapes else None,
        "processes": session.ranks.count,
        "images_per_process": first.shapes[0][0] if shapes else None,
        "micro_batch": max(first.micro_sizes, default=None),
        "accumulate": len(shapes) or None,
        "first_learning_rate": read_learning_rate(bench.optimizer) if shapes else None,
        "clip_gradients": session.training.clip_gradients,
    }


def describe_clips(session: TrainingSession) -> dict[str, Any]:
    """Return what the clips of a video have, and how many score it; {} of pictures."""
    clip = session.clip
    if clip is None:
        return {}
    return {"clip_frames": clip.frames, "has_flow": clip.has_flow, "clips_per_video": clip.scored}


def describe(bench: Workbench) -> dict[str, Any]:
    """Return what does not depend on a batch: device, network, data, versions."""
    device = bench.device
    is_cuda = device.type == "cuda"
    packages = ("torch", "lightning-fabric", "numpy")
    return {
        "device": f"{device} {torch.cuda.get_device_name(device)}" if is_cuda else "cpu",
        "cpu_threads": torch.get_num_threads(),
        "parameters": count_parameters(bench.model),
        "predicting_parameters": count_predicting(bench.model),
        "frozen_parameters": _count_frozen(bench.model),
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


def _count_frozen(network: nn.Module) -> int:
    return sum(each.numel() for each in network.parameters() if not each.requires_grad)


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
