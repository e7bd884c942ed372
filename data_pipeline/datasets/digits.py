"""Digits: 1,797 handwritten digits, 8 x 8 grey, in one file that is installed with scikit-learn.

    sklearn/datasets/data/digits.csv.gz    a row per digit: 64 values from 0 to 16, and the digit

They are the test set of UCI's "Optical Recognition of Handwritten Digits" (Alpaydin and Kaynak
1998), of 13 people; who wrote which is not said. They come in one piece: the given split is one
that is cut here, class by class, the same for everybody. The file is found and read without
importing scikit-learn.
"""

import gzip
import zlib
from importlib.util import find_spec
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from data_pipeline.datasets.dataset import Dataset
from data_pipeline.datasets.labels import chosen_classes, class_problems
from data_pipeline.datasets.packed import PackedPicture, opened
from data_pipeline.datasets.settings.pictures import DigitsData
from data_pipeline.errors import DataError, InvalidDataError, MissingDataError
from data_pipeline.hashing import hash_of
from data_pipeline.settings import Split
from data_pipeline.splitting.splits import SplitName, cut

CLASSES = tuple(str(digit) for digit in range(10))
SIDE = 8  # pixels
WHITEST = 16  # value of a pixel that is all ink: of 4 x 4 dots
COLUMNS = SIDE * SIDE + 1  # the last one is the digit
PLACE = Path("datasets", "data", "digits.csv.gz")  # in the folder of the package
MOST_BYTES = 2**22  # of the unpacked file, which has half a megabyte
REINSTALL = "reinstall scikit-learn"


def check(settings: DigitsData) -> list[str]:
    """Return a sentence for everything that is missing; opens no file."""
    try:
        file = digits_file()
    except DataError as error:
        return [str(error)]
    missing = [] if file.is_file() else [f"{file} must be there, got none; {REINSTALL}"]
    return missing + class_problems(settings, CLASSES)


def class_names(settings: DigitsData) -> tuple[str, ...]:  # noqa: ARG001  # the same on any disk
    """Return the ten digits."""
    return CLASSES


def label_names(settings: DigitsData, task: str) -> tuple[str, ...]:  # noqa: ARG001
    """Return the chosen digits."""
    return chosen_classes(settings, CLASSES)


def fingerprint(settings: DigitsData) -> str:  # noqa: ARG001
    """Hash what is in the file: how it is packed may differ between releases of scikit-learn."""
    return hash_of(_unpacked(digits_file()).decode("ascii", errors="replace").split())


def build(settings: DigitsData, task: str, split: SplitName) -> Dataset:
    """List a split's digits.

    Raises:
        DataError: The file is missing or damaged, or a chosen class is unknown.
    """
    file, names = digits_file(), label_names(settings, task)
    items = []
    for place, digit in enumerate(opened(file, digit_labels).tolist()):
        name = CLASSES[digit]
        label = names.index(name) if name in names else -1
        items.append(PackedPicture(f"{place:04}", file, place, name, label, digit_images))
    given = cut(items, Split(policy="stratified"))[split]
    kept = tuple(item for item in items if item.image_id in given and item.label >= 0)
    return Dataset(names, kept)


def digits_file() -> Path:
    """Return where scikit-learn keeps the digits, whether or not they are there.

    Raises:
        MissingDataError: scikit-learn is not installed.
    """
    package = find_spec("sklearn")
    if package is None or not package.submodule_search_locations:
        raise MissingDataError(f"dataset 'digits' is a part of scikit-learn; {REINSTALL}")
    return Path(package.submodule_search_locations[0]) / PLACE


def digit_images(file: Path) -> NDArray[np.uint8]:
    """Return the (n, 8, 8) pictures, white ink on black.

    Raises:
        DataError: The file is missing or damaged.
    """
    values = _table(file)[:, :-1].astype(np.uint16)
    return ((values * 255 + WHITEST // 2) // WHITEST).astype(np.uint8).reshape(-1, SIDE, SIDE)


def digit_labels(file: Path) -> NDArray[np.uint8]:
    """Return the (n,) digits.

    Raises:
        DataError: The file is missing or damaged.
    """
    return _table(file)[:, -1].astype(np.uint8)


def _table(file: Path) -> NDArray[np.int64]:
    """Return (n, 65) numbers."""
    lines = _unpacked(file).decode("ascii", errors="replace").split()
    try:
        table = np.array([[int(cell) for cell in line.split(",")] for line in lines], np.int64)
    except (ValueError, OverflowError) as error:  # no numbers, or rows of different lengths
        raise _malformed(file, f"others ({error})") from error
    if table.ndim != 2 or table.shape[1] != COLUMNS:
        raise _malformed(file, f"an array of {' x '.join(map(str, table.shape))}")
    if table.min() < 0 or table[:, :-1].max() > WHITEST or table[:, -1].max() >= len(CLASSES):
        raise _malformed(file, f"numbers from {table.min()} to {table.max()}")
    return table


def _unpacked(file: Path) -> bytes:
    try:
        with gzip.open(file) as stream:
            return stream.read(MOST_BYTES)
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise InvalidDataError(
            f"{file} must be a whole gzip file, got a damaged one ({error}); {REINSTALL}",
            kind="truncated",
        ) from error
    except OSError as error:
        raise MissingDataError(f"cannot read {file}: {error.strerror}; {REINSTALL}") from error


def _malformed(file: Path, got: str) -> InvalidDataError:
    return InvalidDataError(
        f"{file} must hold rows of {COLUMNS - 1} numbers from 0 to {WHITEST} and a digit, got "
        f"{got}; {REINSTALL}",
        kind="malformed",
    )
