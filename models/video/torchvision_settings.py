"""What a study file may say of torchvision's networks of clips; torch-free."""

from typing import Literal

from pydantic import Field

from models.entries import ClipShape
from models.segmentation.image_sizes import size_fault
from models.settings import ModelSettings
from models.video.input_rules import colour_clip_rule
from models.video.pretrained_settings import KineticsSettings
from models.video.widths import Width

R3D_18_PARAMETERS, MC3_18_PARAMETERS, R2PLUS1D_18_PARAMETERS = 33_166_272, 11_490_240, 31_300_125
RESNET_PARAMETERS_PER_CHANNEL = 513  # 512 weights and a bias of the last layer
MVIT_PARAMETERS, MVIT_PARAMETERS_PER_CHANNEL = 34_230_144, 769  # of version v2_s
SWIN3D_PARAMETERS, SWIN3D_PARAMETERS_PER_CHANNEL = 27_850_470, 769  # of version t

RESNET_STRIDE = 16  # pixels of a frame for each of the last map
SWIN_STRIDE = 32
MVIT_FRAMES, MVIT_SIDE = 16, 224  # that its positions are of


class VideoResNetSettings(KineticsSettings):
    """Fields of the ResNets of 18 layers of Tran et al. 2018."""

    width: Width = 1.0


class R3DSettings(VideoResNetSettings):
    """Fields of R3D: all convolutions are of 3x3x3."""

    name: Literal["r3d_18"] = "r3d_18"


class MC3Settings(VideoResNetSettings):
    """Fields of MC3: the first stages convolve over time and space, the others over space."""

    name: Literal["mc3_18"] = "mc3_18"


class R2Plus1DSettings(VideoResNetSettings):
    """Fields of R(2+1)D: each convolution is one of space, then one of time."""

    name: Literal["r2plus1d_18"] = "r2plus1d_18"


class MViTSettings(KineticsSettings):
    """Fields of Multiscale Vision Transformers (Fan et al. 2021, Li et al. 2022)."""

    name: Literal["mvit"] = "mvit"
    version: Literal["v1_b", "v2_s"] = Field(
        "v2_s",
        description="v1_b: the first paper's base network; v2_s: the second's small one, with "
        "relative positions.",
    )
    dropout: float = Field(
        0.5, ge=0, lt=1, description="Probability to drop a feature before the last layer."
    )
    stochastic_depth: float = Field(
        0.2, ge=0, lt=1, description="Probability to leave the last block out; earlier ones less."
    )


class Swin3DSettings(KineticsSettings):
    """Fields of Video Swin Transformers (Liu et al. 2022)."""

    name: Literal["swin3d"] = "swin3d"
    version: Literal["t", "s", "b"] = Field("t", description="Tiny, small or base.")
    stochastic_depth: float = Field(
        0.1, ge=0, lt=1, description="Probability to leave the last block out; earlier ones less."
    )


def video_resnet_size_rule(settings: VideoResNetSettings, image_size: int) -> str | None:
    """Return None where the network takes frames of this side, else what must hold."""
    return size_fault(settings.name, image_size, stride=RESNET_STRIDE)


def swin3d_size_rule(settings: ModelSettings, image_size: int) -> str | None:
    """Return None where the last stage has something to attend to, else what must hold."""
    least = 2 * SWIN_STRIDE
    if image_size >= least:
        return None
    return (
        f"image size of {settings.name} must be at least {least}, for 2 patches to attend to "
        f"across its last stage, got {image_size}; use {least}"
    )


def mvit_size_rule(settings: ModelSettings, image_size: int) -> str | None:
    """Return None where frames have the side that the network has positions for."""
    if image_size == MVIT_SIDE:
        return None
    return (
        f"image size of {settings.name} must be {MVIT_SIDE}, which its positions are of, got "
        f"{image_size}; use {MVIT_SIDE}"
    )


def mvit_clip_rule(settings: ModelSettings, clip: ClipShape) -> str | None:
    """Return None where clips have the frames that the network has positions for."""
    if clip.frames == MVIT_FRAMES:
        return colour_clip_rule(settings, clip)
    return (
        f"clips of {settings.name} must have {MVIT_FRAMES} frames, which its positions are of, "
        f"got {clip.frames}; set data.clip.frames: {MVIT_FRAMES}"
    )
