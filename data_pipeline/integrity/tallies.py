"""How often each class occurs in a split, and how large its boxes are; decodes nothing."""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field

from data_pipeline.datasets.annotated_image import AnnotatedImage
from data_pipeline.datasets.dataset import Dataset
from data_pipeline.datasets.labels import BACKGROUND
from data_pipeline.datasets.records import clipped, in_pixels
from data_pipeline.integrity.findings import ClassCount, FileFacts

Size = tuple[float, float]  # width, height, pixels


@dataclass(frozen=True, slots=True)
class Tally:
    """Counts of a split."""

    classes: tuple[ClassCount, ...]  # in label order; background is no class
    boxes_wh: tuple[Size, ...]  # of every object, clipped to its picture, pixels on disk


@dataclass(slots=True)
class _Objects:
    """What was counted so far; crowds are no objects, for they are never a training target."""

    per_class: Counter[str] = field(default_factory=Counter)
    boxes_wh: list[Size] = field(default_factory=list)


def tally(dataset: Dataset, facts: Mapping[str, FileFacts]) -> Tally:
    """Count images and objects of every class, and measure boxes."""
    images = Counter(name for item in dataset.items for name in item.classes)
    annotated = [item for item in dataset.items if isinstance(item, AnnotatedImage)]
    found = _objects(annotated, facts)
    has_objects = bool(annotated) and annotated[0].reading.task != "semantic_segmentation"
    return Tally(
        classes=tuple(
            ClassCount(name, images[name], found.per_class[name] if has_objects else None)
            for name in dataset.class_names
            if name != BACKGROUND
        ),
        boxes_wh=tuple(found.boxes_wh) if has_objects else (),
    )


def _objects(items: Iterable[AnnotatedImage], facts: Mapping[str, FileFacts]) -> _Objects:
    found = _Objects()
    for item in items:
        size_hw = facts[item.image_id].size_hw
        if size_hw is None:  # its annotation is of no use either
            continue
        for name, box_wh in _boxes(item, size_hw):
            found.per_class[name] += 1
            found.boxes_wh.append(box_wh)
    return found


def _boxes(item: AnnotatedImage, size_hw: tuple[int, int]) -> Iterator[tuple[str, Size]]:
    for thing in in_pixels(item.place.record(), size_hw).objects:
        if thing.is_crowd or thing.class_name not in item.reading.labels:
            continue
        box = clipped(thing.box_xyxy, size_hw)
        if box is not None:
            yield thing.class_name, (box[2] - box[0], box[3] - box[1])
