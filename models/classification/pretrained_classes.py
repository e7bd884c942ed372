"""Which classes the published classifiers know, in the order of their output rows.

Their rows can so be carried over to the classes of a study, by name.
"""

from torchvision.models import ResNet18_Weights  # type: ignore[import-untyped]


def imagenet() -> tuple[str, ...]:
    """Return the 1,000 classes of ILSVRC 2012, in the order of torchvision and timm."""
    return tuple(ResNet18_Weights.IMAGENET1K_V1.meta["categories"])
