"""CIFAR-10 and CIFAR-100: 32 x 32 colour pictures in the Python files of their authors.

    root/cifar-10-batches-py/data_batch_1 … 5, test_batch, batches.meta
    root/cifar-100-python/train, test, meta

The files are pickles from the web; `safe_pickle` reads them and runs nothing. Ids count the
training pictures through all batches, as torchvision does. Krizhevsky 2009.
"""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from data_pipeline.datasets.dataset import Dataset
from data_pipeline.datasets.labels import chosen_classes, class_problems
from data_pipeline.datasets.packed import PackedPicture, opened
from data_pipeline.datasets.safe_pickle import StoredArray, read_pickle
from data_pipeline.datasets.settings.pictures import CifarData
from data_pipeline.errors import DataError, InvalidDataError
from data_pipeline.faults import Fault, bounded
from data_pipeline.hashing import file_sha256, hash_of
from data_pipeline.splitting.splits import SplitName

SIDE = 32
VALUES = 3 * SIDE * SIDE  # of a picture: all red, then all green, then all blue


@dataclass(frozen=True, slots=True)
class _Layout:
    """Where a variant's parts are."""

    folder: str
    train: tuple[str, ...]
    test: tuple[str, ...]
    meta: str
    names: str  # key of the class names in `meta`
    labels: Callable[[Path], NDArray[np.int64]]  # of a file of pictures


def check(settings: CifarData) -> list[str]:
    """Return a sentence for everything that is missing; reads the class names only."""
    layout = LAYOUTS[settings.variant]
    folder = settings.root / layout.folder
    if not folder.is_dir():
        return [
            f"data.root {settings.root} must hold the folder {layout.folder}, got none; correct "
            "data.root or data.variant, or unpack the archive there"
        ]
    missing = [name for name in (layout.meta, *layout.train) if not (folder / name).is_file()]
    if missing:
        return [f"{folder} must hold the file {name}, got none; restore it" for name in missing]
    try:
        return class_problems(settings, class_names(settings))
    except DataError as error:
        return [str(error)]


def class_names(settings: CifarData) -> tuple[str, ...]:
    """Return the classes in the order of their labels.

    Raises:
        DataError: The file that names them is missing or damaged.
    """
    layout = LAYOUTS[settings.variant]
    file = settings.root / layout.folder / layout.meta
    names = _entry(file, layout.names)
    if not isinstance(names, list) or not all(isinstance(name, bytes | str) for name in names):
        raise _malformed(file, f"a list of names under '{layout.names}'")
    return tuple(_text(name) for name in names)


def label_names(settings: CifarData, task: str) -> tuple[str, ...]:  # noqa: ARG001
    """Return the chosen classes."""
    return chosen_classes(settings, class_names(settings))


def fingerprint(settings: CifarData) -> str:
    """Hash the files that there are."""
    layout = LAYOUTS[settings.variant]
    files = (
        settings.root / layout.folder / name for name in (layout.meta, *layout.train, *layout.test)
    )
    return hash_of(f"{file.name} {file_sha256(file)}" for file in files if file.is_file())


def build(settings: CifarData, task: str, split: SplitName) -> Dataset | None:
    """List a split's pictures; None for validation, and where there is no file.

    Raises:
        DataError: A file is missing or damaged, or a chosen class is unknown.
    """
    layout = LAYOUTS[settings.variant]
    folder = settings.root / layout.folder
    files = [folder / name for name in {"train": layout.train, "test": layout.test}.get(split, ())]
    if not files or (split == "test" and not files[0].is_file()):
        return None
    known, names = class_names(settings), label_names(settings, task)
    items: list[PackedPicture] = []
    faults: list[Fault] = []
    number = 0  # through all files
    for file in files:
        for place, stored in enumerate(opened(file, layout.labels).tolist()):
            image_id = f"{split}/{number:05}"
            number += 1
            if not 0 <= stored < len(known):
                message = f"a label must be from 0 to {len(known) - 1}, got {stored}"
                faults.append(Fault("unknown_label", image_id, message, "sample"))
            elif (name := known[stored]) in names:
                label = names.index(name)
                items.append(PackedPicture(image_id, file, place, name, label, colour_images))
    return Dataset(names, tuple(items), bounded(faults))


def colour_images(file: Path) -> NDArray[np.uint8]:
    """Return the (n, 32, 32, 3) RGB pictures of a batch file.

    Raises:
        DataError: It is missing or damaged.
    """
    data = _entry(file, "data")
    if not isinstance(data, StoredArray) or (values := data.values(VALUES)) is None:
        raise _malformed(file, f"rows of {VALUES} bytes under 'data'")
    planes = values.reshape(-1, 3, SIDE, SIDE)
    return np.ascontiguousarray(planes.transpose(0, 2, 3, 1))


def ten_labels(file: Path) -> NDArray[np.int64]:
    """Return the (n,) labels of a batch file of CIFAR-10."""
    return _labels(file, "labels")


def hundred_labels(file: Path) -> NDArray[np.int64]:
    """Return the (n,) fine labels of a file of CIFAR-100."""
    return _labels(file, "fine_labels")


def _labels(file: Path, key: str) -> NDArray[np.int64]:
    """Return the labels; -1 for a number that cannot be one."""
    content = read_pickle(file)
    labels, data = _find(content, key), _find(content, "data")
    if not isinstance(labels, list) or not all(type(label) is int for label in labels):
        raise _malformed(file, f"a list of whole numbers under '{key}'")
    if not isinstance(data, StoredArray) or data.shape != (len(labels), VALUES):
        raise _malformed(file, f"{len(labels)} rows of {VALUES} bytes under 'data', one per label")
    return np.array([x if 0 <= x < 1000 else -1 for x in labels], dtype=np.int64)


def _entry(file: Path, key: str) -> object:
    return _find(read_pickle(file), key)


def _find(content: object, key: str) -> object:
    """Look up a key; the authors' files have bytes where text is meant."""
    mapping: dict[Any, object] = content if isinstance(content, dict) else {}
    return mapping.get(key.encode(), mapping.get(key))


def _text(name: bytes | str) -> str:
    return name.decode(errors="replace") if isinstance(name, bytes) else name


def _malformed(file: Path, wanted: str) -> InvalidDataError:
    return InvalidDataError(
        f"{file} must hold {wanted}; restore it from the dataset's archive", kind="malformed"
    )


LAYOUTS = {
    10: _Layout(
        "cifar-10-batches-py",
        tuple(f"data_batch_{number}" for number in range(1, 6)),
        ("test_batch",),
        "batches.meta",
        "label_names",
        ten_labels,
    ),
    100: _Layout(
        "cifar-100-python", ("train",), ("test",), "meta", "fine_label_names", hundred_labels
    ),
}
