"""What every dataset of the catalog must do for every task it serves; `MADE` enrols an entry."""

import pickle
import struct
from collections.abc import Callable, Mapping
from dataclasses import fields
from functools import partial
from itertools import combinations
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from data_pipeline.catalog import (
    DATASETS,
    check_data,
    class_names,
    data_fingerprint,
    fingerprint_key,
    label_names,
)
from data_pipeline.errors import UnsupportedTaskError
from data_pipeline.loading.class_balance import ONE_CLASS_TASKS
from data_pipeline.samples import (
    IGNORE,
    Batch,
    ClassificationBatch,
    ClipBatch,
    DetectionBatch,
    InstanceBatch,
    SegmentationBatch,
)
from data_pipeline.settings import DataSettings
from data_pipeline.source import DataSource, open_data
from data_pipeline.splitting.splits import SPLITS

SIZE = 32
LIMIT = {"train": 7, "val": 5, "test": 4}
BATCHES: Mapping[str, type] = {
    "semantic_segmentation": SegmentationBatch,
    "instance_segmentation": InstanceBatch,
    "object_detection": DetectionBatch,
    "image_classification": ClassificationBatch,
    "action_recognition": ClipBatch,
}
AUGMENT = ["horizontal_flip", {"name": "color_jitter"}]

Make = Callable[[Path, Path], dict[str, Any]]  # (real data, empty folder) -> fields of the entry


def _mnist(_: Path, folder: Path) -> dict[str, Any]:
    random = np.random.default_rng(0)
    for name, count in (("train", 30), ("t10k", 10)):
        pixels = random.integers(0, 256, (count, 28, 28), dtype=np.uint8)
        head = struct.pack(">IIII", 2051, count, 28, 28)
        (folder / f"{name}-images-idx3-ubyte").write_bytes(head + pixels.tobytes())
        labels = (np.arange(count) % 10).astype(np.uint8)
        head = struct.pack(">II", 2049, count)
        (folder / f"{name}-labels-idx1-ubyte").write_bytes(head + labels.tobytes())
    return {"root": folder}


def _cifar(_: Path, folder: Path) -> dict[str, Any]:
    random = np.random.default_rng(0)
    inside = folder / "cifar-10-batches-py"
    inside.mkdir()
    for name in [f"data_batch_{number}" for number in range(1, 6)] + ["test_batch"]:
        pixels = random.integers(0, 256, (10, 3072), dtype=np.uint8)
        content = {b"data": pixels, b"labels": list(range(10))}
        (inside / name).write_bytes(pickle.dumps(content, protocol=2))
    names = [f"class {number}".encode() for number in range(10)]
    (inside / "batches.meta").write_bytes(pickle.dumps({b"label_names": names}, protocol=2))
    return {"root": folder}


def _box_list(real: Path, folder: Path) -> dict[str, Any]:
    for split, count in (("train", 12), ("val", 6), ("test", 4)):
        lines = [
            f"{folder}/{split}/{number:012d}.jpg,{5 + number},6,60,50,{name}"
            for number in range(count)
            for name in ("car", "bus")
        ]
        (folder / f"{split}.txt").write_text("\n".join(lines) + "\n")
        (folder / split).mkdir()
        pictures = sorted((real / "coco_mini" / "train2017").iterdir())
        for number in range(count):
            copied = pictures[number].read_bytes()
            (folder / split / f"{number:012d}.jpg").write_bytes(copied)
    return {"root": folder}


MADE: Mapping[str, Make] = {
    "coco": lambda real, _: {"root": real / "coco_mini", "classes": ["person", "car"]},
    "open_images": lambda real, _: {"root": real / "openimages_from_coco"},
    "voc": lambda real, _: {"root": real / "bccd"},
    "yolo": lambda real, _: {
        "root": real / "coco128_yolo_mini",
        "folders": {"train": "train2017", "val": "val2017"},
        "labels": "labels_seg/{split}",
        "names": "coco128_seg.yaml",
    },
    "box_list": _box_list,
    "camvid": lambda real, _: {"root": real / "camvid_mini"},
    "isbi2012": lambda real, _: {"root": real / "isbi2012"},
    "image_folder": lambda real, _: {"root": real / "hymenoptera_mini"},
    "mnist": _mnist,
    "cifar": _cifar,
    "digits": lambda _real, _folder: {},
    "ucf101": lambda real, _: {"root": real / "ucf101_mini", "split_list": 1},
    "hmdb51": lambda real, _: {"root": real / "hmdb51_mini"},
    "street_scenes": lambda _, folder: {
        "images": 25,
        "picture_width": 96,
        "picture_height": 72,
        "drawn_in": folder,
    },
    "street_actions": lambda _, folder: {"drawn_in": folder},
}
SERVED = [
    f"{name}/{task}"
    for name, entry in DATASETS.items()
    if name != "none"
    for task in sorted(entry.tasks)
]


@pytest.fixture(scope="module", params=SERVED)
def served(request: pytest.FixtureRequest) -> tuple[str, str]:
    name, _, task = request.param.partition("/")
    return name, task


@pytest.fixture(scope="module")
def task(served: tuple[str, str]) -> str:
    return served[1]


@pytest.fixture(scope="module")
def settings(
    request: pytest.FixtureRequest,
    served: tuple[str, str],
    tmp_path_factory: pytest.TempPathFactory,
) -> DataSettings:
    """The dataset, small, augmented, with its cache in a folder of its own."""
    name, task = served
    real: Path = request.getfixturevalue("real_data")
    made = MADE[name](real, tmp_path_factory.mktemp(name))
    shared = {"image_size": SIZE, "limit": LIMIT, "augment": AUGMENT, "workers": 0}
    if task == "action_recognition":
        shared["clip"] = {"frames": 4, "stride": 2}
    return DATASETS[name].settings.model_validate(shared | made)


@pytest.fixture(scope="module", autouse=True)
def workspace(tmp_path_factory: pytest.TempPathFactory) -> Any:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("VISIONSTUDY_WORKSPACE", str(tmp_path_factory.mktemp("workspace")))
        yield


@pytest.fixture(scope="module")
def source(settings: DataSettings, task: str) -> DataSource:
    return open_data(settings, task, seed=1)


def batches_of(source: DataSource, epoch: int = 1, first: int = 0) -> list[Batch]:
    return list(source.training(3).epoch(epoch, first_batch=first))


def assert_equal(first: list[Batch], second: list[Batch]) -> None:
    assert len(first) == len(second)
    for one, other in zip(first, second, strict=True):
        assert type(one) is type(other)
        for field in fields(one):
            assert_same(getattr(one, field.name), getattr(other, field.name))


def assert_same(one: object, other: object) -> None:
    if isinstance(one, Tensor):
        assert isinstance(other, Tensor)
        assert torch.equal(one, other)
    elif isinstance(one, tuple):
        assert isinstance(other, tuple)
        assert len(one) == len(other)
        for a, b in zip(one, other, strict=True):
            assert_same(a, b)
    else:
        assert one == other


def ids_of(batch: Batch) -> tuple[str, ...]:
    return batch.video_ids if isinstance(batch, ClipBatch) else batch.image_ids


def test_every_dataset_with_images_is_under_contract() -> None:
    assert set(MADE) == set(DATASETS) - {"none"}


def test_dataset_is_ready(settings: DataSettings) -> None:
    assert check_data(settings) == []


def test_fingerprint_is_stable(settings: DataSettings) -> None:
    assert data_fingerprint(settings) == data_fingerprint(settings)
    assert len(data_fingerprint(settings)) == 64


def test_fingerprint_is_of_what_is_on_disk_alone(settings: DataSettings, task: str) -> None:
    fields = settings.model_dump()
    split = fields["split"] | {"folds": 3, "fold": 2, "seed": 5, "test": 0.3}
    changed = {
        "split": split,
        "augment": [],
        "cache": "off",
        "image_size": 2 * SIZE,
        "limit": {"train": 3},
        "normalize": "imagenet",
        "workers": 1,
    }
    if task != "action_recognition":  # videos are not resized
        changed["resize"] = "letterbox"
    other = type(settings).model_validate(fields | changed)
    assert fingerprint_key(other) == fingerprint_key(settings)
    assert data_fingerprint(other) == data_fingerprint(settings)


def test_a_chosen_class_is_a_label(settings: DataSettings, task: str) -> None:
    last = class_names(settings)[-1]
    chosen = settings.model_copy(update={"classes": [last]})
    background = ("background",) if task == "semantic_segmentation" else ()
    assert label_names(chosen, task) == (*background, last)


def test_another_task_is_refused_by_name(settings: DataSettings) -> None:
    with pytest.raises(UnsupportedTaskError, match="no labels for task 'juggling'"):
        label_names(settings, "juggling")


def test_items_say_what_splits_need(source: DataSource) -> None:
    names = set(source.class_names)
    for split in SPLITS:
        for item in source.dataset(split).items:
            assert item.image_id
            assert item.group
            assert set(item.classes) <= names - {"background"}
            assert all(file.is_file() for file in item.files)


def test_batches_are_of_the_task_with_types_and_ranges(source: DataSource, task: str) -> None:
    for batch in batches_of(source):
        assert type(batch) is BATCHES[task]
        for pixels in _pixels(batch):
            assert pixels.dtype == torch.uint8
            assert pixels.shape[0] == 3
            assert min(pixels.shape[-2:]) == SIZE


def _pixels(batch: Batch) -> tuple[Tensor, ...]:
    if isinstance(batch, ClipBatch):
        return tuple(batch.clips)
    return tuple(batch.images)


def test_labels_are_known(source: DataSource) -> None:
    highest = len(source.class_names) - 1
    for batch in batches_of(source):
        for labels in _labels(batch):
            known = labels[labels != IGNORE]
            assert ((known >= 0) & (known <= highest)).all()


def test_classes_are_counted_as_the_batches_have_them(source: DataSource, task: str) -> None:
    if task not in ONE_CLASS_TASKS:
        pytest.skip("a sample may have several classes")
    labels = [label for batch in source.training_images(3).epoch(1) for label in _labels(batch)]
    counts = torch.bincount(torch.cat(labels), minlength=len(source.class_names))
    assert source.class_counts() == tuple(counts.tolist())


def _labels(batch: Batch) -> tuple[Tensor, ...]:
    if isinstance(batch, SegmentationBatch):
        return tuple(batch.masks)
    if isinstance(batch, DetectionBatch):
        return batch.labels
    return (batch.labels,)


def test_boxes_lie_in_their_pictures(source: DataSource, task: str) -> None:
    if task not in ("object_detection", "instance_segmentation"):
        pytest.skip("the task has no boxes")
    boxes = 0
    for batch in batches_of(source):
        assert isinstance(batch, DetectionBatch)
        for image, found in zip(batch.images, batch.boxes_xyxy, strict=True):
            height, width = image.shape[-2:]
            limit = torch.tensor([width, height, width, height]) + 1e-3
            assert (found >= -1e-3).all()
            assert (found <= limit).all()
            assert (found[:, 2:] > found[:, :2]).all()
            boxes += len(found)
    assert boxes > 0


@pytest.mark.parametrize("policy", ["given", "random", "stratified", "grouped"])
def test_splits_are_disjoint_and_within_their_limits(
    settings: DataSettings, task: str, policy: str
) -> None:
    values = settings.model_dump() | {"split": {"policy": policy}}
    source = open_data(type(settings).model_validate(values), task, seed=1)
    parts = {name: set(source.image_ids(name)) for name in SPLITS}
    assert all(not a & b for a, b in combinations(parts.values(), 2))
    assert all(len(parts[name]) <= LIMIT[name] for name in SPLITS)
    assert parts["train"]


def test_same_seed_gives_the_same_batches(
    settings: DataSettings, task: str, source: DataSource
) -> None:
    again = open_data(settings, task, seed=1)
    assert_equal(batches_of(source, epoch=2), batches_of(again, epoch=2))


def _one_of(at: int, _images: int) -> slice:
    return slice(at, at + 1)


def test_parts_of_a_batch_are_augmented_as_in_the_whole(source: DataSource) -> None:
    loader = source.training(3)
    (batch,) = loader.epoch(2, end_batch=1)

    for at in range(len(batch)):
        one = partial(_one_of, at)
        (part,) = loader.epoch(2, end_batch=1, part=one)
        assert ids_of(part) == ids_of(batch)[at : at + 1]
        for mine, theirs in zip(_pixels(part), _pixels(batch)[at : at + 1], strict=True):
            assert torch.equal(mine, theirs)


def test_another_seed_gives_other_batches(
    settings: DataSettings, task: str, source: DataSource
) -> None:
    if len(source.image_ids("train")) < 4:
        pytest.skip("too few samples for two orders to differ for certain")
    other = open_data(settings, task, seed=2)
    orders = [
        [i for n in (1, 2, 3) for b in batches_of(s, epoch=n) for i in ids_of(b)]
        for s in (source, other)
    ]
    assert orders[0] != orders[1]
    assert sorted(orders[0]) == sorted(orders[1])


def test_epoch_may_start_at_any_batch(source: DataSource) -> None:
    assert_equal(batches_of(source, epoch=3)[1:], batches_of(source, epoch=3, first=1))


def test_decoding_every_time_gives_the_same_batches(
    settings: DataSettings, task: str, source: DataSource
) -> None:
    uncached = open_data(settings.model_copy(update={"cache": "off"}), task, seed=1)
    assert_equal(batches_of(source), batches_of(uncached))


def test_validation_is_the_same_in_every_epoch(source: DataSource) -> None:
    if not source.image_ids("val"):
        pytest.skip("too few samples for a validation split")
    loader = source.validation(4)
    assert_equal(list(loader.epoch(1)), list(loader.epoch(2)))
