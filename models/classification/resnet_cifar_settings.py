"""What a study file may say of the ResNets of CIFAR's pictures; torch-free."""

from typing import Literal

from pydantic import Field

from models.classification.image_sizes import too_small
from models.settings import ModelSettings

COLOURS = 3
FILTERS = (16, 32, 64)  # of the three stages, whose maps are halved from one to the next
USUAL_SIZE = 32  # of CIFAR's pictures
LEAST_SIZE = 5  # leaves maps of 2 pixels a side


class ResNetCifarSettings(ModelSettings):
    """Fields of the ResNets of 6n + 2 layers (He et al. 2016, section 4.2)."""

    name: Literal["resnet_cifar"] = "resnet_cifar"
    depth: Literal[8, 14, 20, 32, 44, 56, 110] = Field(
        20, description="Layers with weights, 6n + 2; the paper's are 20 to 110."
    )

    @property
    def blocks(self) -> int:
        """Blocks of two convolutions in each stage: n."""
        return (self.depth - 2) // 6


def resnet_cifar_parameters(settings: ResNetCifarSettings, classes: int) -> int:
    """Count the weights; the ways around the blocks have none.

    A convolution has 9 in x out weights and, for its normalisation, a scale and a shift of each
    of its `out` maps.
    """
    before, total = COLOURS, 0
    for stage, filters in enumerate(FILTERS):
        convolutions = 2 * settings.blocks + (stage == 0)
        first = (9 * before + 2) * filters
        total += first + (convolutions - 1) * (9 * filters + 2) * filters
        before = filters
    return total + (before + 1) * classes


def resnet_cifar_size_rule(settings: ResNetCifarSettings, image_size: int) -> str | None:
    """Return None where the network takes images of this side, else what must hold."""
    return too_small(
        settings.name,
        image_size,
        least=LEAST_SIZE,
        because="its two halvings",
        usual=USUAL_SIZE,
    )
