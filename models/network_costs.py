"""What a network takes: weights, multiply-accumulates, and milliseconds on this machine.

Its weights are random: what it takes does not depend on them.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from statistics import median

import torch
from torch import Tensor, nn

from models.cost import count_macs, count_parameters
from models.latency import pass_times_ms
from models.memory import out_of_memory_named

BYTES_PER_MB = 2**20  # as torchvision and Keras state the size of their files
BUDGET_S = 1.0  # of passes on a device, but the first two
MOST_PASSES = 50


@dataclass(frozen=True, slots=True)
class Latency:
    """Time of a forward pass for each of its pictures, after one pass that warms up."""

    median_ms: float
    fastest_ms: float
    slowest_ms: float
    passes: int


@dataclass(frozen=True, slots=True)
class NetworkCost:
    """What one network takes."""

    parameters: int
    weights_mb: float  # of its parameters and buffers as they are kept, 2^20 bytes
    macs: float  # multiply-accumulates for a picture


def count_network(network: nn.Module, image_size: int) -> NetworkCost:
    """Count what needs no clock.

    Args:
        network: On any device.
        image_size: Sides of its pictures, pixels.
    """
    return NetworkCost(
        parameters=count_parameters(network),
        weights_mb=weights_mb(network),
        macs=count_macs(network, torch.empty(1, 3, image_size, image_size, device="meta")),
    )


def weights_mb(network: nn.Module) -> float:
    """Return the size of parameters and buffers as they are kept, 2^20 bytes."""
    kept: Iterable[Tensor] = network.state_dict().values()
    return sum(each.numel() * each.element_size() for each in kept) / BYTES_PER_MB


def time_network(network: nn.Module, batches: Sequence[Tensor], device: torch.device) -> Latency:
    """Time passes of a network, which is moved to the device.

    Args:
        network: Any whose input is (b, 3, h, w).
        batches: (b, 3, h, w) float32 each, at least one, of one shape; they are gone through in
            turn, and are on the device before the clock starts.
        device: Where to.

    Raises:
        OutOfMemory: they do not fit.
    """
    with out_of_memory_named():
        network.to(device)
        inputs = [each.to(device) for each in batches]
        times = pass_times_ms(network, inputs, budget_s=BUDGET_S, most_passes=MOST_PASSES)
    each_ms = [time / len(batches[0]) for time in times]
    return Latency(median(each_ms), min(each_ms), max(each_ms), len(each_ms))
