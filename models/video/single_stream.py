"""Networks of one stream, by when they merge time (Karpathy et al. 2014, figure 1).

Never (`single_frame`), at once (`early_fusion`), at the end (`late_fusion`) or step by step
(`slow_fusion`). The paper gives filters and strides; padding is chosen to keep sizes but in the
first convolution, dropout and how weights are drawn (He et al. 2015) are ours.
"""

from typing import NamedTuple

from torch import Tensor, nn

from models.class_rows import ClassRows
from models.video.frame_choice import in_the_middle
from models.video.initialisation import draw_rectified
from models.video.pooling import MaxPool
from models.video.response_norm import NEIGHBOURS, ResponseNorm
from models.video.single_stream_settings import (
    EarlyFusionSettings,
    FusionSettings,
    LateFusionSettings,
    SlowFusionSettings,
    frames_seen,
)
from models.video.widths import scaled

FILTERS = (96, 256, 384, 384, 256)
SIZES = (11, 5, 3, 3, 3)  # of filters, pixels
FIRST_STRIDE = 3
NORMALISED = (0, 1)  # convolutions with a response normalisation after
POOLED = (0, 1, 4)  # with a pooling after
# Of the response normalisations: of the whole sum of squares, where the layer takes a mean.
ALPHA, BETA, K = 1e-4 * NEIGHBOURS, 0.5, 2.0
CONNECTED = 4096


class Times(NamedTuple):
    """Frames that the filters of the first three convolutions extend over."""

    extents: tuple[int, int, int] = (1, 1, 1)
    strides: tuple[int, int, int] = (1, 1, 1)


SLOW = Times((4, 2, 2), (2, 2, 2))


class FrameNorm(ResponseNorm):
    """Local response normalisation of maps (b, c, t, h, w)."""

    def forward(self, maps: Tensor) -> Tensor:
        """Return maps of the same shape."""
        return super().forward(maps.flatten(3)).view_as(maps)


class Trunk(nn.Sequential):
    """The five convolutions: clips (b, 3, t, h, w) to maps (b, c, 1, grid, grid).

    Args:
        times: Must merge all t frames.
        width: Multiplier of the filters.
    """

    def __init__(self, times: Times, *, width: float) -> None:
        layers: list[nn.Module] = []
        before = 3
        for number, (filters, size) in enumerate(zip(FILTERS, SIZES, strict=True)):
            after = scaled(filters, width)
            extent, frames = (
                each[number] if number < len(each) else 1
                for each in (times.extents, times.strides)
            )
            stride, padding = (FIRST_STRIDE, 0) if number == 0 else (1, size // 2)
            convolution = nn.Conv3d(
                before,
                after,
                (extent, size, size),
                stride=(frames, stride, stride),
                padding=(0, padding, padding),
            )
            layers += [convolution, nn.ReLU(inplace=True)]
            if number in NORMALISED:
                layers.append(FrameNorm(alpha=ALPHA, beta=BETA, k=K))
            if number in POOLED:
                layers.append(MaxPool((1, 2, 2), (1, 2, 2)))
            before = after
        super().__init__(*layers)


class Connected(nn.Sequential):
    """The two connected layers, of the maps of one frame or of several.

    Args:
        width: Multiplier of their outputs.
        grid: Pixels across the maps.
        dropout: Probability to drop an activation.
        frames: Of the maps.
    """

    def __init__(self, *, width: float, grid: int, dropout: float, frames: int = 1) -> None:
        features = scaled(CONNECTED, width)
        super().__init__(
            nn.Flatten(),
            nn.Linear(scaled(FILTERS[-1], width) * grid**2 * frames, features),
            nn.ReLU(inplace=True),
            nn.Dropout(dropout),
            nn.Linear(features, features),
            nn.ReLU(inplace=True),
            nn.Dropout(dropout),
        )


class Fusion(nn.Module):
    """Clips (b, 3, t, h, w) to logits (b, classes), of frames in the middle of the clip."""

    def __init__(self, settings: FusionSettings, times: Times, classes: int) -> None:
        super().__init__()
        self.count, self.stride = frames_seen(settings)
        self.is_late = isinstance(settings, LateFusionSettings)
        self.trunk = Trunk(times, width=settings.width)
        self.connected = Connected(
            width=settings.width,
            grid=settings.grid,
            dropout=settings.dropout,
            frames=self.count if self.is_late else 1,
        )
        self.output = nn.Linear(scaled(CONNECTED, settings.width), classes)
        draw_network(self, self.output)

    @property
    def class_rows(self) -> tuple[ClassRows, ...]:
        """Return where the logits are computed."""
        return (ClassRows("output"),)

    def forward(self, clips: Tensor) -> Tensor:
        """Return the logits of clips of the size that the settings say."""
        seen = clips[:, :, in_the_middle(clips.shape[2], self.count, self.stride)]
        # Filters that extend over one frame see each by itself, until a connected layer.
        logits: Tensor = self.output(self.connected(self.trunk(seen)))
        return logits


def draw_network(network: nn.Module, output: nn.Linear) -> None:
    """Draw all weights; those of the last layer so that classes begin about equally likely."""
    network.apply(draw_rectified)
    nn.init.normal_(output.weight, std=0.01)


def build_early_fusion(settings: EarlyFusionSettings, out_channels: int) -> Fusion:
    """Build the network whose first filters extend over all frames."""
    return Fusion(settings, Times((settings.frames, 1, 1)), out_channels)


def build_late_fusion(settings: LateFusionSettings, out_channels: int) -> Fusion:
    """Build the network in which two frames meet in the first connected layer."""
    return Fusion(settings, Times(), out_channels)


def build_slow_fusion(settings: SlowFusionSettings, out_channels: int) -> Fusion:
    """Build the network whose first three convolutions merge ten frames to 4, 2 and 1."""
    return Fusion(settings, SLOW, out_channels)
