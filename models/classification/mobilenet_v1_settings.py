"""What a study file may say of MobileNetV1; torch-free."""

from typing import Literal

from pydantic import Field

from models.classification.image_sizes import too_small
from models.pretrained_settings import PretrainedModelSettings

# At default settings, without and of the last layer.
MOBILENET_V1_PARAMETERS, MOBILENET_V1_PARAMETERS_PER_CHANNEL = 3_206_976, 1_025
LEAST, USUAL = 33, 224  # sides of images


class MobileNetV1Settings(PretrainedModelSettings):
    """Fields of MobileNet (Howard et al. 2017), as timm builds it."""

    name: Literal["mobilenet_v1"] = "mobilenet_v1"
    dropout: float = Field(
        0.0, ge=0, lt=1, description="Probability to drop a feature before the last layer."
    )


def mobilenet_v1_size_rule(settings: MobileNetV1Settings, image_size: int) -> str | None:
    """Return None where the last map of such images has two pixels, else what must hold."""
    return too_small(settings.name, image_size, least=LEAST, because="five halvings", usual=USUAL)
