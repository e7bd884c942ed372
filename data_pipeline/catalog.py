"""DATASETS: every dataset a study may name. Torch-free, so that a typo fails in a second.

Add a dataset: one file in `datasets/`, one settings class, one line here. Its file has five
functions of the names below; `check_data`, `label_names` and `data_fingerprint` ask them.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from importlib import import_module
from types import MappingProxyType
from typing import Any

from data_pipeline.datasets.settings.boxes import (
    BoxListData,
    CocoData,
    OpenImagesData,
    VocData,
    YoloData,
)
from data_pipeline.datasets.settings.generated import (
    NoData,
    StreetActionsData,
    StreetScenesData,
)
from data_pipeline.datasets.settings.pictures import (
    CamVidData,
    CifarData,
    DigitsData,
    ImageFolderData,
    IsbiData,
    MnistData,
)
from data_pipeline.datasets.settings.videos import HMDB51Data, UCF101Data
from data_pipeline.errors import MissingDataError, UnsupportedTaskError
from data_pipeline.hashing import hash_of
from data_pipeline.settings import DataSettings
from data_pipeline.video.flow_weights import flow_weights, flow_weights_problems, weights_sha256


@dataclass(frozen=True, slots=True)
class DatasetEntry:
    """What the study file needs to know of a dataset, and where the rest is.

    The strings are `module:function`, resolved at use by `importlib`.
    """

    tasks: frozenset[str]
    settings: type[DataSettings]
    summary: str  # one line for `visionstudy data list`
    check: str  # (settings) -> list[str]: what is missing on disk, torch-free; [] is ready
    class_names: str  # (settings) -> tuple[str, ...]: every class on disk in order, torch-free
    label_names: str  # (settings, task) -> tuple[str, ...]: in label order, torch-free
    fingerprint: str  # (settings) -> str: hash of what is on disk, torch-free
    builder: str  # (settings, task, split) -> Dataset | None; None: has no such split
    prepare: str | None = None  # (settings): make once what trials would make each; or None


# What says nothing of what is on disk: fields of `data`, and of its `split`.
NOT_ON_DISK = (
    "augment",
    "balance",
    "cache",
    "folds",
    "image_size",
    "limit",
    "normalize",
    "resize",
    "workers",
)
NOT_ON_DISK_OF_SPLIT = ("fold", "folds", "seed", "test", "val")
DETECTION = ("object_detection",)
OUTLINES = ("object_detection", "instance_segmentation", "semantic_segmentation")
SEGMENTATION = ("semantic_segmentation",)
CLASSIFICATION = ("image_classification",)
ACTIONS = ("action_recognition",)


def _entry(
    settings: type[DataSettings],
    summary: str,
    tasks: tuple[str, ...],
    *,
    prepare: str | None = None,
) -> DatasetEntry:
    name = settings.model_fields["dataset"].default
    place = f"data_pipeline.datasets.{name}"
    return DatasetEntry(
        tasks=frozenset(tasks),
        settings=settings,
        summary=summary,
        check=f"{place}:check",
        class_names=f"{place}:class_names",
        label_names=f"{place}:label_names",
        fingerprint=f"{place}:fingerprint",
        builder=f"{place}:build",
        prepare=f"{place}:{prepare}" if prepare else None,
    )


_ENTRIES = (
    _entry(CocoData, "COCO: JSON annotations and JPEG folders", OUTLINES),
    _entry(OpenImagesData, "Open Images: official CSV lists of boxes", DETECTION),
    _entry(VocData, "PASCAL VOC and its like: XML per picture", DETECTION),
    _entry(YoloData, "YOLO text files: boxes or polygons", OUTLINES),
    _entry(BoxListData, "text files of path,x1,y1,x2,y2,class", DETECTION),
    _entry(CamVidData, "CamVid as prepared for SegNet, 11 classes", SEGMENTATION),
    _entry(IsbiData, "ISBI 2012: cells in electron microscopy", SEGMENTATION),
    _entry(ImageFolderData, "a folder of pictures per class", CLASSIFICATION),
    _entry(MnistData, "MNIST's IDX files, 10 digits", CLASSIFICATION),
    _entry(CifarData, "CIFAR-10 or CIFAR-100", CLASSIFICATION),
    _entry(DigitsData, "1,797 small digits, installed with scikit-learn", CLASSIFICATION),
    _entry(UCF101Data, "UCF101: 101 actions, three official splits", ACTIONS),
    _entry(HMDB51Data, "HMDB51: 51 actions, three official splits", ACTIONS),
    _entry(
        StreetScenesData,
        "generated street scenes, nothing to download",
        OUTLINES,
        prepare="drawn_scenes",
    ),
    _entry(
        StreetActionsData,
        "generated videos of street users, nothing to download",
        ACTIONS,
        prepare="drawn_videos",
    ),
    _entry(
        NoData,
        "no data, for models that need none",
        (*OUTLINES, *CLASSIFICATION, *ACTIONS),
    ),
)
DATASETS: Mapping[str, DatasetEntry] = MappingProxyType(
    {entry.settings.model_fields["dataset"].default: entry for entry in _ENTRIES}
)


def resolve(reference: str) -> Callable[..., Any]:
    """Import what a `module:function` string of an entry names."""
    module, _, function = reference.partition(":")
    return getattr(import_module(module), function)  # type: ignore[no-any-return]


def check_data(settings: DataSettings) -> list[str]:
    """Return a sentence for everything that keeps the data from being used; [] is ready."""
    found = list(resolve(DATASETS[settings.dataset].check)(settings))
    return found + flow_weights_problems(settings)


def prepare_data(settings: DataSettings) -> None:
    """Make what the trials of a study would otherwise each make for themselves."""
    prepare = DATASETS[settings.dataset].prepare
    if prepare is not None:
        resolve(prepare)(settings)


def class_names(settings: DataSettings) -> tuple[str, ...]:
    """Return every class of the dataset on disk, in its order."""
    return tuple(resolve(DATASETS[settings.dataset].class_names)(settings))


def label_names(settings: DataSettings, task: str) -> tuple[str, ...]:
    """Return what each label index means, "background" first where there is one.

    Raises:
        DataError: The dataset has no labels for the task, or lacks a chosen class.
    """
    entry = DATASETS[settings.dataset]
    if task not in entry.tasks:
        raise UnsupportedTaskError(
            f"dataset '{settings.dataset}' has no labels for task '{task}', "
            f"only for {', '.join(sorted(entry.tasks))}; choose another dataset or task"
        )
    return tuple(resolve(entry.label_names)(settings, task))


def data_fingerprint(settings: DataSettings) -> str:
    """Hash what is on disk and can change a result.

    Weights that optical flow is estimated with belong to it, by their content.

    Raises:
        DataError: A file that says what there is cannot be read.
    """
    weights = flow_weights(settings)
    try:
        listed = str(resolve(DATASETS[settings.dataset].fingerprint)(settings))
    except OSError as error:
        raise MissingDataError(
            f"cannot read {error.filename}: {error.strerror}; restore it or correct data.root"
        ) from error
    return listed if weights is None else hash_of([listed, weights_sha256(weights)])


def fingerprint_key(settings: DataSettings) -> str:
    """Name what `data_fingerprint` depends on: settings of one name have one fingerprint."""
    left_out: dict[str, Any] = dict.fromkeys(NOT_ON_DISK, True)
    left_out["split"] = set(NOT_ON_DISK_OF_SPLIT)
    return settings.model_dump_json(exclude=left_out)
