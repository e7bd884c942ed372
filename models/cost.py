"""What a forward pass costs, counted rather than timed."""

import copy
from typing import Protocol, runtime_checkable

import torch
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode

from models.named_layers import is_within


@runtime_checkable
class HasFixedCost(Protocol):
    """A network whose forward pass depends on what is in the image, as a detector's does."""

    def forward_at_fixed_cost(self, image: Tensor) -> None:
        """Run every layer as often as a training image makes it at most, also on "meta"."""


@runtime_checkable
class HasHelpers(Protocol):
    """A network some of whose layers help to learn, and are not run to predict."""

    @property
    def helpers(self) -> tuple[str, ...]:
        """Return their names, of the uppermost."""


def count_macs(model: nn.Module, example: Tensor) -> float:
    """Count the multiply-accumulates of a forward pass, by tracing a copy on the meta device.

    Of a network whose passes differ, the most that an image of the example's size may take. Larger
    images take more: where sizes differ, as with data.resize shorter_side, a count at the smallest
    of them is a lower bound of what a training spends.

    Args:
        model: the network, on any device.
        example: its input, on the meta device.
    """
    twin = copy.deepcopy(model).to("meta").eval()
    counter = FlopCounterMode(display=False)
    with counter, torch.no_grad():
        run = twin.forward_at_fixed_cost if isinstance(twin, HasFixedCost) else twin
        run(example)
    return counter.get_total_flops() / 2  # the counter takes a multiply-accumulate for two


def count_parameters(model: nn.Module) -> int:
    """Count trainable and fixed weights."""
    return sum(weights.numel() for weights in model.parameters())


def count_predicting(model: nn.Module) -> int:
    """Count the weights that predict: as above, without those of layers that help to learn."""
    helpers = model.helpers if isinstance(model, HasHelpers) else ()
    return sum(
        weights.numel()
        for name, weights in model.named_parameters()
        if not any(is_within(name, layer) for layer in helpers)
    )
