"""Pictures that nobody labelled, made into a network's input as those of a split are."""

from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from data_pipeline.datasets.annotated import is_turned
from data_pipeline.images import read_image
from data_pipeline.loading.resizing import Placement, placement
from data_pipeline.settings import DataSettings
from data_pipeline.transforms.batches import normalized


def read_picture(file: Path, settings: DataSettings) -> NDArray[np.uint8]:
    """Decode a picture as the dataset's are: turned by EXIF where these were.

    Returns:
        (h, w, 3) RGB.

    Raises:
        DataError: There is no such file, or it is damaged or no picture.
    """
    return read_image(file, turned=is_turned(settings))


def network_input(pixels: NDArray[np.uint8], settings: DataSettings) -> tuple[Tensor, Placement]:
    """Return a picture at the network's input size, and where on the input it lies.

    Args:
        pixels: (h, w, 3) RGB.
        settings: Of the network's training data.

    Returns:
        (3, h, w) uint8, or float32 where the study normalises; and the place.
    """
    height, width = pixels.shape[:2]
    place = placement(settings.resize, settings.image_size, (height, width))
    image = torch.from_numpy(place.image(pixels)).permute(2, 0, 1)
    if settings.normalize is not None:
        image = normalized(image, settings.normalize)
    return image, place
