"""Folders of pictures: their layouts, as torchvision reads them, and what leads out of them."""

import os
from pathlib import Path

import cv2
import numpy as np
import pytest
from pydantic import ValidationError
from torchvision.datasets import ImageFolder  # type: ignore[import-untyped]

from data_pipeline.catalog import check_data, class_names, data_fingerprint, label_names
from data_pipeline.datasets import image_folder as reader
from data_pipeline.datasets.dataset import Dataset
from data_pipeline.datasets.image_folder import ClassifiedPicture
from data_pipeline.datasets.settings.pictures import ImageFolderData
from data_pipeline.errors import InvalidDataError, MissingDataError
from data_pipeline.splitting.splits import SplitName

TASK = "image_classification"


def built(settings: ImageFolderData, split: SplitName = "train") -> Dataset:
    dataset = reader.build(settings, TASK, split)
    assert dataset is not None
    return dataset


def add_picture(file: Path, grey: int = 90) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    cv2.imwrite(str(file), np.full((5, 7, 3), grey, dtype=np.uint8))


@pytest.fixture(scope="module")
def insects(real_data: Path) -> ImageFolderData:
    return ImageFolderData(root=real_data / "hymenoptera_mini")


@pytest.fixture
def pool(tmp_path: Path) -> ImageFolderData:
    """Two classes of two pictures, one of them deeper, without splits."""
    for name in ("cat/1.png", "cat/2.PNG", "dog/1.png", "dog/deep/2.jpg"):
        add_picture(tmp_path / name)
    return ImageFolderData(root=tmp_path)


def test_pictures_of_other_kinds_are_named(pool: ImageFolderData) -> None:
    (pool.root / "cat/animated.gif").write_bytes(b"GIF89a")
    (pool.root / "cat/notes.txt").write_text("no picture")
    found = [(f.kind, f.where, f.leaves_out) for f in built(pool).faults]
    assert found == [("other_format", "cat/animated.gif", "sample")]


def test_real_folder_has_its_counts(insects: ImageFolderData) -> None:
    assert check_data(insects) == []
    assert class_names(insects) == label_names(insects, TASK) == ("ants", "bees")
    for split, count in (("train", 30), ("val", 15)):
        dataset = built(insects, split)  # type: ignore[arg-type]  # both are split names
        assert [item.classes for item in dataset.items].count(("ants",)) == count
        assert len(dataset) == 2 * count
    assert reader.build(insects, TASK, "test") is None


def test_pictures_and_labels_are_those_of_torchvision(insects: ImageFolderData) -> None:
    theirs = ImageFolder(str(insects.root / "train"))
    ours = {item.files[0]: item for item in built(insects).items}
    assert {Path(file): label for file, label in theirs.samples} == {
        file: item.read().label
        for file, item in ours.items()
        if isinstance(item, ClassifiedPicture)
    }
    file, _ = theirs.samples[0]
    item = ours[Path(file)]
    assert isinstance(item, ClassifiedPicture)
    difference = item.read().image.astype(int) - np.array(theirs[0][0]).astype(int)
    assert abs(difference).max() <= 3  # two JPEG decoders


def test_ids_are_paths_and_so_unique_over_splits(insects: ImageFolderData) -> None:
    ids = [*built(insects).image_ids, *built(insects, "val").image_ids]
    assert len(set(ids)) == 90
    assert all((insects.root / image_id).is_file() for image_id in ids)


def test_pool_is_the_training_split(pool: ImageFolderData) -> None:
    assert built(pool).image_ids == ("cat/1.png", "cat/2.PNG", "dog/1.png", "dog/deep/2.jpg")
    assert reader.build(pool, TASK, "val") is None
    assert reader.build(pool, TASK, "test") is None


@pytest.mark.parametrize("name", ["val", "valid", "validation"])
def test_validation_folder_may_have_several_names(tmp_path: Path, name: str) -> None:
    for split in ("train", name, "test"):
        add_picture(tmp_path / split / "cat" / "1.png")
    settings = ImageFolderData(root=tmp_path)
    assert check_data(settings) == []
    assert built(settings, "val").image_ids == (f"{name}/cat/1.png",)
    assert built(settings, "test").image_ids == ("test/cat/1.png",)


def test_two_validation_folders_are_a_problem(tmp_path: Path) -> None:
    for split in ("train", "val", "valid"):
        add_picture(tmp_path / split / "cat" / "1.png")
    [problem] = check_data(ImageFolderData(root=tmp_path))
    assert problem.endswith("are both of the split 'val'; keep one")


def test_class_called_train_is_a_class(tmp_path: Path) -> None:
    for name in ("bus", "train"):
        add_picture(tmp_path / name / "1.png")
    settings = ImageFolderData(root=tmp_path)
    assert class_names(settings) == ("bus", "train")
    assert len(built(settings)) == 2


def test_class_of_validation_alone_shifts_no_label(tmp_path: Path) -> None:
    for name in ("train/b", "val/a", "val/b"):
        add_picture(tmp_path / name / "1.png")
    settings = ImageFolderData(root=tmp_path)
    assert class_names(settings) == ("a", "b")
    items = [built(settings, "train").items[0], built(settings, "val").items[1]]
    assert [i.label for i in items if isinstance(i, ClassifiedPicture)] == [1, 1]


def test_class_whose_name_is_not_utf_8_is_refused(pool: ImageFolderData) -> None:
    (pool.root / "dog").rename(pool.root / os.fsdecode(b"caf\xe9"))
    [problem] = check_data(pool)
    assert f"folder '{pool.root}/caf\\udce9' must have a name in UTF-8" in problem
    problem.encode()  # it can be printed
    with pytest.raises(InvalidDataError, match="as it names a class; rename it"):
        built(pool)


def test_picture_whose_name_is_not_utf_8_is_used(pool: ImageFolderData) -> None:
    (pool.root / "cat/1.png").rename(pool.root / "cat" / os.fsdecode(b"\xe9.png"))
    assert check_data(pool) == []
    _, second, *_ = built(pool).items
    assert os.fsencode(second.image_id) == b"cat/\xe9.png"
    assert isinstance(second, ClassifiedPicture)
    assert second.read().image.shape == (5, 7, 3)


def test_chosen_classes_give_the_label_order(pool: ImageFolderData) -> None:
    dataset = built(pool.model_copy(update={"classes": ["dog"]}))
    assert dataset.class_names == ("dog",)
    assert {item.classes for item in dataset.items} == {("dog",)}


def test_other_files_and_hidden_folders_are_no_data(pool: ImageFolderData) -> None:
    (pool.root / "cat" / "notes.txt").write_text("text")
    add_picture(pool.root / ".thumbnails" / "1.png")
    assert class_names(pool) == ("cat", "dog")
    assert len(built(pool)) == 4


def test_empty_class_is_named(pool: ImageFolderData) -> None:
    (pool.root / "emu").mkdir()
    faults = built(pool).faults
    assert [(fault.kind, fault.where) for fault in faults] == [("empty_class", "emu")]


def test_links_that_lead_out_are_left_out_and_named(
    pool: ImageFolderData, tmp_path_factory: pytest.TempPathFactory
) -> None:
    outside = tmp_path_factory.mktemp("outside")
    add_picture(outside / "secret.png")
    (pool.root / "cat" / "out.png").symlink_to(outside / "secret.png")
    (pool.root / "cat" / "away").symlink_to(outside)
    (pool.root / "cat" / "within.png").symlink_to(pool.root / "dog" / "1.png")
    dataset = built(pool)
    assert {(f.kind, f.where) for f in dataset.faults} == {
        ("unsafe_path", "cat/out.png"),
        ("unsafe_path", "cat/away"),
    }
    assert "cat/within.png" in dataset.image_ids
    assert len(dataset) == 5


def test_group_is_what_the_pattern_finds_in_the_name(tmp_path: Path) -> None:
    for name in ("cat/p1_a.png", "dog/p1_b.png", "dog/p2_a.png", "dog/other.png"):
        add_picture(tmp_path / name)
    grouped = ImageFolderData(root=tmp_path, group_pattern="^(p[0-9]+)_")
    assert [item.group for item in built(grouped).items] == ["p1", "dog/other.png", "p1", "p2"]
    alone = ImageFolderData(root=tmp_path)
    assert all(item.group == item.image_id for item in built(alone).items)


@pytest.mark.parametrize("pattern", ["p[0-9]+", "(p"])
def test_pattern_that_finds_no_group_is_refused(tmp_path: Path, pattern: str) -> None:
    with pytest.raises(ValidationError, match="group_pattern must"):
        ImageFolderData(root=tmp_path, group_pattern=pattern)


def test_litter_of_other_systems_is_left_out(pool: ImageFolderData) -> None:
    before = data_fingerprint(pool), built(pool).image_ids
    for name in ("cat/._1.png", "cat/.hidden/3.png", "cat/__MACOSX/3.png", "__MACOSX/cat/3.png"):
        add_picture(pool.root / name)
    assert class_names(pool) == ("cat", "dog")
    assert (data_fingerprint(pool), built(pool).image_ids) == before


def test_root_without_pictures_is_named(tmp_path: Path) -> None:
    [problem] = check_data(ImageFolderData(root=tmp_path / "nowhere"))
    assert "must hold a folder of pictures per class" in problem
    (tmp_path / "cat").mkdir()
    with pytest.raises(MissingDataError, match="must hold a picture of the classes cat"):
        built(ImageFolderData(root=tmp_path))


def test_fingerprint_follows_names_and_sizes(pool: ImageFolderData) -> None:
    before = data_fingerprint(pool)
    (pool.root / "cat" / "1.png").rename(pool.root / "cat" / "3.png")
    renamed = data_fingerprint(pool)
    with (pool.root / "cat" / "3.png").open("ab") as stream:
        stream.write(b" ")
    assert len({before, renamed, data_fingerprint(pool)}) == 3
