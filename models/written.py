"""Which weights of a network were never written since it was built: those stay as drawn.

PyTorch counts the writes to a tensor in place, on any device, "meta" too. So nobody who puts
weights into a network has to say into which.
"""

from collections.abc import Mapping

from torch import nn


def write_counts(network: nn.Module) -> Mapping[str, int]:
    """Return how often each parameter was written so far, by its name."""
    return {name: weights._version for name, weights in network.named_parameters()}


def never_written(network: nn.Module, since: Mapping[str, int]) -> list[str]:
    """Return the names of the parameters that were not written since they were counted."""
    return [name for name, count in write_counts(network).items() if count == since[name]]


def untouched_layers(network: nn.Module, since: Mapping[str, int]) -> list[str]:
    """Return the layers none of whose own parameters was written since they were counted."""
    untouched = never_written(network, since)
    layers = dict.fromkeys(name.rpartition(".")[0] for name in untouched)
    written = {name.rpartition(".")[0] for name in since.keys() - set(untouched)}
    return [layer for layer in layers if layer not in written]
