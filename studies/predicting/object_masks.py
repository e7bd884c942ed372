"""An object's mask at the picture's own size, kept as small as the object."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from data_pipeline.loading.restoring import Restorer
from models.metrics.coco_ap import encoded
from models.metrics.scored_images import Rle
from models.predictions import FoundMask

MARGIN = 2.0  # pixels of the network's input around a mask into which interpolating may reach


@dataclass(frozen=True, slots=True)
class ObjectMask:
    """A part of a picture, and which of its pixels are of the object."""

    top: int
    left: int
    pixels: NDArray[np.bool_]  # (h, w)

    @property
    def rows(self) -> slice:
        """Rows of the picture."""
        return slice(self.top, self.top + self.pixels.shape[0])

    @property
    def columns(self) -> slice:
        """Columns of the picture."""
        return slice(self.left, self.left + self.pixels.shape[1])

    def run_lengths(self, size_hw: tuple[int, int]) -> Rle:
        """Return the mask of the whole picture as COCO's run lengths."""
        whole = np.zeros((1, *size_hw), np.bool_)
        whole[0, self.rows, self.columns] = self.pixels
        [lengths] = encoded(whole)
        return {"size": list(size_hw), "counts": lengths["counts"].decode("ascii")}


def object_mask(
    mask: FoundMask, restorer: Restorer, input_hw: tuple[int, int], *, threshold: float
) -> ObjectMask:
    """Bring a mask back to the picture: what is at least as probable as the threshold.

    Args:
        mask: As the network returns it.
        restorer: Of the network's input and the picture.
        input_hw: Of the network's input.
        threshold: Of probability.
    """
    height, width = mask.values.shape
    place, (down, across) = restorer.place, restorer.scale
    rows = _span(mask.top - place.top, height, down, restorer.picture_hw[0])
    columns = _span(mask.left - place.left, width, across, restorer.picture_hw[1])
    maps = np.zeros((1, *input_hw), np.float32)
    maps[0, mask.top : mask.top + height, mask.left : mask.left + width] = mask.values.numpy()
    values = restorer.band(maps, rows)[0, :, columns]
    is_object = (values >= threshold) & restorer.seen(rows)[:, columns]
    return ObjectMask(rows.start, columns.start, is_object)


def _span(start: int, length: int, scale: float, most: int) -> slice:
    """Return which pixels of the picture a stretch of the input may reach."""
    first = int(np.floor((start - MARGIN) * scale))
    last = int(np.ceil((start + length + MARGIN) * scale))
    return slice(min(most, max(0, first)), min(most, max(0, last)))
