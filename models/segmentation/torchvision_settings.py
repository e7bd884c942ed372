"""What a study file may say of torchvision's segmentation networks; torch-free."""

from typing import Literal

from pydantic import Field

from models.pretrained_settings import PretrainedModelSettings
from models.segmentation.image_sizes import size_fault

FCN_RESNET_PARAMETERS = 32_946_240  # backbone resnet50, no auxiliary head, without the last layer
FCN_RESNET_PARAMETERS_PER_CHANNEL = 513  # 512 weights and a bias of the last layer
DEEPLABV3_PARAMETERS = 39_633_472  # the same
DEEPLABV3_PARAMETERS_PER_CHANNEL = 257
LRASPP_PARAMETERS = 3_217_968
LRASPP_PARAMETERS_PER_CHANNEL = 170  # of two last layers, with 128 and 40 inputs

RESNET_STRIDE = 8  # the last two stages are dilated instead
MOBILENET_STRIDE = 16


class _WithAuxiliaryHead(PretrainedModelSettings):
    """Fields of networks that may train a second head along."""

    auxiliary_weight: float = Field(
        0.0,
        ge=0,
        le=1,
        description="Weight of the loss of a second, smaller head on an earlier stage of the "
        "backbone, which is left out of predictions; 0: no such head. torchvision trains "
        "with 0.5.",
    )


class FCNResNetSettings(_WithAuxiliaryHead):
    """Fields of torchvision's FCN: a dilated ResNet and a head without copies across."""

    name: Literal["fcn_resnet"] = "fcn_resnet"
    backbone: Literal["resnet50", "resnet101"] = Field("resnet50", description="Feature network.")


class DeepLabV3Settings(_WithAuxiliaryHead):
    """Fields of torchvision's DeepLabv3 (Chen et al. 2017): rates 12, 24, 36, no CRF."""

    name: Literal["deeplabv3"] = "deeplabv3"
    backbone: Literal["resnet50", "resnet101", "mobilenet_v3_large"] = Field(
        "resnet50", description="Feature network; the ResNets at stride 8, the MobileNet at 16."
    )


class LRASPPSettings(PretrainedModelSettings):
    """Fields of torchvision's LR-ASPP on MobileNetV3-Large (Howard et al. 2019)."""

    name: Literal["lraspp"] = "lraspp"


TorchvisionSettings = FCNResNetSettings | DeepLabV3Settings | LRASPPSettings


def backbone_of(settings: TorchvisionSettings) -> str:
    """Return the name of the feature network."""
    return "mobilenet_v3_large" if isinstance(settings, LRASPPSettings) else settings.backbone


def torchvision_size_rule(settings: TorchvisionSettings, image_size: int) -> str | None:
    """Return None where the network takes images of this side, else what must hold."""
    is_mobile = backbone_of(settings) == "mobilenet_v3_large"
    stride = MOBILENET_STRIDE if is_mobile else RESNET_STRIDE
    return size_fault(settings.name, image_size, stride=stride)
