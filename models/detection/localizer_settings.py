"""What a study file may say of classification with localisation; torch-free."""

from typing import Literal

from pydantic import Field

from models.pretrained_settings import PretrainedModelSettings
from models.segmentation.image_sizes import size_fault
from models.settings import ModelSettings

# At default settings; one channel is that of the background, which the network does not have.
LOCALIZER_PARAMETERS, LOCALIZER_PARAMETERS_PER_CHANNEL = 11_178_051, 513
STRIDE = 32  # of the last map


class LocalizerSettings(PretrainedModelSettings):
    """Fields of a classifier that also says where the object is."""

    name: Literal["localizer"] = "localizer"
    backbone: Literal["resnet18", "resnet34", "resnet50", "vgg16"] = Field(
        "resnet18", description="Classifier whose last layer is replaced."
    )
    alpha: float = Field(
        0.5,
        gt=0,
        lt=1,
        description="Weight of the class: the loss is alpha x cross entropy + (1 - alpha) x the "
        "squared distance of the boxes (centre, width and height, as shares of the image).",
    )


def localizer_size_rule(settings: ModelSettings, image_size: int) -> str | None:
    """Return None where the network takes images of this side, else what must hold."""
    return size_fault(settings.name, image_size, stride=STRIDE)
