"""Pictures in a folder per class, as torchvision's `ImageFolder` has them.

    root/train/<class>/…/*.jpg   root/val/<class>/…   root/test/<class>/…   a split each, or
    root/<class>/…/*.jpg                                                     all in one pool

Validation may also be called `valid` or `validation`. A pool counts as the training split.
Classes are the folders' names in their order, over all splits; they must be UTF-8, names of
pictures need not. Pictures may lie deeper; links to folders are not followed, and links to files
only inside the root. Hidden files and folders, and what macOS puts into archives, `__MACOSX`, are
left out.
"""

import os
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from data_pipeline.datasets.dataset import Dataset
from data_pipeline.datasets.labels import chosen_classes, class_problems
from data_pipeline.datasets.settings.pictures import ImageFolderData
from data_pipeline.errors import InvalidDataError, MissingDataError
from data_pipeline.faults import Fault, bounded
from data_pipeline.hashing import hash_of
from data_pipeline.images import read_image
from data_pipeline.paths import safe_path
from data_pipeline.samples import ClassificationSample
from data_pipeline.splitting.splits import SplitName

# torchvision.datasets.folder.IMG_EXTENSIONS
ENDINGS = (".jpg", ".jpeg", ".png", ".ppm", ".bmp", ".pgm", ".tif", ".tiff", ".webp")
OTHER_ENDINGS = (".gif", ".heic", ".heif", ".avif", ".jxl", ".jp2", ".raw", ".dng", ".psd")
FOLDERS: Mapping[SplitName, tuple[str, ...]] = {
    "train": ("train",),
    "val": ("val", "valid", "validation"),
    "test": ("test",),
}


@dataclass(frozen=True, slots=True)
class ClassifiedPicture:
    """A picture file and its class."""

    image_id: str  # its path below the root
    group: str
    file: Path
    class_name: str
    label: int

    @property
    def classes(self) -> tuple[str, ...]:
        """Its one class."""
        return (self.class_name,)

    @property
    def files(self) -> tuple[Path, ...]:
        """The picture."""
        return (self.file,)

    def faults(self) -> tuple[Fault, ...]:
        """Find nothing: a folder's name cannot be wrong."""
        return ()

    def read(self) -> ClassificationSample:
        """Decode the picture.

        Raises:
            DataError: It is missing or damaged.
        """
        return ClassificationSample(self.image_id, read_image(self.file), self.label)


def check(settings: ImageFolderData) -> list[str]:
    """Return a sentence for everything that is missing; opens no picture."""
    problems = [
        f"folders {' and '.join(map(str, found))} are both of the split '{split}'; keep one"
        for split in FOLDERS
        if len(found := _split_folders(settings.root, split)) > 1
    ]
    try:
        known = class_names(settings)
    except InvalidDataError as error:
        return [*problems, str(error)]
    if not known:
        return [
            f"data.root {settings.root} must hold a folder of pictures per class, or train and "
            "val with one per class each, got none; correct data.root"
        ]
    return problems + class_problems(settings, known)


def class_names(settings: ImageFolderData) -> tuple[str, ...]:
    """Return the names of the classes' folders, in their order; () where there is none.

    Raises:
        InvalidDataError: A name cannot be written into the files and pictures of results.
    """
    tops = [top for split in FOLDERS if (top := _top(settings.root, split)) is not None]
    folders = [folder for top in tops for folder in _subfolders(top)]
    for folder in folders:
        if not _is_text(folder.name):
            # `repr` shows such bytes as escapes, which can be printed.
            raise InvalidDataError(
                f"folder {str(folder)!r} must have a name in UTF-8, as it names a class; rename it"
            )
    return tuple(sorted({folder.name for folder in folders}))


def label_names(settings: ImageFolderData, task: str) -> tuple[str, ...]:  # noqa: ARG001
    """Return the chosen classes."""
    return chosen_classes(settings, class_names(settings))


def fingerprint(settings: ImageFolderData) -> str:
    """Hash the names and sizes of all pictures."""
    files = (
        file
        for split in FOLDERS
        if (top := _top(settings.root, split)) is not None
        for folder in _subfolders(top)
        for file in _pictures(folder, settings.root)
        if not isinstance(file, Fault)
    )
    return hash_of(
        f"{file.relative_to(settings.root).as_posix()} {file.stat().st_size}" for file in files
    )


def build(settings: ImageFolderData, task: str, split: SplitName) -> Dataset | None:
    """List a split's pictures; None where there is no folder of it.

    Raises:
        DataError: There is no picture, a chosen class is unknown, or one has no name in UTF-8.
    """
    top = _top(settings.root, split)
    if top is None:
        return None
    names = label_names(settings, task)
    labels = {name: label for label, name in enumerate(names)}
    pattern = re.compile(settings.group_pattern) if settings.group_pattern else None
    items: list[ClassifiedPicture] = []
    faults: list[Fault] = []
    for folder in _subfolders(top):
        if (label := labels.get(folder.name)) is None:
            continue
        before = len(items)
        for file in _pictures(folder, settings.root):
            if isinstance(file, Fault):
                faults.append(file)
                continue
            image_id = file.relative_to(settings.root).as_posix()
            group = _group(pattern, file.name) or image_id
            items.append(ClassifiedPicture(image_id, group, file, folder.name, label))
        if len(items) == before:
            where = folder.relative_to(settings.root).as_posix()
            message = f"folder {folder} must hold a picture ({', '.join(ENDINGS)}), got none"
            faults.append(Fault("empty_class", where, message, "nothing"))
    if not items:
        raise MissingDataError(
            f"folder {top} must hold a picture of the classes {', '.join(names)}, got none; "
            "correct data.root or data.classes"
        )
    return Dataset(names, tuple(items), bounded(faults))


def _top(root: Path, split: SplitName) -> Path | None:
    """Return the folder that holds the classes' folders of a split; None: it has none."""
    if _split_folders(root, "train"):
        return next(iter(_split_folders(root, split)), None)
    return root if split == "train" and _subfolders(root) else None


def _split_folders(root: Path, split: SplitName) -> list[Path]:
    """Return the folders of a split; one that holds no folder is a class of that name."""
    return [root / name for name in FOLDERS[split] if _subfolders(root / name)]


def _subfolders(folder: Path) -> list[Path]:
    if not folder.is_dir():
        return []
    with os.scandir(folder) as entries:
        names = [e.name for e in entries if e.is_dir() and not _is_litter(e.name)]
    return [folder / name for name in sorted(names)]


def _pictures(folder: Path, root: Path) -> Iterator[Path | Fault]:
    """Yield the pictures of a class in the order of their names; a fault for what is not used."""
    if folder.is_symlink():
        yield _link_fault(folder, root)
        return
    for place, folders, files in os.walk(folder):  # never goes through links
        folders[:] = sorted(name for name in folders if not _is_litter(name))
        yield from (
            _link_fault(Path(place, n), root) for n in folders if Path(place, n).is_symlink()
        )
        for name in sorted(files):
            if name.lower().endswith(OTHER_ENDINGS) and not _is_litter(name):
                yield _other_format(Path(place, name), root)
            if _is_litter(name) or not name.lower().endswith(ENDINGS):
                continue
            file = Path(place, name)
            if file.is_symlink() and (fault := _leads_out(file, root)) is not None:
                yield fault
            else:
                yield file


def _other_format(file: Path, root: Path) -> Fault:
    message = f"picture {file} is of a kind that is not read; convert it ({', '.join(ENDINGS)})"
    return Fault("other_format", file.relative_to(root).as_posix(), message, "sample")


def _is_text(name: str) -> bool:
    """Tell whether a name has no bytes that are not UTF-8."""
    try:
        name.encode()
    except UnicodeEncodeError:
        return False
    return True


def _is_litter(name: str) -> bool:
    """Tell what other systems leave beside pictures, such as macOS its `._1.jpg`."""
    return name.startswith(".") or name == "__MACOSX"


def _leads_out(file: Path, root: Path) -> Fault | None:
    where = file.relative_to(root).as_posix()
    try:
        safe_path(root, where)
    except InvalidDataError as error:
        return Fault(error.kind, where, str(error), "sample")
    if not file.is_file():
        message = f"{file} must be a file, but is a link to nothing; restore it"
        return Fault("absent", where, message, "sample")
    return None


def _link_fault(folder: Path, root: Path) -> Fault:
    where = folder.relative_to(root).as_posix()
    message = f"{folder} must be a folder, but is a link, which is not followed; copy the folder"
    return Fault("unsafe_path", where, message, "sample")


def _group(pattern: re.Pattern[str] | None, file_name: str) -> str | None:
    found = pattern.search(file_name) if pattern is not None else None
    return found.group(1) if found is not None else None
