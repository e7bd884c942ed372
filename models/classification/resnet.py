"""ResNets of 18 to 152 layers (He et al. 2016, table 1), as torchvision builds them."""

from torchvision import models  # type: ignore[import-untyped]

from models.classification.resnet_settings import ResNetSettings
from models.classification.trunks import PublishedNames, TrunkNetwork, load_trunk
from models.pretrained import LoadedWeights, WeightsSource

WEIGHTS = {
    18: models.ResNet18_Weights.IMAGENET1K_V1,
    34: models.ResNet34_Weights.IMAGENET1K_V1,
    50: models.ResNet50_Weights.IMAGENET1K_V1,
    101: models.ResNet101_Weights.IMAGENET1K_V1,
    152: models.ResNet152_Weights.IMAGENET1K_V1,
}
LAST = "fc"


def build_resnet(settings: ResNetSettings, out_channels: int) -> TrunkNetwork:
    """Build the network with random weights, drawn as torchvision does."""
    network = models.get_model(f"resnet{settings.depth}", num_classes=out_channels)
    return TrunkNetwork(network, LAST)


def load_resnet(network: TrunkNetwork, settings: ResNetSettings) -> tuple[LoadedWeights, ...]:
    """Give a network the weights of ImageNet; of the last layer if `taking_classes`.

    Raises:
        PretrainedWeightsError: they cannot be had.
        OSError: the disk is full.
    """
    source = WeightsSource.named_by_hash(WEIGHTS[settings.depth].url)
    return load_trunk(network, source, PublishedNames(LAST))
