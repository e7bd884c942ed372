"""What is to be annotated in a drawn scene, for any layout; small enough to keep thousands."""

from dataclasses import dataclass

import numpy as np
from pycocotools import mask as run_lengths  # type: ignore[import-untyped]

from data_pipeline.scenes.composition import Scene


@dataclass(frozen=True, slots=True)
class DescribedObject:
    """The visible part of an object, or of a crowd."""

    class_name: str
    is_crowd: bool
    box_xyxy: tuple[int, int, int, int]  # pixels; x2 and y2 are one after the last pixel
    area: int  # square pixels of the mask
    runs: str  # the mask as run lengths in COCO's text form: polygons have no holes


@dataclass(frozen=True, slots=True)
class DescribedScene:
    """A scene whose picture is written already."""

    number: int
    file_name: str  # without its folder
    size_hw: tuple[int, int]  # pixels
    objects: tuple[DescribedObject, ...]

    @property
    def image_id(self) -> str:
        """Name of the picture without its ending."""
        return self.file_name.removesuffix(".jpg")


def described(scene: Scene, number: int) -> DescribedScene:
    """Measure the objects of a scene."""
    objects = []
    for thing in scene.objects:
        runs = run_lengths.encode(np.asfortranarray(thing.mask, dtype=np.uint8))
        x, y, width, height = (int(value) for value in run_lengths.toBbox(runs))
        objects.append(
            DescribedObject(
                class_name=thing.class_name,
                is_crowd=thing.is_crowd,
                box_xyxy=(x, y, x + width, y + height),
                area=int(run_lengths.area(runs)),
                runs=runs["counts"].decode(),
            )
        )
    size = (scene.image.shape[0], scene.image.shape[1])
    return DescribedScene(number, f"{number:06d}.jpg", size, tuple(objects))
