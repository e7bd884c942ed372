"""Convolutional two-stream fusion: the streams meet at relu5_3, over space and time.

Feichtenhofer et al. 2016, section 3.4. Both streams look at several moments of a clip; their maps
are stacked, convolved over space and time, and pooled. The temporal stream goes on for itself
besides, with the same pooling; the two heads learn together and their softmaxes are averaged.

    frames ──► VGG-16 ──┐
                        ├─► 3-D convolution ─► pooling 2 x 2 x T ─► fully connected ─► scores
    flow ────► VGG-16 ──┤
                        └────────────────────► pooling 2 x 2 x T ─► fully connected ─► scores
"""

import torch
from torch import Tensor, nn

from models.class_rows import ClassRows
from models.segmentation.vgg import vgg16_widths
from models.tasks.clips import COLOURS
from models.video.grid_pooling import GridPooling
from models.video.initialisation import draw_rectified
from models.video.towers import (
    HIDDEN,
    VGG_CHANNELS,
    VGG_GRID,
    Tower,
    connected,
    vgg16_features,
)
from models.video.two_stream import stacked_flow, vgg16_pixels
from models.video.two_stream_settings import TwoStreamFusionSettings
from models.video.widths import scaled
from models.votes import Votes


class TwoStreamFusion(nn.Module):
    """Clips to class scores of the fused and of the temporal head.

    Args:
        settings: Of moments and layers.
        classes: There are.
    """

    def __init__(self, settings: TwoStreamFusionSettings, classes: int) -> None:
        super().__init__()
        self.settings = settings
        self.pixels = vgg16_pixels(settings.pretrained)
        maps = vgg16_widths(scaled(VGG_CHANNELS, settings.width))[-1]
        self.spatial = vgg16_features(COLOURS, width=settings.width)
        self.temporal = vgg16_features(2 * settings.flow_frames, width=settings.width)
        self.fuse = nn.Sequential(
            nn.Conv3d(2 * maps, maps, 3, padding=1), nn.ReLU(inplace=True)
        ).apply(draw_rectified)
        self.pool = nn.MaxPool2d(2)
        self.fused_head = _head(settings, maps, classes)
        self.temporal_head = _head(settings, maps, classes)

    @property
    def class_rows(self) -> tuple[ClassRows, ...]:
        """Return where the classes are."""
        return ClassRows("fused_head.scores"), ClassRows("temporal_head.scores")

    def forward(self, clips: Tensor) -> Votes:
        """Return (b, 2, classes) votes of (b, 5, t, h, w) clips."""
        seen, moved = self._moments(clips)
        shape = (len(clips), self.settings.chunks)
        seen = self.pixels(seen).transpose(1, 2)  # (b, moments, 3, h, w)
        seen = self.spatial(seen.flatten(0, 1)).unflatten(0, shape)
        moved = self.temporal(moved.flatten(0, 1)).unflatten(0, shape)
        both = torch.cat([seen, moved], dim=2).transpose(1, 2)  # (b, maps, moments, h, w)
        fused = self.fuse(both).transpose(1, 2)
        heads = (self.fused_head(self._pooled(fused)), self.temporal_head(self._pooled(moved)))
        return Votes(torch.stack(heads, dim=1), loss_weights=(1.0, 1.0), weights=(1.0,))

    def _moments(self, clips: Tensor) -> tuple[Tensor, Tensor]:
        """Return frames (b, 3, moments, h, w), and the flow around each (b, moments, 2L, h, w)."""
        fields, frames, flow = self.settings.flow_frames, [], []
        for moment in range(self.settings.chunks):
            start = moment * self.settings.stride
            frames.append(clips[:, :COLOURS, start + fields // 2])
            around = clips[:, COLOURS:, start : start + fields]
            flow.append(stacked_flow(around, is_centred=self.settings.subtracts_mean_flow))
        return torch.stack(frames, dim=2), torch.stack(flow, dim=1)

    def _pooled(self, maps: Tensor) -> Tensor:
        """Return the maxima over all moments and 2 x 2 positions of (b, moments, maps, h, w)."""
        # Over time first: torch's 3-D pooling has no deterministic backward pass on CUDA.
        pooled: Tensor = self.pool(maps.amax(dim=1))
        return pooled


def _head(settings: TwoStreamFusionSettings, maps: int, classes: int) -> Tower:
    hidden = scaled(HIDDEN, settings.width)
    layers = connected((maps * VGG_GRID**2, hidden, hidden), settings.dropout)
    trunk = nn.Sequential(GridPooling(VGG_GRID), nn.Flatten(), layers)
    return Tower(trunk, hidden, classes)


def build_two_stream_fusion(
    settings: TwoStreamFusionSettings, out_channels: int
) -> TwoStreamFusion:
    """Build the network for a number of classes."""
    return TwoStreamFusion(settings, out_channels)
