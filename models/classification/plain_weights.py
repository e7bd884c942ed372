"""torchvision's weights of AlexNet and VGG, whose layers have the same names here."""

from typing import Any

from torchvision import models  # type: ignore[import-untyped]

from models.classification.plain import PlainNetwork
from models.classification.plain_settings import AlexNetSettings, VGGSettings
from models.pretrained import LoadedWeights, WeightsSource, load_into, takes_classes

ALEXNET_WEIGHTS = models.AlexNet_Weights.IMAGENET1K_V1
VGG_WEIGHTS: dict[tuple[int, bool], Any] = {  # by depth, and whether it normalises batches
    (11, False): models.VGG11_Weights.IMAGENET1K_V1,
    (13, False): models.VGG13_Weights.IMAGENET1K_V1,
    (16, False): models.VGG16_Weights.IMAGENET1K_V1,
    (19, False): models.VGG19_Weights.IMAGENET1K_V1,
    (11, True): models.VGG11_BN_Weights.IMAGENET1K_V1,
    (13, True): models.VGG13_BN_Weights.IMAGENET1K_V1,
    (16, True): models.VGG16_BN_Weights.IMAGENET1K_V1,
    (19, True): models.VGG19_BN_Weights.IMAGENET1K_V1,
}


def load_alexnet(
    network: PlainNetwork,
    settings: AlexNetSettings,  # noqa: ARG001  # there is one file
) -> tuple[LoadedWeights, ...]:
    """Give a network the weights of ImageNet; of the last layer if `taking_classes`.

    Raises:
        PretrainedWeightsError: they cannot be had.
        OSError: the disk is full.
    """
    return _load(network, ALEXNET_WEIGHTS.url)


def load_vgg(network: PlainNetwork, settings: VGGSettings) -> tuple[LoadedWeights, ...]:
    """Give a network the weights of ImageNet; of the last layer if `taking_classes`.

    Raises:
        PretrainedWeightsError: they cannot be had.
        OSError: the disk is full.
    """
    return _load(network, VGG_WEIGHTS[settings.depth, settings.batch_norm].url)


def _load(network: PlainNetwork, url: str) -> tuple[LoadedWeights, ...]:
    (rows,) = network.class_rows
    besides = () if takes_classes() else (rows.layer,)
    return (load_into(network, WeightsSource.named_by_hash(url), besides=besides),)
