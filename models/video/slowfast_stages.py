"""What SlowFast's pathways are built of: a stem, and stages of bottlenecks.

Maps are (b, c, t, h, w). Nothing here strides over time (Feichtenhofer et al. 2019, section 3.2),
and time is convolved apart from height and width.
"""

from dataclasses import dataclass

from torch import Tensor, nn
from torch.nn import functional

EXPANSION = 4  # channels that a bottleneck returns over those that it computes with


@dataclass(frozen=True, slots=True)
class Pathway:
    """What tells one pathway from another."""

    width: int  # channels of the stem
    stem_frames: int  # that the stem's convolution sees, odd
    blocks: tuple[int, ...]  # bottlenecks of res2 to res5
    temporal_blocks: tuple[int, ...]  # the first so many of each stage convolve over three frames

    def stage_width(self, stage: int) -> int:
        """Return the channels after a stage.

        Args:
            stage: 0 for the stem, 1 to 4 for res2 to res5.
        """
        return self.width if stage == 0 else self.width * EXPANSION * 2 ** (stage - 1)


class Stem(nn.Module):
    """Convolution and pooling that shrink pictures fourfold, the time not at all."""

    def __init__(self, pathway: Pathway) -> None:
        super().__init__()
        frames = pathway.stem_frames
        self.conv = nn.Conv3d(
            3,
            pathway.width,
            (frames, 7, 7),
            stride=(1, 2, 2),
            padding=(frames // 2, 3, 3),
            bias=False,
        )
        self.norm = nn.BatchNorm3d(pathway.width)

    def forward(self, clips: Tensor) -> Tensor:
        """Return (b, width, t, h/4, w/4) maps of (b, 3, t, h, w) clips."""
        maps = functional.relu(self.norm(self.conv(clips)), inplace=True)
        return pool_pictures(maps)


class Bottleneck(nn.Module):
    """Narrow, over time or not; look around; widen; and add what came in."""

    def __init__(
        self, in_channels: int, width: int, *, stride: int = 1, is_temporal: bool = False
    ) -> None:
        super().__init__()
        out_channels = width * EXPANSION
        frames = 3 if is_temporal else 1
        self.conv1 = nn.Conv3d(
            in_channels, width, (frames, 1, 1), padding=(frames // 2, 0, 0), bias=False
        )
        self.norm1 = nn.BatchNorm3d(width)
        self.conv2 = nn.Conv3d(
            width, width, (1, 3, 3), stride=(1, stride, stride), padding=(0, 1, 1), bias=False
        )
        self.norm2 = nn.BatchNorm3d(width)
        self.conv3 = nn.Conv3d(width, out_channels, 1, bias=False)
        self.norm3 = nn.BatchNorm3d(out_channels)
        self.shortcut: nn.Module = nn.Identity()
        if stride != 1 or in_channels != out_channels:
            self.shortcut = nn.Sequential(
                nn.Conv3d(in_channels, out_channels, 1, stride=(1, stride, stride), bias=False),
                nn.BatchNorm3d(out_channels),
            )

    def forward(self, maps: Tensor) -> Tensor:
        """Return (b, 4 x width, t, h/stride, w/stride)."""
        narrow = functional.relu(self.norm1(self.conv1(maps)), inplace=True)
        narrow = functional.relu(self.norm2(self.conv2(narrow)), inplace=True)
        return functional.relu(self.norm3(self.conv3(narrow)) + self.shortcut(maps), inplace=True)


def stage_of(pathway: Pathway, stage: int, *, appended: int = 0) -> nn.Sequential:
    """Build res2 to res5.

    Args:
        pathway: whose.
        stage: 1 for res2, 4 for res5.
        appended: channels that a lateral connection adds to those of the stage before.
    """
    in_channels = pathway.stage_width(stage - 1) + appended
    blocks = []
    for index in range(pathway.blocks[stage - 1]):
        blocks.append(
            Bottleneck(
                in_channels,
                pathway.stage_width(stage) // EXPANSION,
                stride=2 if index == 0 and stage > 1 else 1,
                is_temporal=index < pathway.temporal_blocks[stage - 1],
            )
        )
        in_channels = pathway.stage_width(stage)
    return nn.Sequential(*blocks)


def pool_pictures(maps: Tensor) -> Tensor:
    """Halve height and width by maxima over 3 x 3 pixels of each frame.

    Frames stand in for channels: 3-D pooling has no deterministic gradient on a GPU.
    """
    pooled = functional.max_pool2d(maps.flatten(0, 1), 3, stride=2, padding=1)
    return pooled.reshape(*maps.shape[:2], *pooled.shape[1:])


def draw_as_he(network: nn.Module) -> None:
    """Draw convolutions so that gradients keep their scale, and the last layer small.

    N(0, 2 / outputs of a unit) (He et al. 2015, eq. 14), and N(0, 0.01^2) without bias.
    """
    for module in network.modules():
        if isinstance(module, nn.Conv3d):
            nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")
        elif isinstance(module, nn.Linear):
            nn.init.normal_(module.weight, std=0.01)
            nn.init.zeros_(module.bias)


def start_as_identity(network: nn.Module) -> None:
    """Set the last factors of each bottleneck to 0 (Goyal et al. 2017, section 5.1)."""
    for module in network.modules():
        if isinstance(module, Bottleneck):
            nn.init.zeros_(module.norm3.weight)
