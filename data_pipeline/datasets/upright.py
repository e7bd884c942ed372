"""Pictures that lie on their side or head, turned upright together with their boxes."""

from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from data_pipeline.datasets.dataset import Item
from data_pipeline.faults import Fault
from data_pipeline.samples import DetectionSample


@dataclass(frozen=True, slots=True)
class TurnedImage:
    """An image that is read as another one and then turned; boxes only, no masks."""

    stored: Item
    quarter_turns: int  # counterclockwise, 1 to 3

    @property
    def image_id(self) -> str:
        """Id of the stored image."""
        return self.stored.image_id

    @property
    def group(self) -> str:
        """Group of the stored image."""
        return self.stored.group

    @property
    def classes(self) -> tuple[str, ...]:
        """Classes of the stored image."""
        return self.stored.classes

    @property
    def files(self) -> tuple[Path, ...]:
        """Files of the stored image."""
        return self.stored.files

    def faults(self) -> tuple[Fault, ...]:
        """Return what is wrong with the stored image's annotation."""
        return self.stored.faults()

    def read(self) -> DetectionSample:
        """Decode the stored image and turn it.

        Raises:
            DataError: The picture is missing or damaged.
        """
        sample = self.stored.read()
        if not isinstance(sample, DetectionSample):
            raise TypeError(f"only boxes can be turned, got a {type(sample).__name__}")
        for _ in range(self.quarter_turns):
            sample = turned(sample)
        return replace(sample, image=np.ascontiguousarray(sample.image))


def turned(sample: DetectionSample) -> DetectionSample:
    """Turn an image and its boxes by 90 degrees counterclockwise."""
    x1, y1, x2, y2 = sample.boxes_xyxy.T
    width = sample.image.shape[1]
    return replace(
        sample,
        image=np.rot90(sample.image),
        stored_hw=(sample.stored_hw[1], sample.stored_hw[0]),
        boxes_xyxy=np.stack((y1, width - x2, y2, width - x1), axis=1).astype(np.float32),
    )
