"""torchvision's MobileNetV2, MobileNetV3 and EfficientNet."""

from typing import Any, NamedTuple

from torchvision import models  # type: ignore[import-untyped]

from models.classification.torchvision_settings import (
    EFFICIENTNET_DROPOUT,
    EfficientNetSettings,
    MobileNetV2Settings,
    MobileNetV3Settings,
    TorchvisionSettings,
)
from models.classification.trunks import PublishedNames, TrunkNetwork, load_trunk
from models.pretrained import LoadedWeights, WeightsSource


class Version(NamedTuple):
    """One of torchvision's networks."""

    weights: Any  # torchvision's enum member
    last: str  # layer

    def build(self, **arguments: Any) -> TrunkNetwork:  # noqa: ANN401  # torchvision's
        """Build it with random weights, drawn as torchvision does."""
        name = type(self.weights).__name__.removesuffix("_Weights").lower()
        return TrunkNetwork(models.get_model(name, weights=None, **arguments), self.last)


MOBILENET_V2 = Version(models.MobileNet_V2_Weights.IMAGENET1K_V1, "classifier.1")
MOBILENET_V3 = {
    "small": Version(models.MobileNet_V3_Small_Weights.IMAGENET1K_V1, "classifier.3"),
    "large": Version(models.MobileNet_V3_Large_Weights.IMAGENET1K_V1, "classifier.3"),
}
EFFICIENTNETS = {
    "b0": Version(models.EfficientNet_B0_Weights.IMAGENET1K_V1, "classifier.1"),
    "b1": Version(models.EfficientNet_B1_Weights.IMAGENET1K_V1, "classifier.1"),
    "b2": Version(models.EfficientNet_B2_Weights.IMAGENET1K_V1, "classifier.1"),
    "b3": Version(models.EfficientNet_B3_Weights.IMAGENET1K_V1, "classifier.1"),
    "b4": Version(models.EfficientNet_B4_Weights.IMAGENET1K_V1, "classifier.1"),
    "b5": Version(models.EfficientNet_B5_Weights.IMAGENET1K_V1, "classifier.1"),
    "b6": Version(models.EfficientNet_B6_Weights.IMAGENET1K_V1, "classifier.1"),
    "b7": Version(models.EfficientNet_B7_Weights.IMAGENET1K_V1, "classifier.1"),
}


def build_mobilenet_v2(settings: MobileNetV2Settings, out_channels: int) -> TrunkNetwork:
    """Build MobileNetV2 with random weights."""
    return MOBILENET_V2.build(
        num_classes=out_channels, width_mult=settings.width, dropout=settings.dropout
    )


def build_mobilenet_v3(settings: MobileNetV3Settings, out_channels: int) -> TrunkNetwork:
    """Build one of the two MobileNetV3 with random weights."""
    return MOBILENET_V3[settings.version].build(
        num_classes=out_channels, width_mult=settings.width, dropout=settings.dropout
    )


def build_efficientnet(settings: EfficientNetSettings, out_channels: int) -> TrunkNetwork:
    """Build an EfficientNet with random weights."""
    dropout = settings.dropout
    if dropout is None:
        dropout = EFFICIENTNET_DROPOUT[settings.version]
    return EFFICIENTNETS[settings.version].build(
        num_classes=out_channels,
        dropout=dropout,
        stochastic_depth_prob=settings.stochastic_depth,
    )


def load_torchvision(
    network: TrunkNetwork, settings: TorchvisionSettings
) -> tuple[LoadedWeights, ...]:
    """Give a network the weights of ImageNet; of the last layer if `taking_classes`.

    Raises:
        PretrainedWeightsError: they cannot be had.
        OSError: the disk is full.
    """
    version = version_of(settings)
    source = WeightsSource.named_by_hash(version.weights.url)
    return load_trunk(network, source, PublishedNames(version.last))


def version_of(settings: TorchvisionSettings) -> Version:
    """Return which of torchvision's networks the settings are of."""
    if isinstance(settings, MobileNetV2Settings):
        return MOBILENET_V2
    if isinstance(settings, MobileNetV3Settings):
        return MOBILENET_V3[settings.version]
    return EFFICIENTNETS[settings.version]
