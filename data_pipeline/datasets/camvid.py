"""CamVid as prepared for SegNet: lists of "image label" pairs, 480 x 360, 11 classes and void.

    root/train.txt  root/val.txt  (root/test.txt)  root/train/*.png  root/trainannot/*.png

With all 11 classes chosen, labels are 0 to 10 in the chosen order and there is no background.
With a part of them, these are 1, 2, … and the other classes are background, 0. Void is `IGNORE`
either way. Badrinarayanan et al. 2017 and its tutorial's files.
"""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from data_pipeline.datasets.dataset import Dataset
from data_pipeline.datasets.labels import BACKGROUND, chosen_classes, class_problems
from data_pipeline.datasets.settings import CamVidData
from data_pipeline.errors import DataError, InvalidDataError, MissingDataError
from data_pipeline.images import read_image, read_labels
from data_pipeline.integrity import file_sha256, hash_of
from data_pipeline.samples import IGNORE, SegmentationSample
from data_pipeline.splits import SPLITS, SplitName

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
VOID = len(CLASSES)  # as stored in the label images


@dataclass(frozen=True, slots=True)
class CamVidImage:
    """An image, its label image, and what to make of the stored labels."""

    image_id: str
    image_file: Path
    label_file: Path
    labels: tuple[int, ...]  # stored value -> label; one more than there are classes

    def read(self) -> SegmentationSample:
        """Decode the pair.

        Raises:
            DataError: One is missing or damaged, sizes differ, or a stored label is unknown.
        """
        image = read_image(self.image_file)
        stored = read_labels(self.label_file)
        if stored.shape != image.shape[:2]:
            raise InvalidDataError(
                f"label image {self.label_file} must have its image's height and width "
                f"{image.shape[:2]}, got {stored.shape}; restore both files"
            )
        return SegmentationSample(self.image_id, image, self._relabelled(stored))

    def _relabelled(self, stored: NDArray[np.uint8]) -> NDArray[np.uint8]:
        if stored.max() > VOID:
            raise InvalidDataError(
                f"label image {self.label_file} must hold 0 to {VOID} ({VOID} is void), "
                f"got {stored.max()}; use the label images of the SegNet tutorial"
            )
        mapped: NDArray[np.uint8] = np.array(self.labels, dtype=np.uint8)[stored]
        return mapped


def check(settings: CamVidData) -> list[str]:
    """Return a sentence for everything that is missing; opens no picture."""
    if not settings.root.is_dir():
        return [
            f"data.root {settings.root} must be CamVid's folder with train.txt and val.txt, "
            "got no folder; correct data.root or download the dataset"
        ]
    problems = [
        f"list {settings.root / f'{split}.txt'} does not exist; restore it or correct data.root"
        for split in ("train", "val")
        if split not in _present(settings)
    ]
    for split in _present(settings):
        try:
            absent = [f for pair in _pairs(settings.root, split) for f in pair if not f.is_file()]
        except DataError as error:
            problems.append(str(error))
            continue
        if absent:
            problems.append(
                f"{len(absent)} files of {split}.txt do not exist, the first is {absent[0]}; "
                "restore them or correct data.root"
            )
    return problems + class_problems(settings, CLASSES)


def class_names(settings: CamVidData) -> tuple[str, ...]:  # noqa: ARG001  # the same on any disk
    """Return the 11 classes in the order of the stored labels."""
    return CLASSES


def label_names(settings: CamVidData, task: str) -> tuple[str, ...]:  # noqa: ARG001
    """Return the chosen classes in label order, after background where some were not chosen."""
    chosen = chosen_classes(settings, CLASSES)
    return chosen if len(chosen) == len(CLASSES) else (BACKGROUND, *chosen)


def fingerprint(settings: CamVidData) -> str:
    """Hash the lists and the sizes of the files they name."""
    parts = []
    for split in _present(settings):
        parts.append(f"{split} {file_sha256(settings.root / f'{split}.txt')}")
        parts += [
            f"{file.name} {file.stat().st_size if file.is_file() else 'missing'}"
            for pair in _pairs(settings.root, split)
            for file in pair
        ]
    return hash_of(parts)


def build(settings: CamVidData, task: str, split: SplitName) -> Dataset | None:
    """List a split's images; None where there is no list of it.

    Raises:
        DataError: The list cannot be read, or a chosen class is unknown.
    """
    if not (settings.root / f"{split}.txt").is_file():
        return None
    names = label_names(settings, task)
    labels = (*(names.index(name) if name in names else 0 for name in CLASSES), IGNORE)
    items = tuple(
        CamVidImage(image.stem, image, label, labels)
        for image, label in _pairs(settings.root, split)
    )
    return Dataset(names, items)


def _present(settings: CamVidData) -> list[SplitName]:
    return [split for split in SPLITS if (settings.root / f"{split}.txt").is_file()]


def _pairs(root: Path, split: SplitName) -> list[tuple[Path, Path]]:
    file = root / f"{split}.txt"
    pairs = []
    for number, line in enumerate(file.read_text().splitlines(), start=1):
        match line.split():
            case []:
                continue
            case [image, label]:
                pairs.append((_located(root, image), _located(root, label)))
            case _:
                raise InvalidDataError(
                    f"{file}:{number} must be 'image label', got {line!r}; correct the line"
                )
    if not pairs:
        raise MissingDataError(f"list {file} names no image; restore it")
    return pairs


def _located(root: Path, named: str) -> Path:
    """Find a listed file; the official lists name an absolute folder of their author's machine."""
    as_given = root / named
    return as_given if as_given.is_file() else root.joinpath(*Path(named).parts[-2:])
