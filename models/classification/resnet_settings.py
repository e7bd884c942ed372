"""What a study file may say of ResNets of pictures; torch-free."""

from typing import Literal

from pydantic import Field

from models.pretrained_settings import PretrainedModelSettings
from models.segmentation.image_sizes import size_fault

RESNET_50_PARAMETERS, RESNET_50_PARAMETERS_PER_CHANNEL = 23_508_032, 2049
STRIDE = 32  # pixels of the image for each of the last map


class ResNetSettings(PretrainedModelSettings):
    """Fields of the residual networks of He et al. 2016, as torchvision builds them."""

    name: Literal["resnet"] = "resnet"
    depth: Literal[18, 34, 50, 101, 152] = Field(50, description="Layers with weights.")


def resnet_size_rule(settings: ResNetSettings, image_size: int) -> str | None:
    """Return None where the network takes images of this side, else what must hold."""
    return size_fault(settings.name, image_size, stride=STRIDE)
