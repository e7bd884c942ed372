"""How the weights of networks with rectified activations are drawn."""

import math

from torch import nn


def draw_rectified(module: nn.Module) -> None:
    """Draw a convolution's weights so that rectified activations keep their scale.

    N(0, 2 / inputs of a unit), biases zero (He et al. 2015, eq. 10); other layers are left as
    they are. For `nn.Module.apply`.
    """
    if isinstance(module, nn.Conv2d):
        inputs = module.in_channels * math.prod(module.kernel_size)
    elif isinstance(module, nn.ConvTranspose2d):
        # Each output pixel sees one weight in stride**2 of the kernel.
        inputs = module.in_channels * math.prod(module.kernel_size) // math.prod(module.stride)
    else:
        return
    nn.init.normal_(module.weight, std=math.sqrt(2 / max(1, inputs)))
    if module.bias is not None:
        nn.init.zeros_(module.bias)
