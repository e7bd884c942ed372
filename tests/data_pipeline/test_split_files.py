"""Which splits there are, and what must be there for a study to start."""

from pathlib import Path

import cv2
import numpy as np
import pytest

from data_pipeline.catalog import check_data
from data_pipeline.datasets import open_images
from data_pipeline.datasets.settings.boxes import CocoData, OpenImagesData
from data_pipeline.datasets.split_files import absent_split_problems, present_splits
from data_pipeline.settings import DataSettings, Split
from data_pipeline.source import open_data

TASK = "object_detection"
FOLDERS = ("train", "validation", "test")


@pytest.fixture(autouse=True)
def _workspace(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("VISIONSTUDY_WORKSPACE", str(tmp_path_factory.mktemp("workspace")))


def test_folder_in_place_of_a_file_is_no_split(tmp_path: Path) -> None:
    (tmp_path / "train").mkdir()
    (tmp_path / "val").write_text("")
    assert present_splits(tmp_path.joinpath) == ["val"]
    assert present_splits(tmp_path.joinpath, is_there=Path.is_dir) == ["train"]


def test_what_is_there_and_of_another_kind_is_named_so(tmp_path: Path) -> None:
    settings = DataSettings(dataset="x")
    (tmp_path / "train").mkdir()
    [problem] = absent_split_problems(settings, tmp_path.joinpath, remedy="correct it")
    assert problem == f"{tmp_path / 'train'} is no file; restore it or correct it"
    assert not absent_split_problems(settings, tmp_path.joinpath, remedy="", is_there=Path.is_dir)


@pytest.mark.parametrize("split", [Split(), Split(folds=3, fold=1)], ids=["given", "folds"])
def test_coco_with_training_alone_has_validation_cut_from_it(
    coco: CocoData, tmp_path: Path, split: Split
) -> None:
    for name in ("train2017", "annotations/instances_train2017.json"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).symlink_to(coco.root / name)
    settings = CocoData(root=tmp_path, split=split, keep_empty=True)
    assert check_data(settings) == []
    source = open_data(settings, TASK, seed=0, examines=False)
    train, val = source.image_ids("train"), source.image_ids("val")
    assert len(train) + len(val) == 166
    assert not set(train) & set(val)
    assert len(val) > 20


@pytest.fixture
def opens(tmp_path: Path) -> OpenImagesData:
    """One picture with a car in each split of Open Images."""
    (tmp_path / "class-descriptions-boxable.csv").write_text("/m/0k4j,Car\n")
    for name in FOLDERS:
        (tmp_path / name).mkdir()
        cv2.imwrite(str(tmp_path / name / f"{name}1.jpg"), np.zeros((20, 40, 3), dtype=np.uint8))
        (tmp_path / f"{name}-annotations-bbox.csv").write_text(
            f"ImageID,LabelName,XMin,XMax,YMin,YMax,IsGroupOf\n{name}1,/m/0k4j,0,1,0,1,0\n"
        )
    return OpenImagesData(root=tmp_path)


def without(settings: OpenImagesData, *folders: str) -> list[str]:
    for name in folders:
        for file in (settings.root / name).iterdir():
            file.unlink()
        (settings.root / name).rmdir()
    return check_data(settings)


def test_boxes_of_the_test_split_need_no_pictures(opens: OpenImagesData) -> None:
    assert without(opens, "test") == []
    test = open_images.build(opens, TASK, "test")
    assert test is not None
    assert len(test) == 0
    [fault] = test.faults
    assert (fault.kind, fault.where) == ("absent", "test-annotations-bbox.csv")
    source = open_data(opens, TASK, seed=0)
    assert source.validation(1).images == 1
    assert source.test(1) is None


@pytest.mark.parametrize("name", ["train", "validation"])
def test_pictures_of_training_and_validation_must_be_there(
    opens: OpenImagesData, name: str
) -> None:
    [problem] = without(opens, name)
    assert problem.startswith(f"images folder {opens.root / name} does not exist")


def test_pictures_of_one_split_suffice_where_all_are_pooled(opens: OpenImagesData) -> None:
    pooled = opens.model_copy(update={"split": Split(policy="random")})
    assert without(pooled, "train", "test") == []
    assert len(without(pooled, "validation")) == 3
