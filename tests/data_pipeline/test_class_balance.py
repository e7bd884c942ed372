"""Epochs that show every class alike."""

import shutil
from collections import Counter
from itertools import combinations, pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from data_pipeline.datasets.settings.boxes import CocoData
from data_pipeline.datasets.settings.pictures import ImageFolderData
from data_pipeline.datasets.settings.videos import UCF101Data
from data_pipeline.errors import DataError
from data_pipeline.loading.class_balance import class_turns
from data_pipeline.loading.loaders import EpochLoader
from data_pipeline.samples import ClassificationBatch, ClipBatch
from data_pipeline.source import open_data

CLASSES = ("car", "bus", "car", "car", "bus", "tram", "car")  # 4, 2 and 1
COUNTS = {"ants": 7, "bees": 3}


@pytest.fixture(autouse=True)
def workspace(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("VISIONSTUDY_WORKSPACE", str(tmp_path / "workspace"))


@pytest.fixture
def unequal(real_data: Path, tmp_path: Path) -> Path:
    """Seven ants and three bees to train on, and as many to validate on."""
    real = real_data / "hymenoptera_mini"
    for split in ("train", "val"):
        for name, count in COUNTS.items():
            (tmp_path / "data" / split / name).mkdir(parents=True)
            for file in sorted((real / "train" / name).iterdir())[:count]:
                shutil.copy(file, tmp_path / "data" / split / name / f"{split}-{file.name}")
    return tmp_path / "data"


def training(root: Path, balance: str, **fields: Any) -> EpochLoader:
    values = {"root": root, "image_size": 16, "balance": balance, "workers": 0, **fields}
    settings = ImageFolderData.model_validate(values)
    return open_data(settings, "image_classification", seed=1).training(4)


def shown(loader: EpochLoader, epoch: int, first: int = 0) -> list[ClassificationBatch]:
    batches = []
    for batch in loader.epoch(epoch, first_batch=first):
        assert isinstance(batch, ClassificationBatch)
        batches.append(batch)
    return batches


def ids(batches: list[ClassificationBatch]) -> list[str]:
    return [image_id for batch in batches for image_id in batch.image_ids]


def drawn(balance: Any, seed: int) -> list[int]:
    turns = class_turns(CLASSES, balance)
    assert turns is not None
    every = turns.drawn(np.random.default_rng(seed))
    assert len(every) == len(turns)
    assert len(set(every)) == len(every)  # no turn is given twice
    return [turn % len(CLASSES) for turn in every]


def test_without_balance_nothing_is_drawn() -> None:
    assert class_turns(CLASSES, "none") is None


@pytest.mark.parametrize("seed", range(5))
def test_over_sampling_shows_each_class_as_often_as_the_largest(seed: int) -> None:
    times = Counter(drawn("over_sampling", seed))
    assert times == {0: 1, 2: 1, 3: 1, 6: 1, 1: 2, 4: 2, 5: 4}


@pytest.mark.parametrize("seed", range(5))
def test_under_sampling_shows_each_class_as_often_as_the_smallest(seed: int) -> None:
    samples = drawn("under_sampling", seed)
    assert sorted(CLASSES[sample] for sample in samples) == ["bus", "car", "tram"]


def test_under_sampling_shows_every_sample_in_some_epoch() -> None:
    seen = Counter(sample for seed in range(400) for sample in drawn("under_sampling", seed))
    assert seen[5] == 400
    for sample in (0, 2, 3, 6):  # each in a quarter of the epochs, six standard errors
        assert seen[sample] == pytest.approx(100, abs=52)


def test_what_does_not_divide_evenly_is_drawn_anew_in_every_epoch() -> None:
    turns = class_turns(("a",) * 5 + ("b",) * 3, "over_sampling")
    assert turns is not None
    more = set()
    for seed in range(30):
        times = Counter(turn % 8 for turn in turns.drawn(np.random.default_rng(seed)))
        assert sorted(times[sample] for sample in (5, 6, 7)) == [1, 2, 2]
        more.add(next(sample for sample in (5, 6, 7) if times[sample] == 1))
    assert more == {5, 6, 7}


def test_an_epoch_shows_as_many_bees_as_ants(unequal: Path) -> None:
    loader = training(unequal, "over_sampling")
    assert (loader.images, len(loader)) == (14, 4)
    for epoch in (1, 2):
        batches = shown(loader, epoch)
        labels = torch.cat([batch.labels for batch in batches])
        assert torch.bincount(labels).tolist() == [7, 7]
        assert [len(batch) for batch in batches] == [4, 4, 4, 2]
        assert len(set(ids(batches))) == 10


def test_under_sampling_shortens_the_epoch(unequal: Path) -> None:
    loader = training(unequal, "under_sampling")
    labels = torch.cat([batch.labels for batch in shown(loader, 1)])
    assert loader.images == len(labels) == 6
    assert torch.bincount(labels).tolist() == [3, 3]


@pytest.mark.parametrize("balance", ["none", "over_sampling", "under_sampling"])
def test_an_epoch_may_start_at_any_batch_and_is_the_same_again(
    unequal: Path, balance: str
) -> None:
    augment = ["horizontal_flip", "color_jitter"]
    loader = training(unequal, balance, augment=augment)
    again = training(unequal, balance, augment=augment, cache="off")
    every = shown(loader, 3)
    for first in range(len(loader)):
        late = shown(again, 3, first)
        for one, other in zip(every[first:], late, strict=True):
            assert one.image_ids == other.image_ids
            assert torch.equal(one.images, other.images)
    assert ids(shown(loader, 4)) != ids(every)


def test_a_picture_that_is_shown_again_is_augmented_anew(unequal: Path) -> None:
    settings = [{"name": "color_jitter", "brightness": 0.9}]
    batches = shown(training(unequal, "over_sampling", augment=settings), 1)
    pixels: dict[str, list[torch.Tensor]] = {}
    for batch in batches:
        for image_id, image in zip(batch.image_ids, batch.images, strict=True):
            pixels.setdefault(image_id, []).append(image)
    again = [each for each in pixels.values() if len(each) > 1]
    assert len(again) == 3
    for each in again:
        assert not any(torch.equal(one, other) for one, other in pairwise(each))


def test_balancing_changes_neither_validation_nor_the_images_that_are_counted(
    unequal: Path,
) -> None:
    fields = {"root": unequal, "image_size": 16, "balance": "over_sampling", "workers": 0}
    settings = ImageFolderData.model_validate(fields)
    source = open_data(settings, "image_classification", seed=1)
    assert source.validation(4).images == 10
    assert source.training_images(4).images == 10


def test_what_cannot_be_decoded_is_not_balanced_with(unequal: Path) -> None:
    for file in sorted((unequal / "train" / "ants").iterdir())[:2]:
        file.write_bytes(b"no picture")
    assert training(unequal, "over_sampling").images == 10


def test_classes_are_counted_where_no_picture_can_be_decoded(unequal: Path) -> None:
    for file in unequal.glob("train/*/*"):
        file.write_bytes(b"no picture")
    settings = ImageFolderData.model_validate({"root": unequal})
    source = open_data(settings, "image_classification", seed=1, examines=False)
    assert source.class_counts() == (7, 3)


def test_what_cannot_be_decoded_is_not_counted(unequal: Path) -> None:
    for file in sorted((unequal / "train" / "ants").iterdir())[:2]:
        file.write_bytes(b"no picture")
    settings = ImageFolderData.model_validate({"root": unequal, "balance": "over_sampling"})
    assert open_data(settings, "image_classification", seed=1).class_counts() == (5, 3)


@pytest.fixture
def unequal_videos(real_data: Path, tmp_path: Path) -> Path:
    """Four videos of juggling and one of punching, of which one is validated on; two to test."""
    real, root = real_data / "ucf101_mini" / "UCF-101", tmp_path / "videos"
    files = {"Punch": ("g03",), "SoccerJuggling": ("g23", "g24")}
    groups = {"Punch": ("g20", "g01"), "SoccerJuggling": ("g20", "g21", "g22", "g23", "g01")}
    lists = root / "ucfTrainTestlist"
    lists.mkdir(parents=True)
    lines: dict[str, list[str]] = {"train": [], "test": []}
    for number, (name, given) in enumerate(files.items(), start=1):
        folder = root / "UCF-101" / name
        folder.mkdir(parents=True)
        for place, group in enumerate(groups[name]):
            source = real / name / f"v_{name}_{given[place % len(given)]}_c01.avi"
            shutil.copy(source, folder / f"v_{name}_{group}_c01.avi")
            is_test, video = group == "g01", f"{name}/v_{name}_{group}_c01.avi"
            lines["test" if is_test else "train"].append(video if is_test else f"{video} {number}")
    (lists / "classInd.txt").write_text("1 Punch\n2 SoccerJuggling\n")
    (lists / "trainlist01.txt").write_text("\n".join(lines["train"]))
    (lists / "testlist01.txt").write_text("\n".join(lines["test"]))
    return root


@pytest.mark.parametrize("cache", ["auto", "off"])
def test_videos_are_balanced_and_cut_anew_for_each_turn(unequal_videos: Path, cache: str) -> None:
    settings = UCF101Data.model_validate(
        {
            "root": unequal_videos,
            "split_list": 1,
            "image_size": 16,
            "clip": {"frames": 4},
            "balance": "over_sampling",
            "workers": 0,
            "cache": cache,
        }
    )
    source = open_data(settings, "action_recognition", seed=1)
    shown_classes = Counter(item.classes[0] for item in source.dataset("train").items)
    assert shown_classes == {"Punch": 1, "SoccerJuggling": 3}
    loader = source.training(3)
    labels: list[int] = []
    turns: list[torch.Tensor] = []
    for batch in loader.epoch(1):
        assert isinstance(batch, ClipBatch)
        labels += batch.labels.tolist()
        turns += [
            clip for clip, label in zip(batch.clips, batch.labels, strict=True) if label == 0
        ]
    assert Counter(labels) == {0: 3, 1: 3}
    assert loader.images == 6
    for one, other in combinations(turns, 2):
        assert not torch.equal(one, other)


def test_a_task_whose_samples_have_several_classes_is_refused(real_data: Path) -> None:
    settings = CocoData(root=real_data / "coco_mini", balance="over_sampling")
    with pytest.raises(DataError, match=r"data\.balance 'over_sampling' shows .* use none"):
        open_data(settings, "object_detection", seed=0)
