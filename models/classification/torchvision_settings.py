"""What a study file may say of MobileNetV2, MobileNetV3 and EfficientNet; torch-free."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Literal

from pydantic import Field

from models.classification.image_sizes import too_small
from models.classification.width_settings import NarrowableSettings
from models.pretrained_settings import PretrainedModelSettings

# At default settings, without and of the last layer.
MOBILENET_V2_PARAMETERS, MOBILENET_V2_PARAMETERS_PER_CHANNEL = 2_223_872, 1_281
MOBILENET_V3_PARAMETERS, MOBILENET_V3_PARAMETERS_PER_CHANNEL = 4_202_032, 1_281  # large
EFFICIENTNET_PARAMETERS, EFFICIENTNET_PARAMETERS_PER_CHANNEL = 4_007_548, 1_281  # b0

STRIDE = 32  # pixels of an image for each of the last map
DROPOUT = "Probability to drop a feature before the last layer."
# Of EfficientNet's papers' training: the larger the network, the more is dropped.
EFFICIENTNET_DROPOUT: Mapping[str, float] = MappingProxyType(
    {"b0": 0.2, "b1": 0.2, "b2": 0.3, "b3": 0.3, "b4": 0.4, "b5": 0.4, "b6": 0.5, "b7": 0.5}
)


class MobileNetV2Settings(NarrowableSettings):
    """Fields of MobileNetV2 (Sandler et al. 2018)."""

    name: Literal["mobilenet_v2"] = "mobilenet_v2"
    dropout: float = Field(0.2, ge=0, lt=1, description=DROPOUT)


class MobileNetV3Settings(NarrowableSettings):
    """Fields of MobileNetV3 (Howard et al. 2019)."""

    name: Literal["mobilenet_v3"] = "mobilenet_v3"
    version: Literal["small", "large"] = Field(
        "large", description="Which of the paper's two networks."
    )
    dropout: float = Field(0.2, ge=0, lt=1, description=DROPOUT)


class EfficientNetSettings(PretrainedModelSettings):
    """Fields of EfficientNet (Tan & Le 2019)."""

    name: Literal["efficientnet"] = "efficientnet"
    version: Literal["b0", "b1", "b2", "b3", "b4", "b5", "b6", "b7"] = Field(
        "b0",
        description="How far width, depth and image size are scaled up together; the papers' "
        "sizes are 224, 240, 260, 300, 380, 456, 528 and 600 pixels.",
    )
    dropout: float | None = Field(
        None, ge=0, lt=1, description=f"{DROPOUT} null: the version's, 0.2 of b0 to 0.5 of b7."
    )
    stochastic_depth: float = Field(
        0.2,
        ge=0,
        lt=1,
        description="Probability to leave out the last block in a training step; those before it "
        "have less, in even steps down to 0.",
    )


TorchvisionSettings = MobileNetV2Settings | MobileNetV3Settings | EfficientNetSettings


# Side of images that its authors trained with.
USUAL: Mapping[str, int] = MappingProxyType(
    {"b0": 224, "b1": 240, "b2": 260, "b3": 300, "b4": 380, "b5": 456, "b6": 528, "b7": 600}
)


def torchvision_size_rule(settings: TorchvisionSettings, image_size: int) -> str | None:
    """Return None where the last map of such images has two pixels, else what must hold."""
    usual = USUAL[settings.version] if isinstance(settings, EfficientNetSettings) else 224
    return too_small(
        settings.name, image_size, least=STRIDE + 1, because="five halvings", usual=usual
    )
