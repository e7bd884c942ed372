"""Published networks as what they see in a picture, and a last layer that decides.

    pixels    what brings images to the units that the weights know, where those differ
    features  the published network, whose last layer passes on what it is given
    output    that last layer, for the classes of a study

Layers of `features` keep their published names, so that pretrained weights find their places and
a study can name them: features.layer4 of a ResNet.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

from torch import Tensor, nn

from models.class_rows import ClassRows
from models.classification.pixels import PixelUnits
from models.pretrained import LoadedWeights, WeightsSource, load_into, takes_classes


class PublishedNames(NamedTuple):
    """What a file of weights calls some layers."""

    last: str  # layer, of classes
    others: tuple[str, ...] = ()  # layers of classes of auxiliary heads, which are in `features`
    absent: tuple[str, ...] = ()  # layers that the network lacks


class TrunkNetwork(nn.Module):
    """Images (b, 3, h, w) to logits (b, classes).

    Args:
        network: The published one, built for as many classes.
        last: Name of its last layer, which is taken out of it.
        pixels: Brings images to what its weights know; None: they know them as they are.
    """

    def __init__(self, network: nn.Module, last: str, pixels: PixelUnits | None = None) -> None:
        super().__init__()
        self.pixels = pixels
        parent, _, name = last.rpartition(".")
        holder = network.get_submodule(parent)
        output = getattr(holder, name)
        setattr(holder, name, nn.Identity())
        self.features = network
        self.output: nn.Module = output

    @property
    def class_rows(self) -> tuple[ClassRows, ...]:
        """Return where the logits are computed."""
        return (ClassRows("output"),)

    def forward(self, images: Tensor) -> Tensor:
        """Return the logits."""
        logits: Tensor = self.output(self.seen(images))
        return logits

    def seen(self, images: Tensor) -> Any:  # noqa: ANN401  # with other heads, theirs too
        """Return what the published network returns."""
        return self.features(images if self.pixels is None else self.pixels(images))


def load_trunk(
    network: nn.Module, source: WeightsSource, names: PublishedNames
) -> tuple[LoadedWeights, ...]:
    """Give a network weights of ImageNet; the layers of classes where it is `taking_classes`.

    Raises:
        PretrainedWeightsError: they cannot be had.
        OSError: the disk is full.
    """
    is_whole = takes_classes()
    left_out = names.absent if is_whole else (*names.absent, *names.others)
    besides = ["pixels", *(f"features.{name}" for name in left_out)]
    besides += [] if is_whole else ["output"]
    return (load_into(network, source, rename=_renaming(names.last), besides=besides),)


def _renaming(last: str) -> Callable[[str], str | None]:
    def rename(name: str) -> str | None:
        layer, _, kind = name.rpartition(".")
        return f"output.{kind}" if layer == last else f"features.{name}"

    return rename
