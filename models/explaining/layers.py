"""Layers of a classifier that may be looked at, and the one that Grad-CAM takes by itself.

Grad-CAM wants the last convolution's map: the most meaning that still has places. Where blocks put
several convolutions together (a residual sum, the branches of an Inception module) that is the map
of the whole block, after its normalisation and activation. So here it is the output of the last
module that has as many places as the last convolution; pooling, which comes after it, has fewer.
"""

from collections import Counter
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

import torch
from torch import Tensor, nn

from models.named_layers import unknown_layer


@runtime_checkable
class SparseFilters(Protocol):
    """A convolution that keeps only those weights that its table of connections has."""

    def dense_weight(self) -> Tensor:
        """Return weights (n, inputs, h, w), 0 where there is no connection."""


class UnusableLayerError(ValueError):
    """A layer is not there, or has nothing of what was asked for."""


@dataclass(frozen=True, slots=True)
class LayerCall:
    """That a layer ran, and what came out."""

    layer: str
    shape: tuple[int, ...]
    is_convolution: bool

    @property
    def places(self) -> tuple[int, ...]:
        """Height and width of a map; () where the output is none, or of one place."""
        sides = self.shape[2:] if len(self.shape) == 4 else ()
        return sides if sides != (1, 1) else ()


def layer_calls(network: nn.Module, images: Tensor) -> list[LayerCall]:
    """Run a network on one image and return which layers ended when, inner ones first.

    Args:
        network: In evaluation mode.
        images: (b, 3, h, w) float32, as the network gets them; one is used.
    """
    calls: list[LayerCall] = []
    handles = []
    for name, module in network.named_modules():
        if name:

            def note(module: nn.Module, _given: object, output: object, name: str = name) -> None:
                shape = tuple(output.shape) if isinstance(output, Tensor) else ()
                calls.append(LayerCall(name, shape, filters_of(module) is not None))

            handles.append(module.register_forward_hook(note))
    try:
        with torch.no_grad():
            network(images[:1])
    finally:
        for handle in handles:
            handle.remove()
    return calls


def last_map_layer(network: nn.Module, images: Tensor) -> str:
    """Return the name of the layer whose output is the last map with a convolution's places.

    Args:
        network: In evaluation mode.
        images: (b, 3, h, w) float32, as the network gets them; one is used.

    Raises:
        UnusableLayerError: No convolution of the network has an output of several places.
    """
    calls = layer_calls(network, images)
    lasts = [place for place, each in enumerate(calls) if each.is_convolution and each.places]
    if not lasts:
        raise UnusableLayerError(
            f"Grad-CAM needs a convolution with an output of several places, and "
            f"{type(network).__name__} has none; use the method saliency, which needs no layer"
        )
    times = Counter(each.layer for each in calls)
    last = calls[lasts[-1]]
    after = [each for each in calls[lasts[-1] :] if each.places == last.places]
    return next(
        (each.layer for each in reversed(after) if times[each.layer] == 1),
        last.layer,
    )


def map_layer(network: nn.Module, layer: str, images: Tensor) -> nn.Module:
    """Return a layer by its name, whose output is a map and which runs once.

    Raises:
        UnusableLayerError: It is not there, has no map, or runs more than once or never.
    """
    module = named_layer(network, layer)
    calls = [each for each in layer_calls(network, images) if each.layer == layer]
    if len(calls) != 1:
        times = "never runs" if not calls else f"runs {len(calls)} times for one picture"
        raise UnusableLayerError(
            f"--layer must name a layer that runs once, but '{layer}' {times}; name the layer "
            "around it"
        )
    if len(calls[0].shape) != 4:
        raise UnusableLayerError(
            f"--layer must name a layer with a map as its output (channels, height, width), but "
            f"'{layer}' has one of shape {calls[0].shape[1:]}; name an earlier layer"
        )
    return module


def named_layer(network: nn.Module, layer: str) -> nn.Module:
    """Return a layer by its name.

    Raises:
        UnusableLayerError: It is not there; the message says which are.
    """
    modules: dict[str, nn.Module] = dict(network.named_modules())
    if not layer or layer not in modules:
        raise UnusableLayerError(unknown_layer("--layer", layer, network))
    return modules[layer]


def filters_of(module: nn.Module) -> Tensor | None:
    """Return the filters (n, inputs, h, w) of a convolution, None of another layer."""
    if isinstance(module, nn.Conv2d):
        return module.weight.detach()
    if isinstance(module, SparseFilters):
        return module.dense_weight().detach()
    return None


def first_convolution(network: nn.Module) -> str:
    """Return the name of the first convolution, in the order in which layers were made.

    Raises:
        UnusableLayerError: There is none.
    """
    name: str
    for name, module in network.named_modules():
        if filters_of(module) is not None:
            return name
    raise UnusableLayerError(
        f"filters are of convolutions, and {type(network).__name__} has none; use the method "
        "saliency, which needs no layer"
    )
