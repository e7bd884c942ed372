"""What a study file may say of Inception-v1 over time: I3D and S3D; torch-free."""

from typing import Annotated, Any, ClassVar, Literal

from pydantic import Field

from models.entries import ClipShape
from models.segmentation.image_sizes import size_fault
from models.settings import ModelSettings
from models.video.input_rules import LEAST_FRAMES, colour_clip_rule, too_short
from models.video.pretrained_settings import KineticsSettings, PretrainedVideoSettings
from models.video.widths import Width

# Convolutions of I3D: 7^3 x 3 x 64 + 64 x 64 + 3^3 x 64 x 192 of the stem, 11,914,624 of the nine
# modules, and two numbers of normalisation for each of their 7,280 filters.
I3D_PARAMETERS = 12_287_264
I3D_PARAMETERS_PER_CHANNEL = 1_025  # 1,024 weights and a bias of the last layer
S3D_PARAMETERS, S3D_PARAMETERS_PER_CHANNEL = 7_910_048, 1_025
STRIDE = 32  # pixels of a frame for each of the last map

Dropout = Annotated[float, Field(ge=0, lt=1)]
OF_FEATURES = "Probability to drop a feature before the last layer."


class I3DSettings(PretrainedVideoSettings):
    """Fields of I3D: Inception-v1 with filters inflated over time (Carreira & Zisserman 2017)."""

    name: Literal["i3d"] = "i3d"
    # Colours alone have pretrained weights.
    as_published: ClassVar[dict[str, Any]] = {"width": 1.0, "sees": "rgb"}
    pretrained: Literal["none", "imagenet"] = Field(
        "none",
        description="Weights to start from, downloaded once into torch's cache (TORCH_HOME); they "
        "need data.normalize: null. imagenet: those of torchvision's GoogLeNet, each repeated "
        "over time and divided by the times, for all but the last layer; none: random.",
    )
    sees: Literal["rgb", "flow"] = Field(
        "rgb",
        description="rgb: a clip's colours; flow: its optical flow (data.clip.flow), as the "
        "second of the paper's two networks, which are trained apart.",
    )
    width: Width = 1.0
    dropout: Dropout = Field(0.5, description=OF_FEATURES)


class S3DSettings(KineticsSettings):
    """Fields of S3D: Inception-v1, each filter one of space and one of time (Xie et al. 2018)."""

    name: Literal["s3d"] = "s3d"
    width: Width = 1.0
    dropout: Dropout = Field(0.2, description=OF_FEATURES)
    norm_momentum: float = Field(
        0.1,
        gt=0,
        le=1,
        description="Share of each batch in the statistics that batch normalisation uses when "
        "scoring. torchvision has 0.001, which needs thousands of steps.",
    )


def inception_size_rule(settings: ModelSettings, image_size: int) -> str | None:
    """Return None where the network takes frames of this side, else what must hold."""
    return size_fault(settings.name, image_size, stride=STRIDE)


def i3d_clip_rule(settings: I3DSettings, clip: ClipShape) -> str | None:
    """Return None where a clip is long enough and has what the network sees of it."""
    if clip.frames < LEAST_FRAMES:
        return too_short(settings.name, clip)
    if settings.sees == "rgb":
        return colour_clip_rule(settings, clip)
    if clip.has_flow:
        return None
    return (
        f"clips of {settings.name} with model.sees 'flow' must have optical flow, got colours "
        "alone; set data.clip.flow, or model.sees: rgb"
    )
