"""ISBI 2012: neurons in electron microscopy, 512 x 512 slices of one stack, cell or membrane.

    root/train/image/0.png …   root/train/label/0.png …   255 is cell, 0 is membrane

The labels of the test slices were never public: there is a training split only. With both
classes chosen membrane is label 0 and cell is label 1, as U-Net has them; with one of them, the
other is background. Arganda-Carreras et al. 2015; Ronneberger et al. 2015.

Groups are five slices that follow each other: neighbours show the same cells (their pixels
correlate by 0.2 to 0.3), slices five apart do not (0.0).
"""

from collections.abc import Iterator, Mapping
from pathlib import Path
from types import MappingProxyType

from data_pipeline.datasets.dataset import Dataset
from data_pipeline.datasets.label_maps import LabelledPicture, legend_of, map_label_names
from data_pipeline.datasets.labels import class_problems
from data_pipeline.datasets.settings.pictures import IsbiData
from data_pipeline.errors import InvalidDataError, MissingDataError
from data_pipeline.faults import Fault
from data_pipeline.hashing import files_sha256
from data_pipeline.paths import safe_path
from data_pipeline.splitting.splits import SplitName

STORED: Mapping[int, str] = MappingProxyType({0: "membrane", 255: "cell"})
CLASSES = tuple(STORED.values())
SLICES_PER_GROUP = 5


def check(settings: IsbiData) -> list[str]:
    """Return a sentence for everything that is missing; opens no picture."""
    folders = [_folder(settings, "image"), _folder(settings, "label")]
    problems = [
        f"folder {folder} must hold the slices' PNG files, got none; "
        "correct data.root or download the dataset"
        for folder in folders
        if not any(folder.glob("*.png"))
    ]
    return problems + class_problems(settings, CLASSES)


def class_names(settings: IsbiData) -> tuple[str, ...]:  # noqa: ARG001  # the same on any disk
    """Return membrane and cell."""
    return CLASSES


def label_names(settings: IsbiData, task: str) -> tuple[str, ...]:  # noqa: ARG001
    """Return both classes, or background and the one that was chosen."""
    return map_label_names(settings, CLASSES)


def fingerprint(settings: IsbiData) -> str:
    """Hash the content of all slices and labels: they are few."""
    return files_sha256(
        file
        for kind in ("image", "label")
        for file in sorted(_folder(settings, kind).glob("*.png"))
    )


def build(settings: IsbiData, task: str, split: SplitName) -> Dataset | None:  # noqa: ARG001
    """List the training slices; None for the other splits.

    Raises:
        DataError: There is no slice with a label, or a chosen class is unknown.
    """
    if split != "train":
        return None
    legend = legend_of(settings, STORED)
    items: list[LabelledPicture] = []
    faults: list[Fault] = []
    for place, pair in enumerate(_pairs(settings)):
        if isinstance(pair, Fault):
            faults.append(pair)
            continue
        image, label = pair
        group = f"slices {_number(image, place) // SLICES_PER_GROUP}"
        items.append(LabelledPicture(image.stem, group, image, label, legend))
    if not items:
        raise MissingDataError(
            f"folder {_folder(settings, 'image')} must hold a slice that has a label in "
            f"{_folder(settings, 'label')}, got none; restore the dataset"
        )
    return Dataset(legend.names, tuple(items), tuple(faults))


def _folder(settings: IsbiData, kind: str) -> Path:
    return settings.root / "train" / kind


def _pairs(settings: IsbiData) -> Iterator[tuple[Path, Path] | Fault]:
    """Pair slices and labels of the same name, in the order of the stack."""
    names = {
        file.name for kind in ("image", "label") for file in _folder(settings, kind).glob("*.png")
    }
    for name in sorted(names, key=lambda name: (len(name), name)):
        try:
            image = safe_path(settings.root, f"train/image/{name}")
            label = safe_path(settings.root, f"train/label/{name}")
        except InvalidDataError as error:
            yield Fault(error.kind, name, str(error), "sample")
            continue
        absent = [file for file in (image, label) if not file.is_file()]
        if absent:
            message = f"{absent[0]} must be there, for its counterpart is; restore it"
            yield Fault("absent", Path(name).stem, message, "sample")
        else:
            yield image, label


def _number(image: Path, place: int) -> int:
    return int(image.stem) if image.stem.isdecimal() else place
