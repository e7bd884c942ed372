"""Local response normalisation over channels (Krizhevsky et al. 2012, section 3.3).

As `torch.nn.LocalResponseNorm`, which goes by a 3-D average pooling whose backward pass is not
deterministic on CUDA; here channels are shifted and added.
"""

from torch import Tensor, nn
from torch.nn.functional import pad

NEIGHBOURS = 5  # channels whose squares are added up, the middle one's own among them


class ResponseNorm(nn.Module):
    """Divide each value by (k + alpha / n x sum of squares of n channels) ** beta.

    Args:
        alpha: Of the sum of squares.
        beta: Exponent.
        k: Added.
    """

    def __init__(self, *, alpha: float, beta: float = 0.75, k: float) -> None:
        super().__init__()
        self.alpha, self.beta, self.k = alpha, beta, k

    def forward(self, maps: Tensor) -> Tensor:
        """Return (b, channels, h, w) of the same."""
        reach, channels = NEIGHBOURS // 2, maps.shape[1]
        squares = pad(maps * maps, (0, 0, 0, 0, reach, reach))
        total = sum(
            (squares[:, place : place + channels] for place in range(1, NEIGHBOURS)),
            start=squares[:, :channels],
        )
        return maps / (self.k + self.alpha / NEIGHBOURS * total) ** self.beta
