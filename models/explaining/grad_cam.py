"""Grad-CAM: which places of a layer's map speak for a class.

Selvaraju et al. 2017, "Grad-CAM: Visual Explanations from Deep Networks via Gradient-based
Localization", equations 1 and 2. The arithmetic is written out here and not taken from captum, for
every trial draws such a picture: captum loads Matplotlib, which takes a process longer than the
picture. A test holds both to the same numbers.
"""

import torch
from torch import Tensor, nn


def grad_cam(network: nn.Module, layer: nn.Module, images: Tensor, labels: Tensor) -> Tensor:
    """Return each image's map, (b, h, w) float32 of the layer's size, no value below 0.

    Args:
        network: In evaluation mode; returns class scores before the softmax.
        layer: Of the network; its output is (b, channels, h, w).
        images: (b, 3, H, W) float32, as the network gets them.
        labels: (b,) int64, the class of each image that is asked about.
    """
    activations: list[Tensor] = []

    def hold(_module: nn.Module, _given: object, output: Tensor) -> Tensor:
        activations.append(output)
        return output.clone()  # what follows may change it in place, as ReLU does

    handle = layer.register_forward_hook(hold)
    try:
        with torch.enable_grad():
            # An input with a gradient: of a network whose weights are all frozen too.
            scores = network(images.detach().clone().requires_grad_())
            chosen = scores.gather(1, labels.unsqueeze(1)).sum()  # images do not meet in here
            [maps] = activations  # before a recomputed layer runs again, on the way back
            [gradients] = torch.autograd.grad(chosen, [maps])
    finally:
        handle.remove()
    weights = gradients.float().mean(dim=(2, 3))  # eq. 1: alpha, (b, channels)
    return torch.einsum("bc,bchw->bhw", weights, maps.detach().float()).relu()  # eq. 2
