"""CamVid as prepared for SegNet: lists of "image label" pairs, 480 x 360, 11 classes and void.

    root/train.txt  root/val.txt  (root/test.txt)  root/train/*.png  root/trainannot/*.png

Names such as 0001TP_006690 are of a drive and a frame: a drive is a group. The official lists
cut the drive 0016E5 between training and validation. Where two lists have different pictures of
one name, these are called "train/name" and "val/name".
Badrinarayanan et al. 2017 and its tutorial's files.
"""

from collections.abc import Iterator, Mapping
from pathlib import Path, PurePosixPath
from types import MappingProxyType

from data_pipeline.datasets.dataset import Dataset
from data_pipeline.datasets.label_maps import (
    LabelledPicture,
    Legend,
    legend_of,
    map_label_names,
)
from data_pipeline.datasets.labels import class_problems
from data_pipeline.datasets.settings.pictures import CamVidData
from data_pipeline.datasets.split_files import absent_split_problems, present_splits
from data_pipeline.datasets.split_ids import ambiguous_ids, unique_id
from data_pipeline.datasets.text_lines import numbered_lines
from data_pipeline.errors import DataError, InvalidDataError, MissingDataError
from data_pipeline.faults import Fault
from data_pipeline.hashing import file_sha256, hash_of
from data_pipeline.paths import safe_path
from data_pipeline.splitting.splits import SplitName

CLASSES = (
    "sky",
    "building",
    "pole",
    "road",
    "pavement",
    "tree",
    "sign",
    "fence",
    "car",
    "pedestrian",
    "cyclist",
)
STORED: Mapping[int, str] = MappingProxyType(dict(enumerate(CLASSES)))
VOID = len(CLASSES)  # as stored in the label images
Pair = tuple[Path, Path]  # image, label image


def check(settings: CamVidData) -> list[str]:
    """Return a sentence for everything that is missing; opens no picture."""
    if not settings.root.is_dir():
        return [
            f"data.root {settings.root} must be CamVid's folder with train.txt and val.txt, "
            "got no folder; correct data.root or download the dataset"
        ]
    problems = absent_split_problems(
        settings, lambda split: _list(settings, split), remedy="correct data.root"
    )
    for split in _present(settings):
        try:
            _usable_pairs(settings, split)
        except DataError as error:
            problems.append(str(error))
    return problems + class_problems(settings, CLASSES)


def class_names(settings: CamVidData) -> tuple[str, ...]:  # noqa: ARG001  # the same on any disk
    """Return the 11 classes in the order of the stored labels."""
    return CLASSES


def label_names(settings: CamVidData, task: str) -> tuple[str, ...]:  # noqa: ARG001
    """Return the chosen classes in label order, after background where some were not chosen."""
    return map_label_names(settings, CLASSES)


def fingerprint(settings: CamVidData) -> str:
    """Hash the lists and the sizes of the files they name."""
    parts = []
    for split in _present(settings):
        parts.append(f"{split} {file_sha256(_list(settings, split))}")
        parts += [
            f"{file.name} {file.stat().st_size if file.is_file() else 'missing'}"
            for pair in _pairs(settings, split)
            if not isinstance(pair, Fault)
            for file in pair
        ]
    return hash_of(parts)


def build(settings: CamVidData, task: str, split: SplitName) -> Dataset | None:  # noqa: ARG001
    """List a split's images; None where there is no list of it.

    Raises:
        DataError: The list cannot be read, or a chosen class is unknown.
    """
    if not _list(settings, split).is_file():
        return None
    legend = legend_of(settings, STORED, void=VOID)
    pairs, faults = _usable_pairs(settings, split)
    ambiguous = ambiguous_ids(_pictures(settings, split) for split in _present(settings))
    items = tuple(_item(pair, unique_id(pair[0].stem, split, ambiguous), legend) for pair in pairs)
    return Dataset(legend.names, items, faults)


def _item(pair: Pair, image_id: str, legend: Legend) -> LabelledPicture:
    """Make an item; a name without a drive in it is a group of its own."""
    image, label = pair
    drive, underscore, _ = image.stem.partition("_")
    return LabelledPicture(image_id, drive if underscore else image_id, image, label, legend)


def _pictures(settings: CamVidData, split: SplitName) -> dict[str, str]:
    pairs = (pair for pair in _pairs(settings, split) if not isinstance(pair, Fault))
    return {image.stem: str(image) for image, _ in pairs}


def _list(settings: CamVidData, split: SplitName) -> Path:
    return settings.root / f"{split}.txt"


def _present(settings: CamVidData) -> list[SplitName]:
    return present_splits(lambda split: _list(settings, split))


def _usable_pairs(
    settings: CamVidData, split: SplitName
) -> tuple[tuple[Pair, ...], tuple[Fault, ...]]:
    """Return the pairs of which both files are there, and what is wrong with the others.

    Raises:
        MissingDataError: There is no such pair.
    """
    pairs: list[Pair] = []
    faults: list[Fault] = []
    for pair in _pairs(settings, split):
        if isinstance(pair, Fault):
            faults.append(pair)
            continue
        absent = [file for file in pair if not file.is_file()]
        if absent:
            message = f"{absent[0]} is listed in {split}.txt and must be a file; restore it"
            faults.append(Fault("absent", pair[0].stem, message, "sample"))
        else:
            pairs.append(pair)
    if not pairs:
        first = f", the first fault: {faults[0].message}" if faults else ""
        raise MissingDataError(
            f"list {_list(settings, split)} must name an image and a label image that are there, "
            f"got none of {len(faults)}{first or '; restore it'}"
        )
    return tuple(pairs), tuple(faults)


def _pairs(settings: CamVidData, split: SplitName) -> Iterator[Pair | Fault]:
    for number, line in numbered_lines(_list(settings, split)):
        where = f"{split}.txt:{number}"
        match line.split():
            case [image, label]:
                try:
                    yield _located(settings.root, image), _located(settings.root, label)
                except InvalidDataError as error:
                    yield Fault("unsafe_path", where, str(error), "sample")
            case _:
                message = f"{where} must be 'image label', got {line[:60]!r}; correct the line"
                yield Fault("malformed", where, message, "sample")


def _located(root: Path, named: str) -> Path:
    """Find a listed file; the official lists name an absolute folder of their author's machine."""
    path = PurePosixPath(named)
    as_given = None if path.is_absolute() else safe_path(root, named)
    if as_given is not None and as_given.is_file():
        return as_given
    return safe_path(root, "/".join(path.parts[-2:]))
