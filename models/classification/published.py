"""What is published of these networks: accuracy on ImageNet, and the image size. Torch-free.

All are of the 50,000 validation images of ILSVRC 2012, one network and one crop of each image,
unless `source` says more. They say what a network can do, not what it will do on other pictures.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from models.settings import ModelSettings

TORCHVISION = "torchvision, metadata of the weights IMAGENET1K_V1"
Value = int | str | bool


@dataclass(frozen=True, slots=True)
class Published:
    """Accuracy of one network of the catalog, in one of its variants."""

    model: str  # as in the catalog
    settings: Mapping[str, Value]  # of `model`, that make it the variant; others have no say
    top1: float | None  # share of images in [0, 1]; None: not published
    top5: float | None
    image_size: int  # side of the square that the network saw, pixels
    source: str
    # "weights": scored by the file that `pretrained: imagenet` loads; "paper": by its authors.
    by: Literal["weights", "paper"] = field(default="weights")

    @property
    def label(self) -> str:
        """Return the name and the values that make it the variant: "vgg 16 batch_norm"."""
        values = [
            name if value is True else str(value)
            for name, value in self.settings.items()
            if value is not False
        ]
        return " ".join((self.model, *values))


def _of_torchvision(
    model: str, settings: Mapping[str, Value], top1: float, top5: float, image_size: int = 224
) -> Published:
    """Return a row of per cents, as torchvision prints them."""
    return Published(
        model, settings, round(top1 / 100, 5), round(top5 / 100, 5), image_size, TORCHVISION
    )


PUBLISHED: tuple[Published, ...] = (
    Published(
        "lenet5",
        {"form": "paper"},
        None,
        None,
        32,
        "LeCun et al. 1998: of digits alone, 99.05 % of MNIST's test images",
        by="paper",
    ),
    Published(
        "alexnet",
        {"form": "paper"},
        0.593,
        0.818,
        227,
        "Krizhevsky et al. 2012, table 2, one network; mean of ten crops",
        by="paper",
    ),
    _of_torchvision("alexnet", {"form": "torchvision"}, 56.522, 79.066),
    Published(
        "zfnet",
        {},
        0.616,
        0.835,
        224,
        "Zeiler & Fergus 2014, table 2, one network; mean of ten crops",
        by="paper",
    ),
    _of_torchvision("vgg", {"depth": 11, "batch_norm": False}, 69.020, 88.628),
    _of_torchvision("vgg", {"depth": 13, "batch_norm": False}, 69.928, 89.246),
    _of_torchvision("vgg", {"depth": 16, "batch_norm": False}, 71.592, 90.382),
    _of_torchvision("vgg", {"depth": 19, "batch_norm": False}, 72.376, 90.876),
    _of_torchvision("vgg", {"depth": 11, "batch_norm": True}, 70.370, 89.810),
    _of_torchvision("vgg", {"depth": 13, "batch_norm": True}, 71.586, 90.374),
    _of_torchvision("vgg", {"depth": 16, "batch_norm": True}, 73.360, 91.516),
    _of_torchvision("vgg", {"depth": 19, "batch_norm": True}, 74.218, 91.842),
    _of_torchvision("googlenet", {}, 69.778, 89.530),
    _of_torchvision("inception_v3", {}, 77.294, 93.450, 299),
    Published(
        "inception_v4",
        {},
        0.800,
        0.950,
        299,
        "Szegedy et al. 2017, table 2: errors of 20.0 % and 5.0 %, as we recall it of validation "
        "images that are not blacklisted, of which there are fewer than 50,000",
        by="paper",
    ),
    _of_torchvision("resnet", {"depth": 18}, 69.758, 89.078),
    _of_torchvision("resnet", {"depth": 34}, 73.314, 91.420),
    _of_torchvision("resnet", {"depth": 50}, 76.130, 92.862),
    _of_torchvision("resnet", {"depth": 101}, 77.374, 93.546),
    _of_torchvision("resnet", {"depth": 152}, 78.312, 94.046),
    Published("xception", {}, 0.790, 0.945, 299, "Chollet 2017, table 1", by="paper"),
    Published(
        "mobilenet_v1", {}, 0.706, None, 224, "Howard et al. 2017, table 8 (top-1)", by="paper"
    ),
    _of_torchvision("mobilenet_v2", {}, 71.878, 90.286),
    _of_torchvision("mobilenet_v3", {"version": "small"}, 67.668, 87.402),
    _of_torchvision("mobilenet_v3", {"version": "large"}, 74.042, 91.340),
    _of_torchvision("efficientnet", {"version": "b0"}, 77.692, 93.532),
    _of_torchvision("efficientnet", {"version": "b1"}, 78.642, 94.186, 240),
    _of_torchvision("efficientnet", {"version": "b2"}, 80.608, 95.310, 288),
    _of_torchvision("efficientnet", {"version": "b3"}, 82.008, 96.054, 300),
    _of_torchvision("efficientnet", {"version": "b4"}, 83.384, 96.594, 380),
    _of_torchvision("efficientnet", {"version": "b5"}, 83.444, 96.628, 456),
    _of_torchvision("efficientnet", {"version": "b6"}, 84.008, 96.916, 528),
    _of_torchvision("efficientnet", {"version": "b7"}, 84.122, 96.908, 600),
)


def published_of(settings: ModelSettings) -> Published | None:
    """Return what is published of a network with these settings; None: nothing that is known.

    A network of another width than the published one is another network.
    """
    if getattr(settings, "width", 1.0) != 1.0:
        return None
    for each in PUBLISHED:
        if each.model == settings.name and all(
            getattr(settings, name) == value for name, value in each.settings.items()
        ):
            return each
    return None
