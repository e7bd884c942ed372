"""What a study file may say of SlowFast and its pathways alone; torch-free.

Feichtenhofer et al. 2019. A clip of T x tau frames is seen twice: every tau-th frame by the Slow
pathway, which is wide, and alpha times as many by the Fast one, which has beta of its channels.
"""

from collections.abc import Mapping
from types import MappingProxyType
from typing import ClassVar, Literal

from pydantic import Field, model_validator

from models.entries import ClipShape
from models.settings import ModelSettings
from models.video.input_rules import colour_clip_rule

Depth = Literal[14, 26, 50, 101, 152, 200]
Lateral = Literal[
    "convolution", "time_strided_sample", "time_to_channel", "time_to_channel_sum", "none"
]
# Bottlenecks of res2 to res5 (He et al. 2016); 14 and 26 are ours.
BLOCKS: Mapping[int, tuple[int, int, int, int]] = MappingProxyType(
    {
        14: (1, 1, 1, 1),
        26: (2, 2, 2, 2),
        50: (3, 4, 6, 3),
        101: (3, 4, 23, 3),
        152: (3, 8, 36, 3),
        200: (3, 24, 36, 3),
    }
)
FIRST_SLOW_TEMPORAL = 2  # of the stages res2 to res5: only res4 and res5 convolve over time
LATERAL_KERNEL = 5  # frames, as in table 1 of the paper
SMALLEST_SIDE = 32  # pixels: five halvings
LONGEST_STRIDE = 64  # frames
DEPTHS = "50, 101, 152, 200: the ResNet of so many layers; 14, 26: one or two bottlenecks a stage"

SLOWFAST_PARAMETERS = 33_558_216  # at default settings, without the last layer
SLOWFAST_PARAMETERS_PER_CHANNEL = 2_305  # 2,048 + 256 weights and a bias of the last layer
SLOW_ONLY_PARAMETERS = 31_634_496
SLOW_ONLY_PARAMETERS_PER_CHANNEL = 2_049
FAST_ONLY_PARAMETERS = 514_152
FAST_ONLY_PARAMETERS_PER_CHANNEL = 257


class PathwaySettings(ModelSettings):
    """Fields of every network of the family."""

    first_temporal: ClassVar[int] = 0  # of the stages res2 to res5, for any pathway

    depth: Depth = Field(50, description=f"Layers. {DEPTHS}, for small machines.")
    temporal_depth: Depth | None = Field(
        None,
        description="The first bottlenecks of each stage, as many as a network of this depth "
        "has, convolve over time and no others: depth 101 with 50 is the paper's R101-50. null: "
        "all of the stages that do.",
    )
    dropout: float = Field(
        0.5, ge=0, lt=1, description="Probability to drop a feature before the last layer."
    )

    @model_validator(mode="after")
    def _temporal_depth_takes_effect(self) -> "PathwaySettings":
        if self.temporal_depth is None:
            return self
        first = self.first_temporal
        if BLOCKS[self.temporal_depth][first:] == BLOCKS[self.depth][first:]:
            raise ValueError(
                f"temporal_depth {self.temporal_depth} has no effect with depth {self.depth}, "
                "whose bottlenecks then all convolve over time; remove it or lower it"
            )
        if self.temporal_depth > self.depth:
            raise ValueError(
                f"temporal_depth must be below depth {self.depth}, got {self.temporal_depth}"
            )
        return self

    @property
    def blocks(self) -> tuple[int, int, int, int]:
        """Return the bottlenecks of res2 to res5."""
        return BLOCKS[self.depth]

    def temporal_blocks(self, first: int) -> tuple[int, ...]:
        """Return how many bottlenecks of each stage convolve over time, stages before `first` not.

        Args:
            first: of res2 to res5, from 0.
        """
        blocks = BLOCKS[self.temporal_depth or self.depth]
        return tuple(count if stage >= first else 0 for stage, count in enumerate(blocks))


class SlowFastSettings(PathwaySettings):
    """Fields of SlowFast (Feichtenhofer et al. 2019)."""

    name: Literal["slowfast"] = "slowfast"
    form: Literal["paper", "thesis"] = Field(
        "paper",
        description="paper: laterals with batch normalisation and ReLU, weights drawn as He et "
        "al. 2015; thesis: laterals that are convolutions alone, a last layer without bias, "
        "weights drawn as torch does by default.",
    )
    width: int = Field(
        64,
        ge=4,
        le=128,
        description="Channels of the Slow pathway's first convolution; all others follow, the "
        "last has 32 times as many.",
    )
    slow_frames: int = Field(
        4, ge=1, le=64, description="T: frames that the Slow pathway sees of a clip."
    )
    slow_stride: int = Field(
        16,
        ge=1,
        le=LONGEST_STRIDE,
        description="tau: frames of the clip from one of those to the next. The clip has "
        "slow_frames x slow_stride frames (data.clip.frames).",
    )
    alpha: int = Field(
        8,
        ge=1,
        le=64,
        description="Frames that the Fast pathway sees for each of the Slow one's.",
    )
    beta: float = Field(
        0.125, gt=0, le=1, description="Channels of the Fast pathway over those of the Slow one."
    )
    lateral: Lateral = Field(
        "convolution",
        description="How the Slow pathway gets the Fast one's features after the first pooling, "
        "res2, res3 and res4 (section 3.4 of the paper). convolution: over time, with stride "
        "alpha; time_strided_sample: every alpha-th frame; time_to_channel: alpha frames as "
        "channels of one; all of these appended as channels; time_to_channel_sum: added, which "
        "needs alpha x beta = 1; none: not before the last layer.",
    )
    lateral_kernel: Literal[3, 5, 7, 9] | None = Field(
        None,
        description="Frames that a lateral convolution sees; null: 5 as in the paper (released "
        "8x8 models have 7), with lateral convolution.",
    )
    zero_last_gamma: bool | None = Field(
        None,
        description="Whether the last batch normalisation of each bottleneck starts with factors "
        "of 0, so that the bottleneck starts as the identity; null: in the paper's form.",
    )

    @model_validator(mode="after")
    def _frames_divide(self) -> "SlowFastSettings":
        if self.slow_stride % self.alpha:
            raise ValueError(
                f"alpha must divide slow_stride {self.slow_stride}, so that the Fast pathway "
                f"sees every so many frames; got {self.alpha}"
            )
        return self

    @model_validator(mode="after")
    def _channels_are_whole(self) -> "SlowFastSettings":
        channels = self.width * self.beta
        if channels != int(channels) or channels < 1:
            raise ValueError(
                f"width x beta must be a whole number, the Fast pathway's channels; got "
                f"{self.width} x {self.beta} = {channels:g}; use beta 1/8 with a width that is a "
                "multiple of 8"
            )
        return self

    @model_validator(mode="after")
    def _lateral_fits(self) -> "SlowFastSettings":
        if self.lateral_kernel is not None and self.lateral != "convolution":
            raise ValueError(
                f"lateral_kernel has no effect with lateral '{self.lateral}'; remove it or use "
                "lateral 'convolution'"
            )
        if self.form == "thesis" and self.lateral != "convolution":
            raise ValueError(
                f"form 'thesis' has lateral 'convolution', got '{self.lateral}'; use form 'paper'"
            )
        if self.lateral == "time_to_channel_sum" and self.alpha * self.fast_width != self.width:
            raise ValueError(
                "lateral 'time_to_channel_sum' needs alpha x beta = 1, so that both pathways "
                f"have as many channels; got {self.alpha} x {self.beta:g}; use 'time_to_channel'"
            )
        return self

    @property
    def fast_width(self) -> int:
        """Return the channels of the Fast pathway's first convolution."""
        return int(self.width * self.beta)

    @property
    def lateral_frames(self) -> int:
        """Return the frames that a lateral convolution sees."""
        return self.lateral_kernel or LATERAL_KERNEL

    @property
    def starts_as_identity(self) -> bool:
        """Whether the last batch normalisations start with factors of 0."""
        return self.form == "paper" if self.zero_last_gamma is None else self.zero_last_gamma


class SingleSettings(PathwaySettings):
    """Fields of one pathway alone; how many frames there are is the pathway's."""

    frames: int
    stride: int
    zero_last_gamma: bool = Field(
        True,
        description="Whether the last batch normalisation of each bottleneck starts with factors "
        "of 0, so that the bottleneck starts as the identity.",
    )


class SlowOnlySettings(SingleSettings):
    """Fields of the Slow pathway alone (table 5a of the paper)."""

    first_temporal = FIRST_SLOW_TEMPORAL

    name: Literal["slow_only"] = "slow_only"
    width: int = Field(64, ge=4, le=128, description="Channels of the first convolution.")
    frames: int = Field(4, ge=1, le=64, description="Frames that are seen of a clip.")
    stride: int = Field(
        16,
        ge=1,
        le=LONGEST_STRIDE,
        description="Frames of the clip from one of those to the next. The clip has frames x "
        "stride frames (data.clip.frames).",
    )


class FastOnlySettings(SingleSettings):
    """Fields of the Fast pathway alone (table 5a of the paper)."""

    name: Literal["fast_only"] = "fast_only"
    width: int = Field(8, ge=1, le=128, description="Channels of the first convolution.")
    frames: int = Field(32, ge=1, le=256, description="Frames that are seen of a clip.")
    stride: int = Field(
        2,
        ge=1,
        le=LONGEST_STRIDE,
        description="Frames of the clip from one of those to the next. The clip has frames x "
        "stride frames (data.clip.frames).",
    )


def pathway_size_rule(settings: SlowFastSettings | SingleSettings, image_size: int) -> str | None:
    """Return None where the network takes pictures of this side, else what must hold."""
    frames = settings.slow_frames if isinstance(settings, SlowFastSettings) else settings.frames
    # Of a single frame whose last map is one pixel there is no variance to normalise by.
    smallest = SMALLEST_SIDE if frames > 1 else SMALLEST_SIDE + 1
    if image_size >= smallest:
        return None
    return (
        f"image size of {settings.name} must be at least {smallest} (five halvings), got "
        f"{image_size}; use {smallest}"
    )


def slowfast_clip_rule(settings: SlowFastSettings, clip: ClipShape) -> str | None:
    """Return None where both pathways get their frames of such a clip, else what must hold."""
    return _clip_problem(
        settings,
        clip,
        frames=("slow_frames", settings.slow_frames),
        stride=("slow_stride", settings.slow_stride),
        stride_unit=settings.alpha,
    )


def single_clip_rule(settings: SingleSettings, clip: ClipShape) -> str | None:
    """Return None where the pathway gets its frames of such a clip, else what must hold."""
    return _clip_problem(
        settings,
        clip,
        frames=("frames", settings.frames),
        stride=("stride", settings.stride),
        stride_unit=1,
    )


def _clip_problem(
    settings: PathwaySettings,
    clip: ClipShape,
    *,
    frames: tuple[str, int],
    stride: tuple[str, int],
    stride_unit: int,
) -> str | None:
    """Return None or what must hold; a stride may be any multiple of `stride_unit`."""
    if clip.has_flow:
        return colour_clip_rule(settings, clip)
    needed = frames[1] * stride[1]
    if clip.frames == needed:
        return None
    fitting, rest = divmod(clip.frames, frames[1])
    fits = not rest and 1 <= fitting <= LONGEST_STRIDE and fitting % stride_unit == 0
    return (
        f"clips of {settings.name} must have {frames[0]} x {stride[0]} = {frames[1]} x "
        f"{stride[1]} = {needed} frames, got {clip.frames}; use data.clip.frames {needed}"
        + (f" or model.{stride[0]} {fitting}" if fits else "")
    )
