"""The map of a soft attention that a network has."""

import torch
from torch import Tensor, nn

from models.classification.soft_attention import SoftAttention
from models.explaining.layers import UnusableLayerError


def soft_attention(network: nn.Module) -> tuple[str, SoftAttention]:
    """Return the name of a network's soft attention, the last one, and itself.

    Raises:
        UnusableLayerError: It has none.
    """
    found = [
        (name, each) for name, each in network.named_modules() if isinstance(each, SoftAttention)
    ]
    if not found:
        raise UnusableLayerError(
            f"an attention map needs a network with soft attention, and "
            f"{type(network).__name__} has none; use the method grad_cam, or train attention_cnn"
        )
    return found[-1]


def attention_map(network: nn.Module, attention: SoftAttention, images: Tensor) -> Tensor:
    """Return the weight of each place, (b, h, w) float32 of sum 1 in each image.

    Args:
        network: In evaluation mode.
        attention: Of the network.
        images: (b, 3, H, W) float32, as the network gets them.
    """
    given: list[Tensor] = []
    handle = attention.register_forward_pre_hook(lambda _module, maps: given.append(maps[0]))
    try:
        with torch.no_grad():
            network(images)
            return attention.weights(given[0])
    finally:
        handle.remove()
