"""Layers of a network by their dotted names, as settings of transfer learning name them."""

import difflib

from torch import nn

FEWEST, NAMED = 4, 12  # names that a message lists, of the uppermost layers
DEEPEST = 4  # dots in a name


class TransferError(ValueError):
    """Weights do not fit a network, or a layer that a setting names is not there."""


def is_within(name: str, layer: str) -> bool:
    """Say whether a weight, or a layer, is of a layer or of a part of it."""
    return name == layer or name.startswith(f"{layer}.")


def unknown_layer(setting: str, layer: str, network: nn.Module) -> str:
    """Say that a network has no such layer, and which it has."""
    names = [name for name, _ in network.named_modules() if name]
    close = difflib.get_close_matches(layer, names, n=1)
    meant = f"; did you mean '{close[0]}'?" if close else ""
    depths = [[name for name in names if name.count(".") <= depth] for depth in range(DEEPEST)]
    upper = next((found for found in depths if len(found) >= FEWEST), names)
    listed = ", ".join(upper[:NAMED]) + ", …" * (len(upper) > NAMED)
    return f"unknown layer '{layer}' in {setting}{meant} (its {len(names)} layers: {listed})"
