"""What the channels of a layer answer to in a picture, and what a convolution's filters hold."""

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from models.explaining.layers import (
    UnusableLayerError,
    filters_of,
    first_convolution,
    named_layer,
)

COLOURS = 3


@dataclass(frozen=True, slots=True)
class Channels:
    """Maps of a layer's channels, or filters of a convolution, the strongest first."""

    values: NDArray[np.float32]  # (n, h, w), or (n, h, w, 3) of filters that look at colours
    numbers: tuple[int, ...]  # (n,) of each, in the layer
    of: int  # channels, or filters, that the layer has


def feature_maps(network: nn.Module, layer: nn.Module, images: Tensor, *, most: int) -> Channels:
    """Return the maps of the channels with the largest mean absolute value.

    Args:
        network: In evaluation mode.
        layer: Of the network; its output is (b, channels, h, w).
        images: (1, 3, H, W) float32, as the network gets it.
        most: Channels that are returned; of equals the first ones.
    """
    outputs: list[Tensor] = []
    handle = layer.register_forward_hook(
        lambda _module, _given, output: outputs.append(output.detach().clone())
    )
    try:
        with torch.no_grad():
            network(images)
    finally:
        handle.remove()
    maps = outputs[0][0].float()
    return _strongest(maps, maps.abs().mean(dim=(1, 2)), most)


def filters(network: nn.Module, layer: str, *, most: int) -> Channels:
    """Return the filters of a convolution with the largest norms.

    A filter of the first convolution, which looks at colours, is returned as it is, (h, w, 3); a
    later one, which looks at other maps, as its norm over them at each place, (h, w).

    Raises:
        UnusableLayerError: The layer is no convolution, or none of several places.
    """
    convolution = named_layer(network, layer)
    found = filters_of(convolution)
    if found is None:
        raise UnusableLayerError(
            f"filters are of convolutions, but layer '{layer}' is a "
            f"{type(convolution).__name__}; name a convolution by --layer"
        )
    if found.shape[2:] == (1, 1):
        raise UnusableLayerError(
            f"filters of one place are single numbers and no pictures, but those of layer "
            f"'{layer}' are 1 x 1; name another convolution by --layer"
        )
    weights = found.float()  # (n, inputs, h, w)
    norms = weights.flatten(1).norm(dim=1)
    if weights.shape[1] == COLOURS and layer == first_convolution(network):
        return _strongest(weights.permute(0, 2, 3, 1), norms, most)
    return _strongest(weights.norm(dim=1), norms, most)


def _strongest(values: Tensor, strengths: Tensor, most: int) -> Channels:
    order = torch.argsort(strengths, descending=True, stable=True)[:most]
    numbers = tuple(order.tolist())
    return Channels(values[order].cpu().numpy(), numbers, of=len(values))
