"""Gradient checkpointing: keep what a network's blocks are given, compute the rest again.

A block keeps its input alone; the backward pass runs it once more for what lies inside (Chen et
al. 2016, "Training Deep Nets with Sublinear Memory Cost"). Random layers draw the same again, and
buffers such as the statistics of batch normalisation are changed by the first run alone, so the
gradients and all that a training keeps are those of a training without it.

    a network's own `checkpointed_stages`, or its blocks ──► forward() of each is wrapped

Blocks are the members of `nn.Sequential`, `nn.ModuleList` and `nn.ModuleDict` that hold two layers
with weights or more, and sequences of such layers, which are cut into pieces of `PIECE` each.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from itertools import pairwise
from typing import Any, Protocol, runtime_checkable

import torch
from torch import nn
from torch.utils.checkpoint import checkpoint

CONTAINERS = (nn.Sequential, nn.ModuleList, nn.ModuleDict)
FEWEST = 2  # layers with weights of a block: of fewer, its input is all that would be freed
PIECE = 3  # convolutions and linear layers of a piece of a long sequence
MULTIPLIERS = (nn.Linear, nn.Conv2d, nn.Conv3d)  # layers that never change their input in place


class CannotRecomputeError(ValueError):
    """A network has nothing that could be computed again."""


@runtime_checkable
class HasCheckpointedStages(Protocol):
    """A network that says which of its parts are computed again."""

    @property
    def checkpointed_stages(self) -> tuple[str, ...]:
        """Dotted names of modules, none inside another, that leave their input as it is."""


def recompute_stages(network: nn.Module) -> tuple[str, ...]:
    """Make a network compute its stages again in the backward pass; return their dotted names.

    Raises:
        CannotRecomputeError: It has none.
    """
    names = stages_of(network)
    if not names:
        raise CannotRecomputeError(
            "training.gradient_checkpointing needs a network made of blocks of several layers, "
            f"got {type(network).__name__}, which has none; set it to false"
        )
    for name in names:
        _wrap(network.get_submodule(name))
    return names


def stages_of(network: nn.Module) -> tuple[str, ...]:
    """Return the dotted names of what would be computed again."""
    if isinstance(network, HasCheckpointedStages):
        return network.checkpointed_stages
    return tuple(_blocks(network, ""))


def count_recomputed(network: nn.Module) -> int:
    """Count the stages that are computed again, as they are found in the network."""
    return sum("forward" in vars(each) for each in network.modules())


def _blocks(module: nn.Module, name: str) -> Iterator[str]:
    is_container = isinstance(module, CONTAINERS)
    for own, child in module.named_children():
        path = f"{name}.{own}" if name else own
        if _weighted_layers(child) < FEWEST:
            continue
        has_blocks = any(_weighted_layers(each) >= FEWEST for each in child.children())
        is_sequence = isinstance(child, nn.Sequential) and not has_blocks
        if is_sequence or (is_container and not isinstance(child, CONTAINERS)):
            yield path
        else:
            yield from _blocks(child, path)


def _weighted_layers(module: nn.Module) -> int:
    return sum(bool(list(each.parameters(recurse=False))) for each in module.modules())


def _wrap(stage: nn.Module) -> None:
    """Replace the stage's `forward`; its name, weights and hooks stay."""
    pieces: list[nn.Module] = [stage]
    if isinstance(stage, nn.Sequential) and not any(list(each.children()) for each in stage):
        pieces = _pieces(stage)
    runs = [_recomputed(each, each.forward) for each in pieces]
    stage.forward = runs[0] if len(runs) == 1 else _chain(runs)


def _pieces(sequence: nn.Sequential) -> list[nn.Module]:
    """Cut a sequence before every so many of its convolutions and linear layers."""
    layers = list(sequence)
    heads = [at for at, layer in enumerate(layers) if isinstance(layer, MULTIPLIERS)]
    cuts = [0, *heads[PIECE::PIECE], len(layers)]
    return [nn.Sequential(*layers[first:end]) for first, end in pairwise(cuts)]


def _chain(runs: Sequence[Callable[[Any], Any]]) -> Callable[[Any], Any]:
    def run(given: Any) -> Any:  # noqa: ANN401  # whatever the stage takes and returns
        for each in runs:
            given = each(given)
        return given

    return run


def _recomputed(stage: nn.Module, forward: Callable[..., Any]) -> Callable[..., Any]:
    def run(*args: Any, **options: Any) -> Any:  # noqa: ANN401  # whatever the stage takes
        if not torch.is_grad_enabled():
            return forward(*args, **options)
        return checkpoint(
            forward,
            *args,
            use_reentrant=False,
            context_fn=lambda: (nullcontext(), _leaving_buffers(stage)),
            **options,
        )

    return run


def _leaving_buffers(stage: nn.Module) -> AbstractContextManager[None]:
    """Run a stage again on copies of its buffers: the first run has changed them already."""
    return _on_copies([each for each in stage.modules() if each._buffers])


@contextmanager
def _on_copies(modules: Sequence[nn.Module]) -> Iterator[None]:
    originals = [dict(each._buffers) for each in modules]
    for module in modules:
        for name, buffer in module._buffers.items():
            module._buffers[name] = None if buffer is None else buffer.clone()
    try:
        yield
    finally:
        for module, buffers in zip(modules, originals, strict=True):
            module._buffers.update(buffers)
