"""Text files of boxes, one per split, as the Keras Faster R-CNN of the thesis reads them.

    root/train.txt (val.txt, test.txt):     images/street.jpg,192,2617,296,2729,Person

A line is path,x1,y1,x2,y2,class: the upper left and lower right corner, in pixels from the upper
left of the picture. A picture has as many lines as objects; a comma in a path or class is quoted.
A path of the machine where the list was made is found by its last parts below `root`. Classes are
those of all lines, in the order of the alphabet.
"""

import math
import re
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath, PureWindowsPath

from data_pipeline.datasets.annotated import annotated_dataset
from data_pipeline.datasets.dataset import Dataset
from data_pipeline.datasets.labels import class_problems, task_labels
from data_pipeline.datasets.picture_names import is_file
from data_pipeline.datasets.records import ImageRecord, ObjectRecord
from data_pipeline.datasets.settings.boxes import BoxListData
from data_pipeline.datasets.split_files import absent_split_problems, present_splits
from data_pipeline.datasets.text_lines import BadLines, fields_of, numbered_lines
from data_pipeline.errors import DataError, MissingDataError
from data_pipeline.faults import Fault
from data_pipeline.hashing import file_sha256, hash_of
from data_pipeline.splitting.splits import SplitName

RULE = "path,x1,y1,x2,y2,class with finite numbers"
WINDOWS = re.compile(r"[A-Za-z]:[\\/]|\\\\")


@dataclass(frozen=True, slots=True)
class Line:
    """A box as its line says."""

    path: str
    box_xyxy: tuple[float, float, float, float]  # pixels
    class_name: str


def list_file(settings: BoxListData, split: SplitName) -> Path:
    """Return where a split's list lies, or would lie."""
    names = settings.lists
    return settings.root / {"train": names.train, "val": names.val, "test": names.test}[split]


def check(settings: BoxListData) -> list[str]:
    """Return a sentence for everything that is missing; looks for no picture."""
    problems = absent_split_problems(
        settings,
        lambda split: list_file(settings, split),
        remedy="correct data.root or data.lists",
    )
    if problems:
        return problems
    try:
        return class_problems(settings, class_names(settings))
    except DataError as error:
        return [str(error)]


def class_names(settings: BoxListData) -> tuple[str, ...]:
    """Return the classes of all lines of all splits.

    Raises:
        MissingDataError: There is no list, or no line in it that can be read.
    """
    present = _present(settings)
    files = [list_file(settings, split) for split in present]
    names = {line.class_name for file in files for line in _lines(file, BadLines("", RULE))}
    if not names:
        raise MissingDataError(
            f"list {list_file(settings, (present or ['train'])[0])} must have a line {RULE}, got "
            "none; correct data.root or data.lists"
        )
    return tuple(sorted(names))


def label_names(settings: BoxListData, task: str) -> tuple[str, ...]:
    """Return the chosen classes, in label order."""
    return task_labels(settings, task, class_names(settings))


def fingerprint(settings: BoxListData) -> str:
    """Hash the lists; pictures are taken to go with them."""
    return hash_of(
        f"{split} {file_sha256(list_file(settings, split))}" for split in _present(settings)
    )


def build(settings: BoxListData, task: str, split: SplitName) -> Dataset | None:
    """List a split's images; None where there is no list of it.

    Raises:
        DataError: The list cannot be read, or a chosen class is unknown.
    """
    file = list_file(settings, split)
    if not file.is_file():
        return None
    bad = BadLines(file.name, RULE)
    objects: dict[str, list[ObjectRecord]] = defaultdict(list)
    for line in _lines(file, bad):
        objects[line.path].append(ObjectRecord(line.class_name, line.box_xyxy))
    located = {path: _located(settings.root, path) for path in objects}
    found: dict[str, list[ObjectRecord]] = defaultdict(list)  # two paths may be one picture
    for path, name in located.items():
        if name is not None:
            found[name] += objects[path]
    absent = tuple(path for path, name in located.items() if name is None)
    return annotated_dataset(
        settings,
        task,
        (ImageRecord(name, name, None, tuple(boxes)) for name, boxes in found.items()),
        folder=settings.root,
        known=class_names(settings),
        faults=(*bad.faults(), *_absent_fault(file, absent)),
    )


def _absent_fault(file: Path, paths: tuple[str, ...]) -> tuple[Fault, ...]:
    if not paths:
        return ()
    message = (
        f"{len(paths)} pictures of {file.name} are not below {file.parent}, the first is "
        f"'{paths[0]}'; restore them or correct data.root"
    )
    return (Fault("absent", file.name, message, "sample", len(paths)),)


def _lines(file: Path, bad: BadLines) -> Iterator[Line]:
    """Read the lines of a list; those that break the rule are added to `bad`."""
    for number, text in numbered_lines(file):
        line = _line(fields_of(text))
        if line is None:
            bad.add(number, text)
        else:
            yield line


def _line(fields: list[str]) -> Line | None:
    """Read a line; a path whose commas were not quoted is put together again."""
    *path, x1, y1, x2, y2, name = ("", "", "", "", "", *fields)[-max(6, len(fields)) :]
    try:
        box = (float(x1), float(y1), float(x2), float(y2))
    except ValueError:
        return None
    named = ",".join(path)
    return Line(named, box, name) if named and name and all(map(math.isfinite, box)) else None


def _located(root: Path, named: str) -> str | None:
    """Find a listed picture by its last parts; None if it is not there.

    Returns:
        Its path relative to `root`; a name that leads upwards as it is, for that is a fault.
    """
    is_windows = WINDOWS.match(named) is not None
    parts = (PureWindowsPath if is_windows else PurePosixPath)(named).parts
    if ".." in parts or "\0" in named:
        return named
    is_absolute = is_windows or named.startswith("/")
    fewest = 1 if is_absolute else min(2, len(parts))  # "a/1.jpg" is not found as "1.jpg"
    for first in range(int(is_absolute), len(parts) - fewest + 1):
        name = "/".join(parts[first:])
        if is_file(root / name):
            return name
    return None


def _present(settings: BoxListData) -> list[SplitName]:
    return present_splits(lambda split: list_file(settings, split))
