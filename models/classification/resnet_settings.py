"""What a study file may say of ResNets of pictures; torch-free."""

from typing import Literal

from pydantic import Field

from models.classification.image_sizes import too_small
from models.pretrained_settings import PretrainedModelSettings

RESNET_50_PARAMETERS, RESNET_50_PARAMETERS_PER_CHANNEL = 23_508_032, 2049
STRIDE, USUAL_SIZE = 32, 224  # pixels of the image for each of the last map; the paper's


class ResNetSettings(PretrainedModelSettings):
    """Fields of the residual networks of He et al. 2016, as torchvision builds them."""

    name: Literal["resnet"] = "resnet"
    depth: Literal[18, 34, 50, 101, 152] = Field(50, description="Layers with weights.")


def resnet_size_rule(settings: ResNetSettings, image_size: int) -> str | None:
    """Return None where the last map of such images has two pixels, else what must hold."""
    return too_small(
        settings.name, image_size, least=STRIDE + 1, because="five halvings", usual=USUAL_SIZE
    )
