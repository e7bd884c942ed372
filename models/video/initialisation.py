"""How the weights of networks of clips are drawn."""

import math

from torch import nn


def draw_rectified(module: nn.Module) -> None:
    """Draw a layer's weights so that rectified activations keep their scale.

    N(0, 2 / inputs of a unit), biases zero (He et al. 2015, eq. 10); layers other than
    convolutions and linear ones are left as they are. For `nn.Module.apply`.
    """
    if not isinstance(module, nn.Conv2d | nn.Conv3d | nn.Linear):
        return
    inputs = module.weight[0].numel()  # of one group, where a convolution has several
    nn.init.normal_(module.weight, std=math.sqrt(2 / inputs))
    if module.bias is not None:
        nn.init.zeros_(module.bias)
