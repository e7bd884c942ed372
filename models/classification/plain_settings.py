"""What a study file may say of AlexNet, ZFNet and VGG; torch-free."""

from typing import Literal, Self

from pydantic import Field, model_validator

from models.classification.image_sizes import too_small
from models.classification.width_settings import NarrowableSettings
from models.settings import ModelSettings
from models.video.widths import Width

# At default settings, without and of the last layer.
ALEXNET_PARAMETERS, ZFNET_PARAMETERS, VGG_PARAMETERS = 56_868_224, 58_260_608, 134_260_544
PARAMETERS_PER_CHANNEL = 4_097

# Sides of images that leave the last pooling a pixel, and those of the papers.
ALEXNET_LEAST = {"paper": 67, "dense": 67, "torchvision": 63}
ALEXNET_SIDE = {"paper": 227, "dense": 227, "torchvision": 224}
ZFNET_LEAST, VGG_LEAST, PUBLISHED_SIDE = 47, 32, 224
POOLINGS = "its poolings"

DROPOUT = "Probability to drop an activation of the first two connected layers."


class _Connected(ModelSettings):
    """Fields of all of them."""

    dropout: float = Field(0.5, ge=0, lt=1, description=DROPOUT)


class AlexNetSettings(_Connected, NarrowableSettings):
    """Fields of AlexNet (Krizhevsky et al. 2012, Krizhevsky 2014)."""

    name: Literal["alexnet"] = "alexnet"
    form: Literal["paper", "dense", "torchvision"] = Field(
        "paper",
        description="paper: of 2012, whose second, fourth and fifth convolution each have two "
        "halves that do not see each other; dense: the same with whole convolutions; "
        "torchvision: of 2014, narrower, without response normalisation, for which there are "
        "pretrained weights.",
    )

    @model_validator(mode="after")
    def _form_fits_pretrained(self) -> Self:
        if self.pretrained != "none" and self.form != "torchvision":
            raise ValueError(
                f"pretrained '{self.pretrained}' needs form 'torchvision', got '{self.form}', of "
                "which nobody publishes weights; use that form, or pretrained 'none'"
            )
        return self


class ZFNetSettings(_Connected):
    """Fields of ZFNet (Zeiler & Fergus 2014, figure 3)."""

    name: Literal["zfnet"] = "zfnet"
    width: Width = 1.0


class VGGSettings(_Connected, NarrowableSettings):
    """Fields of VGG (Simonyan & Zisserman 2015)."""

    name: Literal["vgg"] = "vgg"
    depth: Literal[11, 13, 16, 19] = Field(
        16, description="Layers with weights: configurations A, B, D and E of the paper's table 1."
    )
    batch_norm: bool = Field(
        False, description="Whether each convolution is normalised, which the paper does not do."
    )


PlainSettings = AlexNetSettings | ZFNetSettings | VGGSettings


def alexnet_size_rule(settings: AlexNetSettings, image_size: int) -> str | None:
    """Return None where every pooling has something left to pool, else what must hold."""
    least, usual = ALEXNET_LEAST[settings.form], ALEXNET_SIDE[settings.form]
    return too_small(settings.name, image_size, least=least, because=POOLINGS, usual=usual)


def zfnet_size_rule(settings: ZFNetSettings, image_size: int) -> str | None:
    """Return None where every pooling has something left to pool, else what must hold."""
    return too_small(
        settings.name, image_size, least=ZFNET_LEAST, because=POOLINGS, usual=PUBLISHED_SIDE
    )


def vgg_size_rule(settings: VGGSettings, image_size: int) -> str | None:
    """Return None where every pooling has something left to pool, else what must hold."""
    return too_small(
        settings.name, image_size, least=VGG_LEAST, because=POOLINGS, usual=PUBLISHED_SIDE
    )
