"""A picture with annotated objects as a sample of each task.

Object detection and instance segmentation keep crowds, marked so, clip boxes to the picture and
drop those without area. In the label map of semantic segmentation the chosen classes are 1, 2, …
and all else is background, 0; where objects overlap the smaller one is on top; crowds of a chosen
class are `IGNORE` wherever no object is.
"""

import math
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from data_pipeline.datasets.outlines import label_map, outline_mask, outline_problem
from data_pipeline.datasets.record_faults import record_faults
from data_pipeline.datasets.records import Box, ImageRecord, ObjectRecord, clipped, in_pixels
from data_pipeline.errors import DataError, InvalidDataError
from data_pipeline.faults import Fault
from data_pipeline.images import image_size, read_image
from data_pipeline.paths import safe_path
from data_pipeline.samples import DetectionSample, InstanceSample, Sample, SegmentationSample

MASK_BYTES = 4 * 1024**3  # of the masks of one picture, at most


class RecordPlace(Protocol):
    """Where a picture's annotation is: in memory, or in an index on disk."""

    def record(self) -> ImageRecord:
        """Fetch it.

        Raises:
            DataError: The index is gone or damaged.
        """


@dataclass(frozen=True, slots=True)
class Reading:
    """What a study makes of the records of a split; shared by all items."""

    task: str
    folder: Path  # of the pictures
    labels: dict[str, int]  # chosen classes to their label
    known: frozenset[str]  # every class of the dataset
    is_turned: bool = False  # pictures by their EXIF tag, as the annotations take them


@dataclass(frozen=True, slots=True)
class AnnotatedImage:
    """A picture, and where its annotation is."""

    image_id: str  # of its record, or with the split before it
    classes: tuple[str, ...]
    file_name: str
    place: RecordPlace
    reading: Reading

    @property
    def group(self) -> str:
        """Its own: these formats do not say which pictures show the same scene."""
        return self.image_id

    @property
    def files(self) -> tuple[Path, ...]:
        """The picture."""
        return (self.reading.folder / self.file_name,)

    def faults(self) -> tuple[Fault, ...]:
        """Return what is wrong with its annotation; opens the picture's header at most."""
        record = self.place.record()
        return record_faults(
            replace(record, image_id=self.image_id),
            self.reading.task,
            chosen=self.reading.labels,
            known=self.reading.known,
            size_hw=record.size_hw or self._stored_size(),
        )

    def _stored_size(self) -> tuple[int, int] | None:
        try:
            file = safe_path(self.reading.folder, self.file_name)
            return image_size(file, turned=self.reading.is_turned)
        except DataError:
            return None  # `read` will say so

    def read(self) -> Sample:
        """Decode the picture and make the sample of the task.

        Raises:
            DataError: The picture is missing, damaged, not of the annotated size or not in the
                dataset's folder.
        """
        record = self.place.record()
        file = safe_path(self.reading.folder, self.file_name)
        image = read_image(file, turned=self.reading.is_turned)
        size: tuple[int, int] = image.shape[:2]
        if record.size_hw not in (None, size):
            raise self._of_another_size(file, record.size_hw, size)
        objects = [
            (self.reading.labels[thing.class_name], thing)
            for thing in in_pixels(record, size).objects
            if thing.class_name in self.reading.labels
        ]
        if self.reading.task == "semantic_segmentation":
            return SegmentationSample(self.image_id, image, label_map(objects, size))
        return self._boxed(image, objects)

    def _of_another_size(
        self, file: Path, annotated_hw: tuple[int, int] | None, got_hw: tuple[int, int]
    ) -> InvalidDataError:
        turned, other = self.reading.is_turned, ("exif", "stored")
        is_by_exif = image_size(file, turned=not turned) == annotated_hw
        remedy = f"set data.orientation to {other[turned]}" if is_by_exif else "restore the file"
        why = " because of its EXIF orientation" if is_by_exif else ""
        return InvalidDataError(
            f"image {file} must have the annotated height and width {annotated_hw}, "
            f"got {got_hw}{why}; {remedy}",
            kind="image_size",
        )

    def _boxed(
        self, image: NDArray[np.uint8], objects: list[tuple[int, ObjectRecord]]
    ) -> DetectionSample:
        size: tuple[int, int] = image.shape[:2]
        with_masks = self.reading.task == "instance_segmentation"
        kept = [
            (label, thing, box)
            for label, thing in objects
            if (box := clipped(thing.box_xyxy, size)) is not None
            and (not with_masks or _can_be_drawn(thing, size))
        ]
        things = [thing for _, thing, _ in kept]
        fields = DetectionSample(
            image_id=self.image_id,
            image=image,
            stored_hw=size,
            boxes_xyxy=np.array([box for *_, box in kept], dtype=np.float32).reshape(-1, 4),
            labels=np.array([label for label, *_ in kept], dtype=np.int64),
            areas=np.array([_area(t, box, size) for _, t, box in kept], dtype=np.float32),
            is_crowd=np.array([thing.is_crowd for thing in things], dtype=np.bool_),
            is_difficult=np.array([thing.is_difficult for thing in things], dtype=np.bool_),
        )
        return _with_masks(fields, things) if with_masks else fields


def _can_be_drawn(thing: ObjectRecord, size_hw: tuple[int, int]) -> bool:
    return thing.outline is not None and outline_problem(thing.outline, size_hw) is None


def _area(thing: ObjectRecord, box: Box, size_hw: tuple[int, int]) -> float:
    """Return the mask's area if the annotation says one that can be, else the clipped box's."""
    if thing.area is not None and 0 <= thing.area <= math.prod(size_hw):
        return thing.area
    return (box[2] - box[0]) * (box[3] - box[1])


def _with_masks(sample: DetectionSample, things: list[ObjectRecord]) -> InstanceSample:
    """Draw the outlines, which were all found to be drawable."""
    height, width = sample.stored_hw
    if len(things) * height * width > MASK_BYTES:
        raise InvalidDataError(
            f"image '{sample.image_id}' of {height} x {width} pixels has {len(things)} objects, "
            f"whose masks must fit in {MASK_BYTES} bytes; scale it down or leave it out",
            kind="malformed",
        )
    masks = np.zeros((len(things), height, width), dtype=np.bool_)
    for mask, thing in zip(masks, things, strict=True):
        mask[:] = outline_mask(thing.outline or (), sample.stored_hw)
    return InstanceSample(
        image_id=sample.image_id,
        image=sample.image,
        stored_hw=sample.stored_hw,
        boxes_xyxy=sample.boxes_xyxy,
        labels=sample.labels,
        areas=sample.areas,
        is_crowd=sample.is_crowd,
        is_difficult=sample.is_difficult,
        masks=masks,
    )
