"""Pooling by soft attention: a map's places add up, each with a weight of its own.

The thesis, appendix 2, section 2: of arguments y_i and a context c

    m_i = tanh(W_c c + W_y y_i)     s = softmax(m)     z = sum_i s_i y_i

Here y_i are the columns of a map, a vector of channels at each place, and c is their mean. Of
numbers m_i between -1 and 1 no weight can be more than e^2 = 7.4 times another, so that of many
places none can stand out. So m_i may be a vector, as in Xu et al. 2015 ("Show, Attend and Tell",
its MLP), of which a learned product w . m_i goes into the softmax.
"""

import torch
from torch import Tensor, nn


class SoftAttention(nn.Module):
    """Maps (b, channels, h, w) to (b, channels).

    Args:
        channels: Of the maps.
        units: Length of m_i, whose product with w goes into the softmax; None: m_i is a number and
            goes into it as it is, the thesis's formula.
    """

    def __init__(self, channels: int, units: int | None) -> None:
        super().__init__()
        self.of_context = nn.Linear(channels, units or 1)  # W_c, and a bias
        self.of_place = nn.Linear(channels, units or 1, bias=False)  # W_y
        self.product = nn.Identity() if units is None else nn.Linear(units, 1, bias=False)  # w

    def weights(self, maps: Tensor) -> Tensor:
        """Return s, (b, h, w): positive, of sum 1 in each image."""
        columns = maps.flatten(2).transpose(1, 2)  # y, (b, places, channels)
        context = self.of_context(columns.mean(dim=1, keepdim=True))
        moments = torch.tanh(context + self.of_place(columns))  # m, (b, places, units)
        shares: Tensor = self.product(moments).squeeze(2).float().softmax(dim=1)
        return shares.reshape(len(maps), *maps.shape[2:])

    def forward(self, maps: Tensor) -> Tensor:
        """Return z."""
        return torch.einsum("bhw,bchw->bc", self.weights(maps).to(maps.dtype), maps)
