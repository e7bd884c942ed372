"""What a study file may say of LeNet-5; torch-free."""

from typing import Literal

from pydantic import Field

from models.settings import ModelSettings

LENET5_SIDE = 32  # pixels that leave C5 a single place
LENET5_PARAMETERS = 60_856  # of form dense, without the last layer
LENET5_PARAMETERS_PER_CHANNEL = 85  # 84 weights and a bias of the last layer


class LeNet5Settings(ModelSettings):
    """Fields of LeNet-5 (LeCun et al. 1998, section II.B)."""

    name: Literal["lenet5"] = "lenet5"
    form: Literal["paper", "dense"] = Field(
        "dense",
        description="dense: as it is built today, with average pooling, every map of the second "
        "convolution seeing all of the first and a linear last layer. paper: as in 1998, with "
        "sub-sampling that learns, the second convolution's sparse table and distances to fixed "
        "codes of the classes instead of a linear layer.",
    )
    colours: Literal["grey", "rgb"] = Field(
        "grey",
        description="What the first convolution sees. grey: one channel, the brightness of red, "
        "green and blue (0.299, 0.587, 0.114), as in the paper; rgb: all three.",
    )


def lenet5_size_rule(settings: LeNet5Settings, image_size: int) -> str | None:
    """Return None where the third convolution covers all that is left, else what must hold."""
    if image_size == LENET5_SIDE:
        return None
    return (
        f"image size of {settings.name} must be {LENET5_SIDE}, of which two convolutions and two "
        f"poolings leave the 5 pixels of the third, got {image_size}; use {LENET5_SIDE}"
    )
