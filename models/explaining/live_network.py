"""A network in the hands of somebody who asks for gradients without training it."""

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from lightning_fabric.wrappers import _FabricModule
from torch import nn


@contextmanager
def asked_for_gradients(network: nn.Module) -> Iterator[nn.Module]:
    """Yield a network as it was built, whose layers have their own names, in 32 bits.

    Kernels need not be deterministic meanwhile: a frozen network was never asked to go back
    through all of its layers, and not every one can do so in a fixed order of sums.

    Args:
        network: In evaluation mode; plain, or wrapped by Fabric.
    """
    was_deterministic = torch.are_deterministic_algorithms_enabled()
    torch.use_deterministic_algorithms(False)
    try:
        yield network.module if isinstance(network, _FabricModule) else network
    finally:
        torch.use_deterministic_algorithms(was_deterministic)
