"""Pictures with annotated objects, in whatever format they were written.

A reader turns its format into `ImageRecord`s and calls `annotated_dataset`, or `indexed_dataset`
of `annotation_index.py` where its files may be large.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path

from data_pipeline.datasets.annotated_image import AnnotatedImage, Reading
from data_pipeline.datasets.dataset import Dataset
from data_pipeline.datasets.labels import chosen_classes, task_labels
from data_pipeline.datasets.record_faults import record_faults
from data_pipeline.datasets.records import (
    USES,
    ImageRecord,
    ObjectRecord,
    Outline,
    uses_by_class,
)
from data_pipeline.datasets.settings.boxes import BoxData, TurnableBoxData
from data_pipeline.faults import Fault, bounded
from data_pipeline.paths import name_problem
from data_pipeline.settings import DataSettings

__all__ = ["ImageRecord", "ObjectRecord", "Outline", "annotated_dataset"]  # what readers need


def annotated_dataset(
    settings: DataSettings,
    task: str,
    records: Iterable[ImageRecord | Fault],
    *,
    folder: Path,
    known: Sequence[str],
    faults: Iterable[Fault] = (),
) -> Dataset:
    """Make a dataset of records, which stay in memory.

    An image is kept if it has an object, not only a crowd, of a chosen class that the task can
    use, or if `keep_empty` says so. Images without any annotation, and those whose objects are
    all at fault, are in the dataset's faults.

    Args:
        settings: The study's; `classes` and `keep_empty` are used.
        task: object_detection, instance_segmentation or semantic_segmentation.
        records: Every image of the split, and faults found among them.
        folder: What the file names of the records are relative to.
        known: Every class of the dataset, in its order.
        faults: Further ones, read after all records.

    Raises:
        DataError: A chosen class is unknown, or an image is listed twice.
    """
    reading = reading_of(settings, task, folder=folder, known=known)
    items: list[AnnotatedImage] = []

    def found() -> Iterator[Fault]:
        for record in records:
            if isinstance(record, Fault):
                yield record
            elif (fault := unsafe_name(record)) is not None:
                yield fault
            else:
                uses = uses_by_class(record)
                classes = usable_classes(uses, reading)
                if classes or keeps_empty(settings):
                    items.append(
                        AnnotatedImage(record.image_id, classes, record.file_name, record, reading)
                    )
                else:
                    yield from left_out(record, reading)
        yield from faults

    all_faults = bounded(found())
    return Dataset(task_labels(settings, task, known), tuple(items), all_faults)


def reading_of(
    settings: DataSettings, task: str, *, folder: Path, known: Sequence[str]
) -> Reading:
    """Return what a study makes of the records of a split."""
    first = 1 if task == "semantic_segmentation" else 0  # 0 is background in a label map
    labels = {name: n for n, name in enumerate(chosen_classes(settings, known), start=first)}
    return Reading(task, folder, labels, frozenset(known), is_turned(settings))


def is_turned(settings: DataSettings) -> bool:
    """Say whether pictures are turned by EXIF before anything is read off them."""
    return isinstance(settings, TurnableBoxData) and settings.orientation == "exif"


def keeps_empty(settings: DataSettings) -> bool:
    """Say whether images without an object of a chosen class belong to the dataset."""
    return isinstance(settings, BoxData) and settings.keep_empty


def unsafe_name(record: ImageRecord) -> Fault | None:
    """Return the fault of a file name that no one may open; by its text, links are not seen."""
    problem = name_problem(record.file_name)
    if problem is None:
        return None
    message = f"file name {record.file_name!r:.200} {problem}"
    return Fault("unsafe_path", record.image_id, message, "sample")


def usable_classes(uses: dict[str, int], reading: Reading) -> tuple[str, ...]:
    """Return the chosen classes that the picture has a usable object of, in label order."""
    need = USES[reading.task]
    names = (name for name, use in uses.items() if use & need and name in reading.labels)
    return tuple(sorted(names, key=reading.labels.__getitem__))


def left_out(record: ImageRecord, reading: Reading) -> tuple[Fault, ...]:
    """Return why an image that should have counted does not; () where it just has other things."""
    faults = record_faults(
        record,
        reading.task,
        chosen=reading.labels,
        known=reading.known,
        size_hw=record.size_hw,
    )
    return tuple(
        replace(fault, leaves_out="unused" if fault.leaves_out == "nothing" else "sample")
        for fault in faults
    )
