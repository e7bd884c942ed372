"""Parse large annotation files once, and open them fast ever after.

    <workspace>/cache/annotations/<hash>/      <hash>.lock beside it while one is made

COCO's JSON of half a gigabyte takes a minute to parse and most of the memory of a laptop; its
index opens in a part of a second. The hash is of the reader's name and of what the annotation
files hold, so that changed files get another index, and those of before are removed unless they
are in use. One process makes it while others wait; it is made under another name and renamed
when whole. Without a disk to write on, files are parsed
into memory every time, with a warning.
"""

import fcntl
import logging
import shutil
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import chain
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from data_pipeline.cache import cache_folder
from data_pipeline.datasets.annotated import (
    annotated_dataset,
    keeps_empty,
    left_out,
    reading_of,
)
from data_pipeline.datasets.annotated_image import AnnotatedImage, Reading
from data_pipeline.datasets.dataset import Dataset
from data_pipeline.datasets.index_files import (
    BrokenIndexError,
    Index,
    open_index,
    write_index,
)
from data_pipeline.datasets.index_use import hold, remove_outdated
from data_pipeline.datasets.labels import task_labels
from data_pipeline.datasets.records import USES, ImageRecord
from data_pipeline.errors import MissingDataError
from data_pipeline.faults import Fault, bounded
from data_pipeline.hashing import files_sha256, hash_of
from data_pipeline.settings import DataSettings

SMALL_BYTES = 4 * 1024**2  # files of less are parsed faster than an index is worth
OTHER_CLASS, UNKNOWN_CLASS = -1, -2  # in place of a label

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Annotations:
    """The annotations of a split, and how to read them."""

    # Name and version, such as "coco/1"; raise the version when `parse` changes. After a space
    # what else decides what is parsed and may change, such as a hash of what pictures there are.
    reader: str
    files: tuple[Path, ...]  # all that `parse` reads; the first one tells splits apart
    parse: Callable[[], Iterator[ImageRecord | Fault]]  # every image, of any class, with faults


def indexed_dataset(
    settings: DataSettings,
    task: str,
    annotations: Annotations,
    *,
    folder: Path,
    known: Sequence[str],
) -> Dataset:
    """Make the dataset of a split; the same one as `annotated_dataset` of all parsed records.

    A reader calls it as
    `indexed_dataset(settings, task, Annotations("voc/1", files, lambda: parsed(files)), …)`.
    What is parsed must follow from the content of `files` alone: not from the settings, unless
    they are in the reader's name, and not from what pictures are on disk.

    Args:
        settings: The study's; `classes` and `keep_empty` are used.
        task: object_detection, instance_segmentation or semantic_segmentation.
        annotations: What to parse; parsed here if it is small or has no index yet.
        folder: What the file names of the records are relative to.
        known: Every class of the dataset, in its order.

    Raises:
        DataError: A file cannot be parsed, a class is unknown, or an image is listed twice.
    """
    index = _index(annotations) if _are_large(annotations.files) else None
    if index is None:
        return annotated_dataset(settings, task, annotations.parse(), folder=folder, known=known)
    reading = reading_of(settings, task, folder=folder, known=known)
    names = task_labels(settings, task, known)
    return _opened(index, reading, names, keep_empty=keeps_empty(settings))


def listed_pictures(annotations: Annotations) -> dict[str, str]:
    """Return image id -> file name of every image, whatever classes are in it.

    Raises:
        DataError: A file cannot be parsed.
    """
    index = _index(annotations) if _are_large(annotations.files) else None
    if index is None:
        records = (found for found in annotations.parse() if isinstance(found, ImageRecord))
        return {record.image_id: record.file_name for record in records}
    every = np.arange(len(index.ends))
    return dict(zip(index.image_ids.at(every), index.file_names.at(every), strict=True))


def _are_large(files: Sequence[Path]) -> bool:
    try:
        return sum(file.stat().st_size for file in files) >= SMALL_BYTES
    except OSError as error:
        raise MissingDataError(
            f"cannot read annotations file {error.filename}: {error.strerror}; restore it"
        ) from error


def _index(annotations: Annotations) -> Index | None:
    """Open the index, made now if there is none; None where it cannot be kept."""
    parent = cache_folder() / "annotations"
    try:
        key = hash_of([annotations.reader, files_sha256(annotations.files)])
        folder = parent / key[:32]
        try:
            return _held(folder)
        except BrokenIndexError:
            with _alone(folder):
                return _made(folder, annotations)
    except (OSError, BrokenIndexError) as error:
        logger.warning(
            "the annotations of %s cannot be indexed in %s (%s) and are parsed anew at each "
            "start; free some space there or set VISIONSTUDY_WORKSPACE to another disk",
            ", ".join(file.name for file in annotations.files),
            parent,
            error,
        )
        return None


def _source(annotations: Annotations) -> str:
    """Name annotations, whatever they hold just now."""
    name, _, _ = annotations.reader.partition(" ")
    return hash_of([name, *(str(file.resolve()) for file in annotations.files[:1])])


def _held(folder: Path) -> Index:
    """Open an index and keep it while this process runs.

    Raises:
        BrokenIndexError: As of `open_index`.
    """
    try:
        hold(folder)
    except OSError as error:
        raise BrokenIndexError(f"{folder}: {error}") from error
    return open_index(folder)


@contextmanager
def _alone(folder: Path) -> Iterator[None]:
    """Wait until no other process makes this index; the lock of a dead one is free."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    with folder.with_suffix(".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _made(folder: Path, annotations: Annotations) -> Index:
    try:
        return _held(folder)  # another process was first
    except BrokenIndexError:
        pass
    unfinished = folder.with_suffix(".unfinished")
    _remove(unfinished)  # of a process that was killed
    try:
        write_index(unfinished, annotations.parse(), source=_source(annotations))
        _remove(folder)
        unfinished.rename(folder)
    finally:
        _remove(unfinished)
    index = _held(folder)
    remove_outdated(folder, _source(annotations))
    return index


def _remove(place: Path) -> None:
    if place.is_dir() and not place.is_symlink():
        shutil.rmtree(place, ignore_errors=True)
    else:
        place.unlink(missing_ok=True)


def _opened(
    index: Index, reading: Reading, names: tuple[str, ...], *, keep_empty: bool
) -> Dataset:
    """List the images that the study uses; fetches the records of images at fault only."""
    labels = _labels_of_pairs(index, reading)
    usable = (labels >= 0) & (index.pair_uses & USES[reading.task] > 0)
    classes = _classes_by_image(index.pair_images[usable], labels[usable], reading)
    every = np.arange(len(index.ends))
    kept = every if keep_empty else np.array(list(classes), dtype=np.int64)
    items = tuple(
        AnnotatedImage(image_id, classes.get(number, ()), file_name, place, reading)
        for number, image_id, file_name, place in zip(
            kept.tolist(),
            index.image_ids.at(kept),
            index.file_names.at(kept),
            index.places(kept),
            strict=True,
        )
    )
    suspects = np.setdiff1d(_expected(index, labels), kept)
    faults = (f for place in index.places(suspects) for f in left_out(place.record(), reading))
    return Dataset(names, items, bounded(chain(index.faults, faults)))


def _labels_of_pairs(index: Index, reading: Reading) -> NDArray[np.int64]:
    """Return the label of each pair's class, or that it is not chosen or not known."""
    of_class = [
        reading.labels.get(name, OTHER_CLASS if name in reading.known else UNKNOWN_CLASS)
        for name in index.classes
    ]
    return np.array(of_class, dtype=np.int64)[index.pair_classes]


def _classes_by_image(
    images: NDArray[np.int32], labels: NDArray[np.int64], reading: Reading
) -> dict[int, tuple[str, ...]]:
    """Group pairs by image, ascending; classes in label order."""
    name_of = {label: name for name, label in reading.labels.items()}
    order = np.lexsort((labels, images))
    names = [name_of[label] for label in labels[order].tolist()]
    numbers, starts = np.unique(images[order], return_index=True)
    ends = [*starts[1:].tolist(), len(names)]
    parts = zip(numbers.tolist(), starts.tolist(), ends, strict=True) if names else ()
    return {number: tuple(names[start:end]) for number, start, end in parts}


def _expected(index: Index, labels: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return the images of which something is wrong if they are not kept.

    That is all but those which have objects, and none of a chosen or unknown class.
    """
    is_expected = np.ones(len(index.ends), dtype=np.bool_)
    is_expected[index.pair_images] = False
    is_expected[index.pair_images[labels != OTHER_CLASS]] = True
    return np.flatnonzero(is_expected)
