"""What a study file may say of our own segmentation networks, and their sizes; torch-free."""

from typing import Literal

from pydantic import Field, model_validator

from models.settings import ModelSettings

Upsampling = Literal["transposed", "nearest", "bilinear", "bed_of_nails", "max_unpooling"]
HOW_TO_DOUBLE = (
    "nearest: each pixel four times; bilinear: interpolated; bed_of_nails: zeros between the "
    "pixels; max_unpooling: each pixel where the pooling of the same level found its maximum"
)
DEFAULT_UNET_PARAMETERS = 31_031_680  # same padding, RGB input, without the last layer
DEFAULT_UNET_PARAMETERS_PER_CHANNEL = 65  # 64 weights and a bias of the last layer


class UNetSettings(ModelSettings):
    """Fields of U-Net (Ronneberger et al. 2015)."""

    name: Literal["unet"] = "unet"
    input_channels: Literal[1, 3] = Field(
        3, description="3: RGB; 1: grey, the mean of the three, as in the paper."
    )
    padding: Literal["valid", "same"] = Field(
        "same",
        description="valid: the paper's unpadded convolutions, the output is smaller than the "
        "image (572 to 388) and only that centre is trained and scored; same: zero padding, "
        "the output has the image's size.",
    )
    border: Literal["crop", "mirror"] = Field(
        "crop",
        description="With padding valid. crop: only the image's centre is predicted; mirror: "
        "the image is mirrored at its borders, so that all of it is (figure 2 of the paper).",
    )
    tile: int | None = Field(
        None,
        ge=1,
        description="With border mirror: side in pixels of the outputs that a prediction is put "
        "together from, e.g. 388, to bound memory; not in training. null: one pass.",
    )
    base_channels: int = Field(
        64, ge=1, le=512, description="Channels of the first level; each level below doubles them."
    )
    depth: int = Field(4, ge=1, le=7, description="Number of 2x2 poolings.")
    upsampling: Upsampling = Field(
        "transposed",
        description="How the expanding path doubles the size. transposed: a transposed "
        "convolution that also halves the channels; the others have a convolution for that, "
        f"max_unpooling before and the rest after it. {HOW_TO_DOUBLE} (padding same only).",
    )
    up_kernel: Literal[2, 3] = Field(
        2, description="Side of the convolutions that halve the channels, pixels."
    )
    batch_norm: bool = Field(
        False, description="Batch normalisation after every 3x3 convolution; the paper has none."
    )
    dropout: float = Field(
        0.0,
        ge=0,
        lt=1,
        description="Probability to drop an activation at the end of the contracting path "
        "(section 3.1 of the paper, which gives no number).",
    )

    @model_validator(mode="after")
    def _settings_fit_each_other(self) -> "UNetSettings":
        if self.padding == "same" and self.border == "mirror":
            raise ValueError(
                "border 'mirror' has no effect with padding 'same', whose output covers the "
                "image; remove it or use padding 'valid'"
            )
        if self.padding == "valid" and self.upsampling == "max_unpooling":
            raise ValueError(
                "upsampling 'max_unpooling' needs padding 'same', for with 'valid' maps before "
                "and after a level differ in size; use padding 'same' or another upsampling"
            )
        if self.tile is not None:
            self._check_tile(self.tile)
        return self

    def _check_tile(self, tile: int) -> None:
        if self.border != "mirror":
            raise ValueError(
                "tile has no effect with border 'crop'; remove it or use border 'mirror'"
            )
        smallest = unet_covering_size(self, 2**self.depth)
        above = unet_covering_size(self, max(tile, smallest))
        if tile != above:
            below = above - 2**self.depth
            sizes = f"{below} or {above}" if below >= smallest else f"{above}"
            raise ValueError(
                f"tile must be a size that the network's output can have and at least "
                f"{smallest} with depth {self.depth}, got {tile}; use {sizes}"
            )


def unet_margin(settings: UNetSettings) -> int:
    """Return the pixels that unpadded convolutions cost on each side of the image."""
    # Two 3x3 convolutions cost 2 pixels a side: 2 + 4 + … + 2 * 2**depth on the way down to and
    # at the bottom, and all but the last of these again on the way up.
    step: int = 2**settings.depth
    return 6 * step - 4


def unet_covering_size(settings: UNetSettings, side: int) -> int:
    """Return the smallest side of an unpadded network's output that is not below `side`."""
    step: int = 2**settings.depth  # outputs are 4 and every so many pixels more
    return 4 + step * max(0, -(-(side - 4) // step))


def unet_output_size(settings: UNetSettings, image_size: int) -> int | None:
    """Return the side of the output in pixels; None where a pooling would drop a row."""
    if settings.border == "mirror":
        return image_size
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
