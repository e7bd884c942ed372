"""What a study file may say of GoogLeNet, Inception-v3, Inception-v4 and Xception; torch-free."""

from typing import Literal

from pydantic import Field

from models.classification.image_sizes import too_small
from models.pretrained_settings import PretrainedModelSettings

# At default settings, without and of the last layers, of which those with auxiliary heads have
# more than one.
GOOGLENET_PARAMETERS, GOOGLENET_PARAMETERS_PER_CHANNEL = 9_929_888, 3_075
INCEPTION_V3_PARAMETERS, INCEPTION_V3_PARAMETERS_PER_CHANNEL = 24_343_264, 2_818
INCEPTION_V4_PARAMETERS, INCEPTION_V4_PARAMETERS_PER_CHANNEL = 41_142_816, 1_537
XCEPTION_PARAMETERS, XCEPTION_PARAMETERS_PER_CHANNEL = 20_806_952, 2_049

# Sides of images that leave the last map two pixels, and those that the papers have.
GOOGLENET_LEAST, INCEPTION_LEAST, XCEPTION_LEAST = 47, 107, 39
INCEPTION_SIDE, GOOGLENET_SIDE = 299, 224

DROPOUT = "Probability to drop a feature before the last layer."
AUXILIARY = (
    "Weight of the losses of smaller heads on earlier stages, which have no say in predictions; "
    "0: no such heads."
)


class GoogLeNetSettings(PretrainedModelSettings):
    """Fields of GoogLeNet (Szegedy et al. 2015), as torchvision builds it.

    With batch normalisation in place of response normalisation, and 3x3 filters where the paper
    has 5x5.
    """

    name: Literal["googlenet"] = "googlenet"
    auxiliary_weight: float = Field(
        0.3, ge=0, le=1, description=f"{AUXILIARY} 0.3: of each of the two, as in the paper."
    )
    dropout: float = Field(0.4, ge=0, lt=1, description=f"{DROPOUT} 0.4: the paper's.")


class InceptionV3Settings(PretrainedModelSettings):
    """Fields of Inception-v3 (Szegedy et al. 2016), as torchvision builds it."""

    name: Literal["inception_v3"] = "inception_v3"
    auxiliary_weight: float = Field(
        0.4,
        ge=0,
        le=1,
        description=f"{AUXILIARY} 0.4: as its authors' program has it.",
    )
    dropout: float = Field(0.5, ge=0, lt=1, description=f"{DROPOUT} 0.5: torchvision's.")


class InceptionV4Settings(PretrainedModelSettings):
    """Fields of Inception-v4 (Szegedy et al. 2017), as timm builds it."""

    name: Literal["inception_v4"] = "inception_v4"
    dropout: float = Field(0.2, ge=0, lt=1, description=f"{DROPOUT} 0.2: the paper's.")


class XceptionSettings(PretrainedModelSettings):
    """Fields of Xception (Chollet 2017), as timm builds it."""

    name: Literal["xception"] = "xception"
    dropout: float = Field(0.5, ge=0, lt=1, description=f"{DROPOUT} 0.5: the paper's.")


def googlenet_size_rule(settings: GoogLeNetSettings, image_size: int) -> str | None:
    """Return None where the last map of such images has two pixels, else what must hold."""
    return too_small(
        settings.name,
        image_size,
        least=GOOGLENET_LEAST,
        because="its halvings",
        usual=GOOGLENET_SIDE,
    )


def inception_v3_size_rule(settings: InceptionV3Settings, image_size: int) -> str | None:
    """Return None where all of its heads have something to see, else what must hold."""
    if settings.auxiliary_weight == 0:
        least, because = INCEPTION_LEAST, "its halvings"
    else:
        least = INCEPTION_SIDE
        because = f"its second head ({INCEPTION_LEAST} with model.auxiliary_weight: 0)"
    return too_small(settings.name, image_size, least=least, because=because, usual=INCEPTION_SIDE)


def inception_v4_size_rule(settings: InceptionV4Settings, image_size: int) -> str | None:
    """Return None where the last map of images of this side is left, else what must hold."""
    return too_small(
        settings.name,
        image_size,
        least=INCEPTION_LEAST,
        because="its halvings",
        usual=INCEPTION_SIDE,
    )


def xception_size_rule(settings: XceptionSettings, image_size: int) -> str | None:
    """Return None where the last map of such images has two pixels, else what must hold."""
    return too_small(
        settings.name,
        image_size,
        least=XCEPTION_LEAST,
        because="its halvings",
        usual=INCEPTION_SIDE,
    )
