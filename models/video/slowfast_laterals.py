"""How SlowFast's Slow pathway is told what the Fast one sees (section 3.4 of the paper).

Slow maps are (b, c, t, h, w), Fast ones (b, beta c, alpha t, h, w). Each lateral returns the Slow
maps with the Fast ones appended as channels, or added, and says how many it appends.
"""

import torch
from torch import Tensor, nn
from torch.nn import functional

from models.video.slowfast_settings import SlowFastSettings


class LateralConvolution(nn.Module):
    """Convolve the Fast maps over time with stride alpha, into twice their channels."""

    def __init__(self, channels: int, *, frames: int, alpha: int, is_normalised: bool) -> None:
        super().__init__()
        self.conv = nn.Conv3d(
            channels,
            2 * channels,
            (frames, 1, 1),
            stride=(alpha, 1, 1),
            padding=(frames // 2, 0, 0),
            bias=False,
        )
        self.norm = nn.BatchNorm3d(2 * channels) if is_normalised else None

    def forward(self, slow: Tensor, fast: Tensor) -> Tensor:
        """Return (b, c + 2 beta c, t, h, w)."""
        seen = self.conv(fast)
        if self.norm is not None:
            seen = functional.relu(self.norm(seen), inplace=True)
        return torch.cat([slow, seen], dim=1)


class TimeStridedSample(nn.Module):
    """Take every alpha-th of the Fast frames."""

    def __init__(self, alpha: int) -> None:
        super().__init__()
        self._alpha = alpha

    def forward(self, slow: Tensor, fast: Tensor) -> Tensor:
        """Return (b, c + beta c, t, h, w)."""
        return torch.cat([slow, fast[:, :, :: self._alpha]], dim=1)


class TimeToChannel(nn.Module):
    """Make alpha Fast frames the channels of one."""

    def __init__(self, alpha: int, *, is_added: bool) -> None:
        super().__init__()
        self._alpha = alpha
        self._is_added = is_added

    def forward(self, slow: Tensor, fast: Tensor) -> Tensor:
        """Return (b, c + alpha beta c, t, h, w), or (b, c, t, h, w) where they are added."""
        b, c, t, h, w = fast.shape
        groups = fast.reshape(b, c, t // self._alpha, self._alpha, h, w)
        packed = groups.transpose(2, 3).flatten(1, 2)  # (b, c alpha, t / alpha, h, w)
        return slow + packed if self._is_added else torch.cat([slow, packed], dim=1)


def lateral_of(settings: SlowFastSettings, channels: int) -> tuple[nn.Module | None, int]:
    """Build the connection after one level, and count the channels that it appends.

    Args:
        settings: of the network.
        channels: of the Fast maps.
    """
    alpha = settings.alpha
    if settings.lateral == "convolution":
        lateral = LateralConvolution(
            channels,
            frames=settings.lateral_frames,
            alpha=alpha,
            is_normalised=settings.form == "paper",
        )
        return lateral, 2 * channels
    if settings.lateral == "time_strided_sample":
        return TimeStridedSample(alpha), channels
    if settings.lateral == "time_to_channel":
        return TimeToChannel(alpha, is_added=False), alpha * channels
    if settings.lateral == "time_to_channel_sum":
        return TimeToChannel(alpha, is_added=True), 0
    return None, 0
