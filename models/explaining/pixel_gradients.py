"""Which pixels move a class's score: saliency and integrated gradients, by captum.

* saliency: the gradient at the picture, largest absolute value of the three colours; Simonyan,
  Vedaldi and Zisserman 2014, section 3.1.
* integrated gradients: the mean gradient on the straight line from a picture without content,
  times the way; Sundararajan, Taly and Yan 2017, eq. 1. All colours of all pixels add up to the
  difference of the class's score between both ends ("completeness").
"""

from typing import NamedTuple

import torch
from captum.attr import IntegratedGradients, Saliency
from torch import Tensor, nn

STEPS = 64  # on the line; Gauss-Legendre, as captum has it
AT_ONCE = 8  # of them, so that memory stays that of a small batch


class PixelGradients(NamedTuple):
    """A map of one picture, and how far it is from adding up."""

    values: Tensor  # (h, w) float32, >= 0
    gap: float  # of completeness, in units of the class's score


def saliency(network: nn.Module, image: Tensor, label: int) -> Tensor:
    """Return (h, w) float32, no value below 0: score per unit of the network's input.

    Args:
        network: In evaluation mode; returns class scores before the softmax.
        image: (1, 3, h, w) float32, as the network gets it.
        label: The class that is asked about.
    """
    with torch.enable_grad():
        given = image.detach().clone().requires_grad_()
        gradients: Tensor = Saliency(network).attribute(given, target=label, abs=True)
    return gradients[0].detach().float().amax(dim=0)


def integrated_gradients(
    network: nn.Module, image: Tensor, label: int, *, baseline: Tensor
) -> PixelGradients:
    """Return the size of each pixel's part of the score, its three colours added up.

    Args:
        network: In evaluation mode; returns class scores before the softmax.
        image: (1, 3, h, w) float32, as the network gets it.
        label: The class that is asked about.
        baseline: (1, 3, h, w) the same without content, as a black picture.
    """
    method = IntegratedGradients(network)
    with torch.enable_grad():
        parts, gap = method.attribute(
            image.detach().clone().requires_grad_(),
            baselines=baseline,
            target=label,
            n_steps=STEPS,
            internal_batch_size=AT_ONCE,
            return_convergence_delta=True,
        )
    return PixelGradients(parts[0].detach().float().sum(dim=0).abs(), float(gap.abs().max()))
