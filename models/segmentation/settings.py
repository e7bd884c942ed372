"""What a study file may say of segmentation networks, and the sizes they take; torch-free."""

from typing import Literal

from pydantic import Field

from models.settings import ModelSettings

DEFAULT_UNET_PARAMETERS = 31_031_680  # same padding, RGB input, without the last layer
DEFAULT_UNET_PARAMETERS_PER_CHANNEL = 65  # 64 weights and a bias of the last layer


class UNetSettings(ModelSettings):
    """Fields of U-Net (Ronneberger et al. 2015)."""

    name: Literal["unet"] = "unet"
    padding: Literal["valid", "same"] = Field(
        "same",
        description="valid: the paper's unpadded convolutions, the output is smaller than the "
        "image (572 to 388) and only that centre is trained and scored; same: zero padding, "
        "the output has the image's size.",
    )
    base_channels: int = Field(
        64, ge=1, le=512, description="Channels of the first level; each level below doubles them."
    )
    depth: int = Field(4, ge=1, le=7, description="Number of 2x2 poolings.")
    up_kernel: Literal[2, 3] = Field(
        2, description="Side of the transposed convolutions that double the size, pixels."
    )
    batch_norm: bool = Field(
        False, description="Batch normalisation after every 3x3 convolution; the paper has none."
    )


def unet_output_size(settings: UNetSettings, image_size: int) -> int | None:
    """Return the side of the output in pixels; None where a pooling would drop a row."""
    lost = 4 if settings.padding == "valid" else 0  # two 3x3 convolutions
    size = image_size - lost
    for _ in range(settings.depth):
        if size <= 0 or size % 2:
            return None
        size = size // 2 - lost
    for _ in range(settings.depth):
        if size <= 0:
            return None
        size = size * 2 - lost
    return size if size > 0 else None


def unet_size_rule(settings: UNetSettings, image_size: int) -> str | None:
    """Return None where the network takes images of this side, else what must hold."""
    if unet_output_size(settings, image_size) is not None:
        return None
    nearest = " or ".join(str(size) for size in _nearest_sizes(settings, image_size))
    if settings.padding == "same":
        rule = f"must be a multiple of {2**settings.depth} ({settings.depth} poolings of 2)"
    else:
        rule = f"must be even before each of {settings.depth} poolings with padding 'valid'"
    return f"image size of unet {rule}, got {image_size}; use {nearest}"


def _nearest_sizes(settings: UNetSettings, image_size: int) -> list[int]:
    """Return the next valid size below, if there is one, and above."""
    below = range(image_size - 1, max(0, image_size - 2**settings.depth) - 1, -1)
    # The smallest output of the valid form needs an image of about 12 * 2**depth pixels.
    above = range(image_size + 1, image_size + 16 * 2**settings.depth)
    sizes = (
        next((size for size in sizes if unet_output_size(settings, size) is not None), None)
        for sizes in (below, above)
    )
    return [size for size in sizes if size is not None]
