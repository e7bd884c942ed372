"""The thirteen convolutions of VGG-16, stage by stage (Simonyan & Zisserman 2015)."""

from collections.abc import Callable, Mapping

from torch import nn
from torchvision.models import VGG16_BN_Weights, VGG16_Weights  # type: ignore[import-untyped]

from models.pretrained import WeightsSource
from models.segmentation.initialisation import draw_rectified

CONVOLUTIONS = (2, 2, 3, 3, 3)  # of each stage; a pooling follows each


def vgg16_widths(base_channels: int) -> list[int]:
    """Return the channels of each stage: 64, 128, 256, 512, 512 of the published network."""
    return [base_channels * min(2**stage, 8) for stage in range(len(CONVOLUTIONS))]


def vgg16_stages(
    base_channels: int, *, batch_norm: bool, image_padding: int = 1, image_channels: int = 3
) -> nn.ModuleList:
    """Build the layers between the poolings, which are left out: a network pools its own way.

    Args:
        base_channels: of the first stage.
        batch_norm: whether each convolution is normalised.
        image_padding: zeros around the image, pixels.
        image_channels: of the image.
    """
    stages: list[nn.Module] = []
    channels, padding = image_channels, image_padding
    for width, convolutions in zip(vgg16_widths(base_channels), CONVOLUTIONS, strict=True):
        layers: list[nn.Module] = []
        for _ in range(convolutions):
            layers += convolution_layers(channels, width, batch_norm=batch_norm, padding=padding)
            channels, padding = width, 1
        stages.append(nn.Sequential(*layers))
    return nn.ModuleList(stages).apply(draw_rectified)


def convolution_layers(
    before: int, after: int, *, batch_norm: bool, padding: int = 1
) -> list[nn.Module]:
    """Build a 3x3 convolution and what follows it."""
    layers: list[nn.Module] = [nn.Conv2d(before, after, 3, padding=padding)]
    if batch_norm:
        layers.append(nn.BatchNorm2d(after))
    return [*layers, nn.ReLU(inplace=True)]


def vgg16_source(*, batch_norm: bool) -> WeightsSource:
    """Return where torchvision's weights of ImageNet's classifier are."""
    weights = VGG16_BN_Weights if batch_norm else VGG16_Weights
    return WeightsSource.named_by_hash(weights.IMAGENET1K_V1.url)


def stage_layers(stages: nn.ModuleList) -> dict[str, str]:
    """Return layer of torchvision's network -> layer of `stages`.

    Torchvision numbers all layers from the image on, the poolings among them: its "features.7"
    is "1.2" here.
    """
    layers: dict[str, str] = {}
    first = 0
    for number, stage in enumerate(stages):
        positions = range(len(list(stage.children())))
        layers |= {f"features.{first + place}": f"{number}.{place}" for place in positions}
        first += len(positions) + 1
    return layers


def rename_by(layers: Mapping[str, str]) -> Callable[[str], str | None]:
    """Return what renames the weights of the layers named, and leaves all others out."""

    def rename(name: str) -> str | None:
        layer, _, kind = name.rpartition(".")
        return f"{layers[layer]}.{kind}" if layer in layers else None

    return rename
