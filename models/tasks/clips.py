"""Batches of clips, as networks are given them."""

from typing import Protocol

import torch
from torch import Tensor

COLOURS = 3  # channels; those behind them are optical flow
STILL, BOUND = 128, 127  # byte of no motion, and how many bytes the most of it is away


class ClipBatch(Protocol):
    """A frozen dataclass of clips of one length and size with a class each."""

    @property
    def video_ids(self) -> tuple[str, ...]:
        """(b,); the same for the clips of one video."""

    @property
    def clips(self) -> Tensor:
        """(b, 3, t, h, w) uint8 RGB, or float32 where normalised; (b, 5, …) with flow behind."""

    @property
    def labels(self) -> Tensor:
        """(b,) int64."""


def scaled_clips(clips: Tensor) -> Tensor:
    """Return clips as a network is given them, contiguous float32.

    Colours go from uint8 to [-1, 1]; those that were normalised are as they should be. Flow, which
    no normalising changes, goes from its bytes to [-1, 1] in units of its bound, 0 being still.
    """
    values = clips.to(torch.float32, memory_format=torch.contiguous_format).contiguous()
    colours, flow = values[:, :COLOURS], values[:, COLOURS:]
    if not clips.is_floating_point():
        colours = colours / 127.5 - 1
    if not flow.shape[1]:
        return colours
    return torch.cat([colours, (flow - STILL) / BOUND], dim=1)
