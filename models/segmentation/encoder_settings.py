"""What a study file may say of networks on an encoder by segmentation_models_pytorch; torch-free.

Listed are those encoders that have ImageNet weights made with torchvision's normalisation.
"""

from typing import Literal

from pydantic import Field

from models.pretrained_settings import PretrainedModelSettings
from models.segmentation.image_sizes import size_fault

UNET_ENCODER_PARAMETERS = 24_436_224  # encoder resnet34, without the last layer
UNET_ENCODER_PARAMETERS_PER_CHANNEL = 145  # 3x3x16 weights and a bias of the last layer
UNETPLUSPLUS_PARAMETERS = 26_078_464  # the same
UNETPLUSPLUS_PARAMETERS_PER_CHANNEL = 145
FPN_PARAMETERS = 23_155_264
FPN_PARAMETERS_PER_CHANNEL = 129
DEEPLABV3PLUS_PARAMETERS = 26_677_328  # encoder resnet50
DEEPLABV3PLUS_PARAMETERS_PER_CHANNEL = 257

ENCODER_STRIDE = 32  # pixels of the image per pixel of an encoder's last map

DilatableEncoder = Literal[
    "resnet18",
    "resnet34",
    "resnet50",
    "resnet101",
    "resnet152",
    "resnext50_32x4d",
    "resnext101_32x8d",
    "se_resnet50",
    "se_resnet101",
    "se_resnet152",
    "se_resnext50_32x4d",
    "se_resnext101_32x4d",
    "efficientnet-b0",
    "efficientnet-b1",
    "efficientnet-b2",
    "efficientnet-b3",
    "efficientnet-b4",
    "efficientnet-b5",
    "efficientnet-b6",
    "efficientnet-b7",
    "mobilenet_v2",
]
PoolingEncoder = Literal[
    "vgg11",
    "vgg11_bn",
    "vgg13",
    "vgg13_bn",
    "vgg16",
    "vgg16_bn",
    "vgg19",
    "vgg19_bn",
    "densenet121",
    "densenet161",
    "densenet169",
    "densenet201",
]


class EncoderSettings(PretrainedModelSettings):
    """Fields of the networks that put a decoder on any encoder."""

    encoder: DilatableEncoder | PoolingEncoder = Field(
        "resnet34", description="Contracting path: a classifier without its last layers."
    )


class UNetEncoderSettings(EncoderSettings):
    """Fields of U-Net on an encoder; not the network of 2015, which is `unet`."""

    name: Literal["unet_encoder"] = "unet_encoder"


class UNetPlusPlusSettings(EncoderSettings):
    """Fields of U-Net++ (Zhou et al. 2018) on an encoder."""

    name: Literal["unetplusplus"] = "unetplusplus"


class FPNSettings(EncoderSettings):
    """Fields of a feature pyramid network for segmentation (Kirillov et al. 2019)."""

    name: Literal["fpn"] = "fpn"


class DeepLabV3PlusSettings(PretrainedModelSettings):
    """Fields of DeepLabv3+ (Chen et al. 2018)."""

    name: Literal["deeplabv3plus"] = "deeplabv3plus"
    encoder: DilatableEncoder = Field(
        "resnet50", description="Feature network, whose last stages are dilated."
    )
    output_stride: Literal[8, 16] = Field(
        16,
        description="Pixels of the image per pixel of the encoder's last map. 8 is finer and "
        "takes more memory; its atrous rates are 12, 24, 36, those of 16 half of that.",
    )


AnyEncoderSettings = EncoderSettings | DeepLabV3PlusSettings


def unet_encoder_size_rule(settings: UNetEncoderSettings, image_size: int) -> str | None:
    """Return None where the network takes images of this side, else what must hold."""
    return size_fault(settings.name, image_size, stride=ENCODER_STRIDE)


def pyramid_size_rule(settings: EncoderSettings, image_size: int) -> str | None:
    """Return None where doubled maps fit those of the encoder, else what must hold."""
    return size_fault(settings.name, image_size, stride=ENCODER_STRIDE, multiple=ENCODER_STRIDE)


def deeplabv3plus_size_rule(settings: DeepLabV3PlusSettings, image_size: int) -> str | None:
    """Return None where the network takes images of this side, else what must hold."""
    stride = settings.output_stride
    return size_fault(settings.name, image_size, stride=stride, multiple=stride)
