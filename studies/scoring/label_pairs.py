"""True and predicted label maps of the same name, and how often each two labels meet.

A pair is counted once, by the values as they are stored; what these mean is decided when all
pairs are counted, for only then is it seen which values there are.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from data_pipeline.datasets.picture_names import each_file_in
from data_pipeline.errors import DataError
from data_pipeline.label_pictures import ENDINGS, read_label_picture
from studies.scoring.legend import Legend

VALUES = 256
UNKNOWN_COLOURS = 3  # named in a message
Bytes = NDArray[np.uint8]


class UnusableMasksError(Exception):
    """Label maps cannot be compared."""


@dataclass(frozen=True, slots=True)
class Pair:
    """Two label maps of one picture."""

    name: str  # relative to both folders, without an ending
    truth: Path
    prediction: Path


@dataclass(frozen=True, slots=True)
class Pairs:
    """Everything in two folders."""

    pairs: tuple[Pair, ...]
    missing: tuple[str, ...]  # true, and not predicted
    extra: tuple[str, ...]  # predicted, and not true


@dataclass(frozen=True, slots=True)
class Meetings:
    """How many pixels of a pair have a true and a predicted value; only what is there."""

    name: str
    truth: Bytes  # (meetings,) stored value
    prediction: Bytes  # (meetings,) stored value
    pixels: NDArray[np.int64]  # (meetings,)


def find_pairs(truth: Path, prediction: Path) -> Pairs:
    """Pair the label maps of two folders, and of the folders below them, by name.

    Raises:
        UnusableMasksError: A folder is not there or empty or has two label maps of a name, or no
            name is in both.
    """
    true, predicted = _listed(truth, "GT_DIR"), _listed(prediction, "PREDICTION_DIR")
    both = [name for name in true if name in predicted]
    if not both:
        raise UnusableMasksError(
            f"label maps in {truth} and {prediction} must have the same names, but no two do: "
            f"the first are '{next(iter(true))}' and '{next(iter(predicted))}'"
        )
    return Pairs(
        tuple(Pair(name, truth / true[name], prediction / predicted[name]) for name in both),
        tuple(name for name in true if name not in predicted),
        tuple(name for name in predicted if name not in true),
    )


def read_pair(pair: Pair, legend: Legend | None) -> tuple[Bytes, Bytes]:
    """Return the (h, w) stored values of both; colours become the legend's label indices.

    Raises:
        UnusableMasksError: One cannot be read, a colour is not in the legend, or sizes differ.
    """
    truth, prediction = read_values(pair.truth, legend), read_values(pair.prediction, legend)
    if truth.shape != prediction.shape:
        raise UnusableMasksError(
            f"label maps of one picture must have one height and width, but {pair.truth} has "
            f"{truth.shape} and {pair.prediction} {prediction.shape}; bring predictions back to "
            "the picture's size"
        )
    return truth, prediction


def count_meetings(name: str, truth: Bytes, prediction: Bytes) -> Meetings:
    """Count how often each true and predicted value meet."""
    cells = truth.astype(np.intp) * VALUES + prediction
    counts = np.bincount(cells.ravel(), minlength=VALUES * VALUES)
    found = np.flatnonzero(counts)
    return Meetings(
        name,
        (found // VALUES).astype(np.uint8),
        (found % VALUES).astype(np.uint8),
        counts[found].astype(np.int64),
    )


def read_values(file: Path, legend: Legend | None) -> Bytes:
    """Return the (h, w) values of a label map; see `read_pair`."""
    try:
        stored = read_label_picture(file)
    except DataError as error:
        raise UnusableMasksError(str(error)) from error
    if stored.ndim == 2:
        return stored
    colours = {} if legend is None else legend.colours
    if not colours and (stored == stored[..., :1]).all():
        return np.ascontiguousarray(stored[..., 0])  # grey, stored as colours
    if not colours:
        raise UnusableMasksError(
            f"label map {file} holds colours, whose classes nobody said; name a legend with "
            "columns name,r,g,b by --classes"
        )
    return _by_colour(stored, colours, file)


def _by_colour(stored: Bytes, colours: Mapping[tuple[int, int, int], int], file: Path) -> Bytes:
    table = np.full(VALUES**3, -1, np.int16)
    for colour, index in colours.items():
        table[_code(np.array(colour, np.uint8))] = index
    codes = _code(stored)
    labels = table[codes]
    if (labels < 0).any():
        unknown, counts = np.unique(codes[labels < 0], return_counts=True)
        shown = [_rgb(int(code)) for code in unknown[:UNKNOWN_COLOURS]]
        more = ", …" if len(unknown) > UNKNOWN_COLOURS else ""
        raise UnusableMasksError(
            f"label map {file} must hold only colours of the legend, got "
            f"{', '.join(map(str, shown))}{more} at {counts.sum():,} pixels; add them to --classes"
        )
    return labels.astype(np.uint8)


def _code(colours: Bytes) -> NDArray[np.int64]:
    red, green, blue = (colours[..., part].astype(np.int64) for part in range(3))
    return (red * VALUES + green) * VALUES + blue


def _rgb(code: int) -> Sequence[int]:
    return code // VALUES**2, code // VALUES % VALUES, code % VALUES


def _listed(folder: Path, name: str) -> Mapping[str, str]:
    if not folder.is_dir():
        raise UnusableMasksError(f"{name} must be a folder of label maps, got {folder}")
    files = each_file_in(folder, ENDINGS)
    if not files:
        raise UnusableMasksError(
            f"{name} {folder} must hold a label map ({', '.join(ENDINGS)}), got none"
        )
    for (one, first), (other, second) in pairwise(files):
        if one == other:
            raise UnusableMasksError(
                f"{name} {folder} must hold one label map of a name, but holds {first} and "
                f"{second}; take one of them out"
            )
    return dict(files)
