"""What a forward pass costs, counted rather than timed."""

import copy

import torch
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode


def count_macs(model: nn.Module, example: Tensor) -> float:
    """Count the multiply-accumulates of a forward pass, by tracing a copy on the meta device.

    Args:
        model: the network, on any device.
        example: its input, on the meta device.
    """
    twin = copy.deepcopy(model).to("meta").eval()
    counter = FlopCounterMode(display=False)
    with counter, torch.no_grad():
        twin(example)
    return counter.get_total_flops() / 2  # the counter takes a multiply-accumulate for two


def count_parameters(model: nn.Module) -> int:
    """Count trainable and fixed weights."""
    return sum(weights.numel() for weights in model.parameters())
