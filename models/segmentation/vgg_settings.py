"""What a study file may say of segmentation networks on VGG-16; torch-free."""

from typing import Literal

from pydantic import Field, model_validator

from models.pretrained_settings import PretrainedModelSettings
from models.segmentation.settings import HOW_TO_DOUBLE, Upsampling
from models.settings import ModelSettings

POOLINGS = 5
VGG_CHANNELS = 64  # of the first stage, as published and pretrained
SEGNET_PARAMETERS = 29_443_008  # without the last layer
SEGNET_PARAMETERS_PER_CHANNEL = 577  # 3x3 weights of 64 maps and a bias
FCN8S_PARAMETERS = 134_260_544  # without score layers and upsampling
FCN8S_PARAMETERS_PER_CHANNEL = 4_867  # weights of 4096, 512 and 256 maps, and three biases
FCN8S_PARAMETERS_PER_PAIR = 288  # of channels: 4x4, 4x4 and 16x16 transposed convolutions


class VggSettings(PretrainedModelSettings):
    """Fields of networks whose first layers are VGG-16's thirteen convolutions."""

    base_channels: int = Field(
        VGG_CHANNELS,
        ge=1,
        le=512,
        description="Channels of the first stage; the stages after it have 2, 4, 8 and 8 times "
        "as many. 64: VGG-16.",
    )

    @model_validator(mode="after")
    def _pretrained_fits_width(self) -> "VggSettings":
        if self.pretrained != "none" and self.base_channels != VGG_CHANNELS:
            raise ValueError(
                f"pretrained '{self.pretrained}' needs base_channels {VGG_CHANNELS}, which "
                f"VGG-16 has, got {self.base_channels}; use {VGG_CHANNELS}, or pretrained 'none'"
            )
        return self


class SegNetSettings(VggSettings):
    """Fields of SegNet (Badrinarayanan et al. 2017)."""

    name: Literal["segnet"] = "segnet"
    upsampling: Upsampling = Field(
        "max_unpooling",
        description="How the decoder doubles the size, before the convolutions of each stage. "
        f"{HOW_TO_DOUBLE}, as in the paper; transposed: a 2x2 transposed convolution.",
    )


class FCNSettings(VggSettings):
    """Fields of FCN-8s, FCN-16s and FCN-32s (Long et al. 2015)."""

    name: Literal["fcn_vgg16"] = "fcn_vgg16"
    stride: Literal[8, 16, 32] = Field(
        8,
        description="Pixels between the positions that are classified: 32 from the last layer "
        "alone, 16 with the fourth pooling's maps added, 8 with the third's too.",
    )
    final_upsampling: Literal["learned", "fixed"] = Field(
        "learned",
        description="Whether the last transposed convolution, which starts as bilinear "
        "interpolation, is trained, or stays as it is (the paper's).",
    )
    dropout: float = Field(
        0.5,
        ge=0,
        lt=1,
        description="Probability to drop an activation of the two layers before the scores.",
    )


def segnet_size_rule(settings: ModelSettings, image_size: int) -> str | None:  # noqa: ARG001
    """Return None where each pooling halves exactly, else what must hold."""
    step = 2**POOLINGS
    if image_size % step == 0:
        return None
    below = image_size // step * step
    sizes = f"{below} or {below + step}" if below else f"{step}"
    return (
        f"image size of segnet must be a multiple of {step} ({POOLINGS} poolings of 2), "
        f"got {image_size}; use {sizes}"
    )
