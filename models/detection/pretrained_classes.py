"""Which classes the published detectors know, in the order of their output rows.

Their rows can so be carried over to the classes of a study, by name.
"""

from torchvision.models.detection import (  # type: ignore[import-untyped]
    FasterRCNN_ResNet50_FPN_Weights,
)

from models.detection.darknet.class_names import COCO_NAMES, VOC_NAMES

UNUSED = "N/A"  # ids of COCO that no object has


def torchvision_coco() -> tuple[str, ...]:
    """Return the 90 ids of COCO that torchvision's detectors have rows for, without background."""
    names = FasterRCNN_ResNet50_FPN_Weights.COCO_V1.meta["categories"][1:]
    return tuple(f"unused {i}" if name == UNUSED else name for i, name in enumerate(names, 1))


def torchvision_coco_with_zero() -> tuple[str, ...]:
    """Return the ids of COCO for detectors whose rows begin with id 0, which no object has."""
    return "unused 0", *torchvision_coco()


def darknet_coco() -> tuple[str, ...]:
    """Return COCO's 80 classes, as in Darknet's files."""
    return COCO_NAMES


def darknet_voc() -> tuple[str, ...]:
    """Return VOC's 20 classes, as in Darknet's files."""
    return VOC_NAMES
