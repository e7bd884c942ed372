"""What a study file may say of networks of one stream (Karpathy et al. 2014); torch-free.

Their last map has one pixel for every 24 of a frame: 3 by the first convolution's stride, which
11 pixels are needed for, and three poolings.
"""

from typing import Any, ClassVar, Literal

from pydantic import Field, model_validator

from models.entries import ClipShape
from models.settings import ModelSettings
from models.video.input_rules import colour_clip_rule
from models.video.pretrained_settings import PretrainedVideoSettings
from models.video.widths import WIDTH, Width

STRIDE, LOST = 24, 8  # pixels of a frame for each of the last map; at the border
RESNET_STRIDE = 32
PUBLISHED_GRID = 6
SLOW_FRAMES = 10
# Without and of the last layer: the convolutions, which have 3,747,200 weights for a single frame,
# 4,060,832 for ten at once and 5,350,880 where time is merged slowly, and two connected layers.
SINGLE_FRAME_PARAMETERS, EARLY_FUSION_PARAMETERS = 58_281_344, 58_594_976
LATE_FUSION_PARAMETERS, SLOW_FUSION_PARAMETERS = 96_030_080, 59_885_024
PARAMETERS_PER_CHANNEL = 4_097

HOW_GRID = (
    "Pixels across the last map, which a connected layer sees: one for every 24 of "
    "data.image_size after the first 8. 6: 170 pixels, as in the paper."
)
HOW_DROPOUT = "Probability to drop an activation of the two layers before the last."
Backbone = Literal["karpathy", "resnet18", "resnet50"]


class _FusionSettings(ModelSettings):
    """Fields of the networks that see more than one frame at once."""

    width: Width = 1.0
    grid: int = Field(PUBLISHED_GRID, ge=1, le=64, description=HOW_GRID)
    dropout: float = Field(0.5, ge=0, lt=1, description=HOW_DROPOUT)


class EarlyFusionSettings(_FusionSettings):
    """Fields of early fusion: the first filters extend over all frames."""

    name: Literal["early_fusion"] = "early_fusion"
    frames: int = Field(
        10, ge=2, le=256, description="Frames that are seen, from the middle of the clip."
    )
    stride: int = Field(1, ge=1, le=64, description="Frames of the clip from one to the next.")


class LateFusionSettings(_FusionSettings):
    """Fields of late fusion: two frames, seen by the same filters, meet in a connected layer."""

    name: Literal["late_fusion"] = "late_fusion"
    distance: int = Field(
        15,
        ge=1,
        le=1023,
        description="Frames of the clip from the first to the second, in its middle.",
    )


class SlowFusionSettings(_FusionSettings):
    """Fields of slow fusion: three convolutions merge ten frames, four and then two at a time."""

    name: Literal["slow_fusion"] = "slow_fusion"
    stride: int = Field(
        1,
        ge=1,
        le=64,
        description="Frames of the clip from one of the ten that are seen to the next.",
    )


FusionSettings = EarlyFusionSettings | LateFusionSettings | SlowFusionSettings


class SingleFrameSettings(PretrainedVideoSettings):
    """Fields of a network that sees frames one by one, and so no motion."""

    name: Literal["single_frame"] = "single_frame"
    as_published: ClassVar[dict[str, Any]] = {}
    pretrained: Literal["none", "imagenet"] = Field(
        "none",
        description="Weights to start from, downloaded once into torch's cache (TORCH_HOME); they "
        "need data.normalize: null. imagenet: torchvision's of the ResNet, for all but the last "
        "layer; none: random.",
    )
    backbone: Backbone = Field(
        "karpathy",
        description="The network of a frame. karpathy: the paper's; resnet18, resnet50: "
        "torchvision's.",
    )
    voters: int = Field(
        2,
        ge=1,
        le=256,
        description="Frames, spread evenly over the clip, that each decide; their probabilities "
        "are averaged. An odd number needs an odd number of frames.",
    )
    width: Width = Field(1.0, description=f"{WIDTH} With backbone karpathy.")
    grid: int = Field(
        PUBLISHED_GRID, ge=1, le=64, description=f"{HOW_GRID} With backbone karpathy."
    )
    dropout: float = Field(0.5, ge=0, lt=1, description=HOW_DROPOUT)

    @model_validator(mode="after")
    def _settings_take_effect(self) -> "SingleFrameSettings":
        if self.backbone == "karpathy":
            if self.pretrained != "none":
                raise ValueError(
                    f"pretrained '{self.pretrained}' needs backbone 'resnet18' or 'resnet50', got "
                    "'karpathy', of which nobody has weights; use one, or pretrained 'none'"
                )
            return self
        for name in ("width", "grid"):
            usual = type(self).model_fields[name].default
            if getattr(self, name) != usual:
                raise ValueError(
                    f"{name} has no effect with backbone '{self.backbone}'; remove it, or use "
                    "backbone 'karpathy'"
                )
        return self


def frames_seen(settings: FusionSettings) -> tuple[int, int]:
    """Return how many frames of a clip are seen, and how far they are apart."""
    if isinstance(settings, LateFusionSettings):
        return (2, settings.distance)
    count = settings.frames if isinstance(settings, EarlyFusionSettings) else SLOW_FRAMES
    return (count, settings.stride)


def single_stream_size_rule(
    settings: FusionSettings | SingleFrameSettings, image_size: int
) -> str | None:
    """Return None where the last map of frames of this side has the grid, else what must hold."""
    if isinstance(settings, SingleFrameSettings) and settings.backbone != "karpathy":
        return _resnet_size_fault(settings, image_size)
    fitting = (image_size - LOST) // STRIDE
    if fitting == settings.grid:
        return None
    least = settings.grid * STRIDE + LOST
    other = f", or model.grid {fitting}" if fitting > 0 else ""
    return (
        f"image size of {settings.name} must be {least} to {least + STRIDE - 1} with model.grid "
        f"{settings.grid}, got {image_size}; use {least}{other}"
    )


def _resnet_size_fault(settings: SingleFrameSettings, image_size: int) -> str | None:
    # A single voter's last map needs two pixels, for batch normalisation of a single clip.
    least = RESNET_STRIDE + (settings.voters == 1)
    if image_size >= least:
        return None
    return (
        f"image size of {settings.name} with backbone '{settings.backbone}' must be at least "
        f"{least} (five halvings), got {image_size}; use {least}"
    )


def fusion_clip_rule(settings: FusionSettings, clip: ClipShape) -> str | None:
    """Return None where a clip has the frames that are seen, else what must hold."""
    count, stride = frames_seen(settings)
    least = (count - 1) * stride + 1
    if clip.frames >= least:
        return colour_clip_rule(settings, clip)
    return (
        f"clips of {settings.name} must have at least {least} frames, for {count} that are "
        f"{stride} apart, got {clip.frames}; set data.clip.frames to {least} or more"
    )


def single_frame_clip_rule(settings: SingleFrameSettings, clip: ClipShape) -> str | None:
    """Return None where a clip has frames for all voters, else what must hold."""
    if clip.frames < settings.voters:
        return (
            f"clips of {settings.name} must have at least {settings.voters} frames, one for each "
            f"of model.voters, got {clip.frames}; set data.clip.frames to {settings.voters} or "
            "more"
        )
    if settings.voters % 2 and clip.frames % 2 == 0:
        return (
            f"clips of {settings.name} must have an odd number of frames with an odd number of "
            f"model.voters ({settings.voters}), for one to be in the middle, got {clip.frames}; "
            f"set data.clip.frames: {clip.frames + 1}, or model.voters: {settings.voters + 1}"
        )
    return colour_clip_rule(settings, clip)
