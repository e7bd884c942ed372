"""MNIST: four IDX files of handwritten digits, 28 x 28 grey, gzipped or not.

    root/train-images-idx3-ubyte(.gz)   root/train-labels-idx1-ubyte(.gz)   60,000 digits
    root/t10k-images-idx3-ubyte(.gz)    root/t10k-labels-idx1-ubyte(.gz)    10,000: the test split

They may lie in root/MNIST/raw, where torchvision leaves them. An IDX file is two zero bytes, the
type (8: bytes), the number of dimensions, their sizes (big-endian), then the values. LeCun et
al. 1998.
"""

import gzip
import struct
import zlib
from math import prod
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from data_pipeline.datasets.dataset import Dataset
from data_pipeline.datasets.labels import chosen_classes, class_problems
from data_pipeline.datasets.packed import PackedPicture, opened
from data_pipeline.datasets.settings.pictures import MnistData
from data_pipeline.errors import InvalidDataError, MissingDataError
from data_pipeline.faults import Fault, bounded
from data_pipeline.hashing import file_sha256, hash_of
from data_pipeline.splitting.splits import SplitName

CLASSES = tuple(str(digit) for digit in range(10))
PREFIXES: dict[SplitName, str] = {"train": "train", "test": "t10k"}
KINDS = {"images": 3, "labels": 1}  # dimensions
UNSIGNED_BYTES = 8
MOST_BYTES = 512 * 1024**2  # what a damaged header may make us read; MNIST takes 47 MB


def check(settings: MnistData) -> list[str]:
    """Return a sentence for everything that is missing; opens no file."""
    problems = []
    for split in PREFIXES:
        missing = [kind for kind in KINDS if _file(settings.root, split, kind) is None]
        if missing and (split == "train" or len(missing) == 1):
            name = _names(split, missing[0])[0]
            problems.append(
                f"file {name} (or {name}.gz) must be in {settings.root} or in its MNIST/raw, got "
                "none; correct data.root or download the dataset"
            )
    return problems + class_problems(settings, CLASSES)


def class_names(settings: MnistData) -> tuple[str, ...]:  # noqa: ARG001  # the same on any disk
    """Return the ten digits."""
    return CLASSES


def label_names(settings: MnistData, task: str) -> tuple[str, ...]:  # noqa: ARG001
    """Return the chosen digits."""
    return chosen_classes(settings, CLASSES)


def fingerprint(settings: MnistData) -> str:
    """Hash the files that there are."""
    return hash_of(
        f"{split} {kind} {file_sha256(file)}"
        for split in PREFIXES
        for kind in KINDS
        if (file := _file(settings.root, split, kind)) is not None
    )


def build(settings: MnistData, task: str, split: SplitName) -> Dataset | None:
    """List a split's digits; None for validation, and where there are no files.

    Raises:
        DataError: A file is damaged, or a chosen class is unknown.
    """
    if split not in PREFIXES:
        return None
    images, labels = (_file(settings.root, split, kind) for kind in KINDS)
    if images is None or labels is None:
        return None
    names = label_names(settings, task)
    digits = read_idx(labels, KINDS["labels"])
    count = len(opened(images, digit_images))
    if count != len(digits):
        raise InvalidDataError(
            f"{labels} must hold a label for each of the {count} images in {images}, got "
            f"{len(digits)}; restore both files",
            kind="malformed",
        )
    chosen = {CLASSES.index(name): (name, label) for label, name in enumerate(names)}
    items = tuple(
        PackedPicture(f"{split}/{place:05}", images, place, *chosen[digit], digit_images)
        for place, digit in enumerate(digits.tolist())
        if digit in chosen
    )
    return Dataset(names, items, bounded(_unknown(split, digits)))


def digit_images(file: Path) -> NDArray[np.uint8]:
    """Return the (n, h, w) pictures of an IDX file."""
    return read_idx(file, KINDS["images"])


def read_idx(file: Path, dimensions: int) -> NDArray[np.uint8]:
    """Read an IDX file of bytes; one that is not compressed is mapped into memory.

    Raises:
        MissingDataError: It cannot be opened.
        InvalidDataError: Its header says something else, or its size does not fit the header.
    """
    start = 4 + 4 * dimensions
    try:
        if file.suffix == ".gz":
            with gzip.open(file) as stream:
                shape = _shape(file, stream.read(start), dimensions)
                values = np.frombuffer(stream.read(prod(shape) + 1), dtype=np.uint8)
        else:
            with file.open("rb") as plain:
                shape = _shape(file, plain.read(start), dimensions)
            values = np.memmap(file, dtype=np.uint8, mode="r", offset=start)
    except (EOFError, zlib.error, gzip.BadGzipFile, ValueError) as error:
        raise InvalidDataError(
            f"{file} must be a whole IDX file, got one that ends early or is damaged "
            f"({error}); restore it from the dataset's archive",
            kind="truncated",
        ) from error
    except OSError as error:
        raise MissingDataError(f"cannot read {file}: {error.strerror}; restore it") from error
    if values.size != prod(shape):
        raise InvalidDataError(
            f"{file} must hold {' x '.join(map(str, shape))} bytes after its header, got "
            f"{'fewer' if values.size < prod(shape) else 'more'}; restore it from the dataset's "
            "archive",
            kind="truncated",
        )
    return values.reshape(shape)


def _shape(file: Path, header: bytes, dimensions: int) -> tuple[int, ...]:
    is_whole = len(header) == 4 + 4 * dimensions
    shape = struct.unpack(f">{dimensions}I", header[4:]) if is_whole else (0,)
    magic = bytes([0, 0, UNSIGNED_BYTES, dimensions])
    if header[:4] != magic or not 0 < prod(shape) <= MOST_BYTES:
        raise InvalidDataError(
            f"{file} must be an IDX file of bytes in {dimensions} dimensions, which starts with "
            f"{magic.hex(' ')} and at least one value, got {header.hex(' ')}; restore it",
            kind="malformed",
        )
    return shape


def _unknown(split: SplitName, digits: NDArray[np.uint8]) -> list[Fault]:
    return [
        Fault(
            "unknown_label",
            f"{split}/{place:05}",
            f"a label must be from 0 to {len(CLASSES) - 1}, got {digits[place]}",
            "sample",
        )
        for place in np.flatnonzero(digits >= len(CLASSES)).tolist()
    ]


def _names(split: SplitName, kind: str) -> list[str]:
    """Return what the file is called: by its authors, and in archives that spell it with a dot."""
    return [f"{PREFIXES[split]}-{kind}{mark}idx{KINDS[kind]}-ubyte" for mark in "-."]


def _file(root: Path, split: SplitName, kind: str) -> Path | None:
    for folder in (root, root / "MNIST" / "raw", root / "raw"):
        for name in _names(split, kind):
            for file in (folder / name, folder / f"{name}.gz"):
                if file.is_file():
                    return file
    return None
