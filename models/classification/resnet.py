"""ResNets of 18 to 152 layers (He et al. 2016, table 1), as torchvision builds them."""

from torch import Tensor, nn
from torchvision import models  # type: ignore[import-untyped]

from models.class_rows import ClassRows
from models.classification.resnet_settings import ResNetSettings
from models.pretrained import LoadedWeights, WeightsSource, load_into

WEIGHTS = {
    18: models.ResNet18_Weights.IMAGENET1K_V1,
    34: models.ResNet34_Weights.IMAGENET1K_V1,
    50: models.ResNet50_Weights.IMAGENET1K_V1,
    101: models.ResNet101_Weights.IMAGENET1K_V1,
    152: models.ResNet152_Weights.IMAGENET1K_V1,
}
LAST = "fc."


class ResNet(nn.Module):
    """Images (b, 3, h, w) to logits (b, classes)."""

    def __init__(self, settings: ResNetSettings, classes: int) -> None:
        super().__init__()
        network = models.get_model(f"resnet{settings.depth}")
        width = network.fc.in_features
        network.fc = nn.Identity()
        self.features: nn.Module = network
        self.output = nn.Linear(width, classes)

    @property
    def class_rows(self) -> tuple[ClassRows, ...]:
        """Return where the logits are computed."""
        return (ClassRows("output"),)

    def forward(self, images: Tensor) -> Tensor:
        """Return the logits of the features' mean over the image."""
        logits: Tensor = self.output(self.features(images))
        return logits


def build_resnet(settings: ResNetSettings, out_channels: int) -> ResNet:
    """Build the network with random weights."""
    return ResNet(settings, out_channels)


def load_resnet(network: ResNet, settings: ResNetSettings) -> tuple[LoadedWeights, ...]:
    """Give all layers but the last the weights of ImageNet.

    Raises:
        PretrainedWeightsError: they cannot be had.
        OSError: the disk is full.
    """
    source = WeightsSource.named_by_hash(WEIGHTS[settings.depth].url)
    return (load_into(network.features, source, rename=_name_in_features),)


def _name_in_features(name: str) -> str | None:
    return None if name.startswith(LAST) else name
