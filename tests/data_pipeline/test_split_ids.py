"""Ids over all splits: pictures that each split numbers anew are not mistaken for each other."""

import json
import shutil
from collections.abc import Sequence
from pathlib import Path

import pytest

from data_pipeline.datasets import annotation_index, camvid, coco
from data_pipeline.datasets.annotated_image import AnnotatedImage
from data_pipeline.datasets.dataset import Dataset
from data_pipeline.datasets.settings.boxes import CocoData
from data_pipeline.datasets.settings.pictures import CamVidData
from data_pipeline.datasets.split_ids import ambiguous_ids
from data_pipeline.errors import InvalidDataError
from data_pipeline.integrity.checking import check_dataset
from data_pipeline.leakage.leaks import Leak, find_leaks
from data_pipeline.samples import DetectionSample
from data_pipeline.settings import Split
from data_pipeline.source import open_data
from data_pipeline.splitting.splits import SPLITS, SplitName

TASK = "object_detection"


@pytest.fixture(autouse=True)
def _workspace(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("VISIONSTUDY_WORKSPACE", str(tmp_path_factory.mktemp("workspace")))


def write_split(
    root: Path, split: str, pictures: Sequence[tuple[int, Path]], classes: str = "cat dog"
) -> None:
    """Write a split of pictures with ids, their objects of these classes in turns."""
    folder = root / f"{split}2017"
    folder.mkdir(parents=True, exist_ok=True)
    names = classes.split()
    content = {
        "images": [{"id": number, "file_name": file.name} for number, file in pictures],
        "annotations": [
            {
                "id": n,
                "image_id": number,
                "category_id": names[n % len(names)],
                "bbox": [1, 2, 9, 9],
            }
            for n, (number, _) in enumerate(pictures)
        ],
        "categories": [{"id": name, "name": name} for name in ("cat", "dog")],
    }
    for _, file in pictures:
        shutil.copy(file, folder)
    (root / "annotations").mkdir(exist_ok=True)
    (root / "annotations" / f"instances_{split}2017.json").write_text(json.dumps(content))


@pytest.fixture
def files(real_data: Path) -> list[Path]:
    return sorted((real_data / "coco_mini" / "train2017").iterdir())


@pytest.fixture
def renumbered(files: list[Path], tmp_path: Path) -> CocoData:
    """Images 0, 1, 2 for training and others 1, 2, 3 for validation."""
    write_split(tmp_path, "train", list(enumerate(files[:3])))
    write_split(tmp_path, "val", list(enumerate(files[3:6], start=1)))
    return CocoData(root=tmp_path, image_size=32)


def splits_of(settings: CocoData) -> dict[SplitName, Dataset]:
    found = {name: coco.build(settings, TASK, name) for name in SPLITS}
    return {name: dataset for name, dataset in found.items() if dataset is not None}


def ids(settings: CocoData) -> dict[SplitName, tuple[str, ...]]:
    return {name: dataset.image_ids for name, dataset in splits_of(settings).items()}


def test_ids_of_two_pictures_have_their_split_before_them_and_others_do_not(
    renumbered: CocoData,
) -> None:
    assert ids(renumbered) == {
        "train": ("0", "train/1", "train/2"),
        "val": ("3", "val/1", "val/2"),
    }
    for dataset in splits_of(renumbered).values():
        assert all(item.group == item.image_id for item in dataset.items)
        for item in dataset.items:
            assert isinstance(item, AnnotatedImage)
            sample = item.read()
            assert isinstance(sample, DetectionSample)
            assert sample.image_id == item.image_id


def test_ids_do_not_depend_on_the_chosen_classes(renumbered: CocoData) -> None:
    dogs = renumbered.model_copy(update={"classes": ["dog"]})
    assert ids(dogs) == {"train": ("train/1",), "val": ("val/2",)}


def test_ids_are_the_same_through_the_index(
    renumbered: CocoData, monkeypatch: pytest.MonkeyPatch
) -> None:
    plain = ids(renumbered)
    monkeypatch.setattr(annotation_index, "SMALL_BYTES", 0)
    monkeypatch.setattr(coco, "_ambiguous_in", coco._ambiguous_in.__wrapped__)
    assert ids(renumbered) == plain


def test_ids_of_the_data_pack_stay_the_numbers_of_coco(coco_ids: set[str]) -> None:
    assert all(image_id.isdecimal() for image_id in coco_ids)


@pytest.fixture
def coco_ids(real_data: Path) -> set[str]:
    found = ids(CocoData(root=real_data / "coco_mini"))
    return {image_id for split in found.values() for image_id in split}


def test_pictures_of_one_number_are_no_leak_and_a_copy_is(
    renumbered: CocoData, files: list[Path]
) -> None:
    assert find_leaks(splits_of(renumbered)).leaks == ()
    write_split(renumbered.root, "val", [(1, files[3]), (2, files[0])])
    assert find_leaks(splits_of(renumbered)).leaks == (
        Leak("identical", "train", "0", "val", "val/2"),
    )


def test_each_picture_of_one_number_is_examined(renumbered: CocoData) -> None:
    damaged = coco.build(renumbered, TASK, "train")
    assert damaged is not None
    damaged.items[1].files[0].write_bytes(b"no picture")
    findings = check_dataset(renumbered, TASK)
    assert [split.left_out for split in findings.splits] == [("train/1",), ()]


def test_fault_of_an_annotation_names_the_id_of_its_image(renumbered: CocoData) -> None:
    file = coco.annotations_file(renumbered, "val")
    content = json.loads(file.read_text())
    content["annotations"][0]["bbox"] = [1, 2, 0, 9]
    del content["annotations"][1]["bbox"]
    file.write_text(json.dumps(content))
    dataset = splits_of(renumbered.model_copy(update={"keep_empty": True}))["val"]
    of_items = [fault for item in dataset.items for fault in item.faults()]
    assert ("zero_area_box", "val/1") in {(fault.kind, fault.where) for fault in of_items}
    assert ("malformed", "val/2") in {(fault.kind, fault.where) for fault in dataset.faults}


@pytest.mark.parametrize("policy", ["random", "stratified", "grouped"])
def test_splits_that_number_anew_can_be_pooled(renumbered: CocoData, policy: str) -> None:
    split = Split.model_validate({"policy": policy, "val": 0.4, "test": 0.4})
    source = open_data(renumbered.model_copy(update={"split": split}), TASK, seed=0)
    pooled = [image_id for name in SPLITS for image_id in source.image_ids(name)]
    assert sorted(pooled) == ["0", "3", "train/1", "train/2", "val/1", "val/2"]


def test_one_picture_in_two_splits_is_still_refused_where_they_are_pooled(
    files: list[Path], tmp_path: Path
) -> None:
    for split in ("train", "val"):
        write_split(tmp_path, split, list(enumerate(files[:2])))
    settings = CocoData(root=tmp_path, images="train2017", split=Split(policy="random"))
    with pytest.raises(InvalidDataError, match="every image must be listed once, but 2 are"):
        open_data(settings, TASK, seed=0).dataset("train")


def test_ids_are_ambiguous_if_they_name_two_files() -> None:
    train = {"1": "train/a.jpg", "2": "both/b.jpg", "3": "train/c.jpg"}
    val = {"1": "val/a.jpg", "2": "both/b.jpg", "4": "val/c.jpg"}
    assert ambiguous_ids([train, val]) == {"1"}
    assert ambiguous_ids([train]) == ambiguous_ids([]) == frozenset()


@pytest.mark.parametrize(("name", "group"), [("7", None), ("0001TP_7", "0001TP")])
def test_camvid_lists_may_use_one_name_for_two_pictures(
    real_data: Path, tmp_path: Path, name: str, group: str | None
) -> None:
    source = real_data / "camvid_mini"
    for split, place in (("train", 0), ("val", 1)):
        for folder in (split, f"{split}annot"):
            (tmp_path / folder).mkdir()
            file = sorted((source / folder).iterdir())[place]
            shutil.copy(file, tmp_path / folder / f"{name}.png")
        line = f"{split}/{name}.png {split}annot/{name}.png\n"
        (tmp_path / f"{split}.txt").write_text(line)
    settings = CamVidData(root=tmp_path)
    for split in SPLITS[:2]:
        dataset = camvid.build(settings, "semantic_segmentation", split)
        assert dataset is not None
        [item] = dataset.items
        assert (item.image_id, item.group) == (f"{split}/{name}", group or f"{split}/{name}")
