"""What a study file may say of C3D; torch-free."""

from typing import Literal

from pydantic import Field

from models.entries import ClipShape
from models.settings import ModelSettings
from models.video.input_rules import colour_clip_rule
from models.video.widths import Width

C3D_PARAMETERS, C3D_PARAMETERS_PER_CHANNEL = 77_995_776, 4_097  # without and of the last layer
STRIDE = 32  # pixels of a frame for each of the last map: five halvings
# With fewer, the last two convolutions have one pixel and maybe one frame: of a batch of one clip
# there is a single value for a batch normalisation to normalise.
LEAST_NORMALISED = 17
SPAN = 16  # frames of a clip for each of the last map: four halvings


class C3DSettings(ModelSettings):
    """Fields of C3D (Tran et al. 2015)."""

    name: Literal["c3d"] = "c3d"
    form: Literal["paper", "architecture_search"] = Field(
        "paper",
        description="paper: eight convolutions and two layers of 4,096, as trained on Sports-1M; "
        "architecture_search: the smaller networks of its section 3.2, five convolutions of 64, "
        "128 and three times 256 filters and two layers of 2,048.",
        json_schema_extra={"since": "0.2"},
    )
    width: Width = 1.0
    grid: int = Field(
        4,
        ge=1,
        le=64,
        description="Pixels across the last map, which a connected layer sees: one for every 32 "
        "of data.image_size, and for a rest. 4: 112 pixels, as in the paper.",
    )
    spans: int = Field(
        1,
        ge=1,
        le=64,
        description="Frames of the last map: one for every 16 of data.clip.frames, and for a "
        "rest. 1: 16 frames, as in the paper.",
    )
    batch_norm: bool = Field(
        False,
        description="Whether each convolution is normalised, which makes training from scratch "
        "on little data easier; false: the paper's.",
    )
    dropout: float = Field(
        0.5,
        ge=0,
        lt=1,
        description="Probability to drop an activation of the two layers before the last.",
    )


def c3d_size_rule(settings: C3DSettings, image_size: int) -> str | None:
    """Return None where the last map of frames of this side has the grid, else what must hold."""
    fitting = -(-image_size // STRIDE)
    if settings.batch_norm and image_size < LEAST_NORMALISED:
        return (
            f"image size of {settings.name} must be at least {LEAST_NORMALISED} with "
            f"model.batch_norm, which needs several values to normalise, got {image_size}; use "
            f"{LEAST_NORMALISED} or more, or model.batch_norm: false"
        )
    if fitting == settings.grid:
        return None
    most = settings.grid * STRIDE
    return (
        f"image size of {settings.name} must be {most - STRIDE + 1} to {most} with model.grid "
        f"{settings.grid}, got {image_size}; use {most}, or model.grid {fitting}"
    )


def c3d_clip_rule(settings: C3DSettings, clip: ClipShape) -> str | None:
    """Return None where the last map of such a clip has as many frames, else what must hold."""
    fitting = -(-clip.frames // SPAN)
    if fitting == settings.spans:
        return colour_clip_rule(settings, clip)
    most = settings.spans * SPAN
    return (
        f"clips of {settings.name} must have {most - SPAN + 1} to {most} frames with model.spans "
        f"{settings.spans}, got {clip.frames}; set data.clip.frames: {most}, or model.spans: "
        f"{fitting}"
    )
