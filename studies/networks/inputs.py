"""What goes through the networks that are timed: pictures of a folder, or noise."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from data_pipeline.images import read_image
from models.tasks.segmentation import scaled
from studies.predicting.pictures import find_pictures

MOST_PICTURES = 16  # a clock sees no difference between more
NOISE_SEED = 0


@dataclass(frozen=True, slots=True)
class Pictures:
    """Pictures as they were decoded; none of them means noise."""

    name: str  # for people: "16 pictures of photos", "noise"
    decoded: tuple[NDArray[np.uint8], ...] = ()  # (h, w, 3) RGB each

    def batches(self, image_size: int, batch_size: int) -> list[Tensor]:
        """Return (b, 3, image_size, image_size) float32 each, colours scaled as in training.

        Pictures are gone through again from the first where the last batch is not full.
        """
        if not self.decoded:
            generator = torch.Generator().manual_seed(NOISE_SEED)
            shape = (batch_size, 3, image_size, image_size)
            return [2 * torch.rand(shape, generator=generator) - 1]
        sides = (image_size, image_size)
        resized = [cv2.resize(each, sides, interpolation=cv2.INTER_AREA) for each in self.decoded]
        count = -(-len(resized) // batch_size) * batch_size
        taken = np.stack([resized[index % len(resized)] for index in range(count)])
        pixels = torch.from_numpy(taken).permute(0, 3, 1, 2).contiguous()
        return list(torch.split(scaled(pixels), batch_size))


NOISE = Pictures("noise")


def pictures_of(folder: str) -> Pictures:
    """Decode the first pictures of a folder, and of the folders below it.

    Raises:
        NoPictureError: it holds none.
        DataError: one of them cannot be decoded.
    """
    files: Sequence[Path] = [each.file for each in find_pictures([folder], {})][:MOST_PICTURES]
    noun = "picture" if len(files) == 1 else "pictures"
    name = Path(folder).resolve().name
    return Pictures(f"{len(files)} {noun} of {name}", tuple(read_image(f) for f in files))
