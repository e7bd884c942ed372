"""The reader of path,x1,y1,x2,y2,class lines on the forms they take."""

from pathlib import Path
from typing import cast

import cv2
import numpy as np
import pytest

from data_pipeline.catalog import check_data, class_names, data_fingerprint, label_names
from data_pipeline.datasets import box_list as reader
from data_pipeline.datasets.dataset import Dataset, Item
from data_pipeline.datasets.settings.boxes import BoxListData, ListFiles
from data_pipeline.samples import DetectionSample
from data_pipeline.splitting.splits import SplitName

TASK = "object_detection"


def built(settings: BoxListData, split: SplitName = "train") -> Dataset:
    dataset = reader.build(settings, TASK, split)
    assert dataset is not None
    return dataset


def boxes(settings: BoxListData) -> dict[str, list[list[float]]]:
    """Read the training boxes by image."""
    found = {}
    for item in built(settings).items:
        sample = cast(Item, item).read()
        assert isinstance(sample, DetectionSample)
        found[item.image_id] = sample.boxes_xyxy.tolist()
    return found


def write_list(settings: BoxListData, *lines: str) -> None:
    (settings.root / "train.txt").write_text("".join(f"{line}\n" for line in lines))


@pytest.fixture
def made(tmp_path: Path) -> BoxListData:
    """Two pictures of 40 x 20 pixels in a folder, one with two objects, and one in the root."""
    (tmp_path / "images").mkdir()
    for name in ("images/a.jpg", "images/b.jpg", "c.jpg"):
        cv2.imwrite(str(tmp_path / name), np.full((20, 40, 3), 90, dtype=np.uint8))
    settings = BoxListData(root=tmp_path)
    write_list(
        settings,
        "images/a.jpg,10,2,20,18,Person",
        "images/b.jpg,1,2,3,4,Car",
        "images/a.jpg,0,0,40,20,Car",
    )
    return settings


def test_a_line_is_the_upper_left_and_the_lower_right_corner(made: BoxListData) -> None:
    assert boxes(made) == {
        "images/a.jpg": [[10, 2, 20, 18], [0, 0, 40, 20]],
        "images/b.jpg": [[1, 2, 3, 4]],
    }


def test_row_that_the_thesis_prints_is_104_by_112_pixels(made: BoxListData) -> None:
    picture = np.zeros((2800, 400, 3), dtype=np.uint8)
    cv2.imwrite(str(made.root / "c.jpg"), picture)
    write_list(made, "c.jpg,192,2617,296,2729,Person")
    [[x1, y1, x2, y2]] = boxes(made)["c.jpg"]
    assert (x1, y1, x2 - x1, y2 - y1) == (192, 2617, 104, 112)


def test_classes_are_those_of_all_splits_by_the_alphabet(made: BoxListData) -> None:
    (made.root / "test.txt").write_text("c.jpg,1,2,3,4,Bus\n")
    assert class_names(made) == label_names(made, TASK) == ("Bus", "Car", "Person")
    assert built(made, "test").image_ids == ("c.jpg",)
    assert reader.build(made, TASK, "val") is None


def test_study_names_the_files(made: BoxListData) -> None:
    (made.root / "train.txt").rename(made.root / "annotation.txt")
    (made.root / "test_annotation.txt").write_text("c.jpg,1,2,3,4,Car\n")
    settings = made.model_copy(
        update={"lists": ListFiles(train="annotation.txt", test="test_annotation.txt")}
    )
    assert check_data(settings) == []
    assert (len(built(settings)), len(built(settings, "test"))) == (2, 1)


@pytest.mark.parametrize(
    "path",
    [
        "/data/someone/study/images/a.jpg",
        "drive/My Drive/study/images/a.jpg",
        "./images/a.jpg",
        "C:\\study\\images\\a.jpg",
        "C:/study/images/a.jpg",
        "\\\\server\\study\\images\\a.jpg",
    ],
)
def test_paths_of_another_machine_are_found_by_their_last_parts(
    made: BoxListData, path: str
) -> None:
    write_list(made, f"{path},1,2,3,4,Car", "images/a.jpg,5,6,7,8,Car")
    assert boxes(made) == {"images/a.jpg": [[1, 2, 3, 4], [5, 6, 7, 8]]}


def test_absolute_path_may_end_in_a_picture_of_the_root_and_a_relative_one_not(
    made: BoxListData,
) -> None:
    write_list(made, "/data/someone/c.jpg,1,2,3,4,Car")
    assert list(boxes(made)) == ["c.jpg"]
    write_list(made, "elsewhere/c.jpg,1,2,3,4,Car")
    assert [fault.kind for fault in built(made).faults] == ["absent"]


def test_longest_matching_path_wins(made: BoxListData) -> None:
    (made.root / "x" / "images").mkdir(parents=True)
    (made.root / "images" / "a.jpg").rename(made.root / "x" / "images" / "a.jpg")
    cv2.imwrite(str(made.root / "images" / "a.jpg"), np.zeros((5, 5, 3), dtype=np.uint8))
    write_list(made, "/y/x/images/a.jpg,1,2,3,4,Car")
    assert list(boxes(made)) == ["x/images/a.jpg"]


def test_commas_are_quoted_and_in_a_path_need_not_be(made: BoxListData) -> None:
    for name in ("a,1.jpg", 'b"2.jpg'):
        cv2.imwrite(str(made.root / name), np.zeros((20, 40, 3), dtype=np.uint8))
    write_list(
        made,
        '"a,1.jpg",1,2,3,4,"car, parked"',
        '"b""2.jpg",1,2,3,4,Car',
        "a,1.jpg,5,6,7,8,Car",
    )
    assert class_names(made) == ("Car", "car, parked")
    assert boxes(made) == {"a,1.jpg": [[1, 2, 3, 4], [5, 6, 7, 8]], 'b"2.jpg': [[1, 2, 3, 4]]}


@pytest.mark.parametrize(
    "bad",
    [
        "images/a.jpg,1,2,3,Car",
        "images/a.jpg,1,2,3,nan,Car",
        "images/a.jpg,1,2,3,1e999,Car",
        "images/a.jpg,1,2,3,4,",
        ",1,2,3,4,Car",
        "Car",
        ",,,,,",
        "path,x1,y1,x2,y2,class",
    ],
)
def test_line_that_is_none_is_counted_and_the_rest_is_used(made: BoxListData, bad: str) -> None:
    write_list(made, bad, "images/b.jpg,1,2,3,4,Car", "", bad)
    dataset = built(made)
    assert dataset.image_ids == ("images/b.jpg",)
    assert [(f.kind, f.leaves_out, f.count) for f in dataset.faults] == [("malformed", "box", 2)]
    assert dataset.faults[0].message.startswith("train.txt:1 must be path,x1,y1,x2,y2,class")


def test_pictures_that_are_not_there_are_counted_once_each(made: BoxListData) -> None:
    long = f"images/{'x' * 5000}.jpg"
    lines = [f"{path},1,2,3,4,Car" for path in ("images/x.jpg", "images/x.jpg", long)]
    write_list(made, *lines, "images/b.jpg,1,2,3,4,Car")
    dataset = built(made)
    assert dataset.image_ids == ("images/b.jpg",)
    assert [(f.kind, f.leaves_out, f.count) for f in dataset.faults] == [("absent", "sample", 2)]


@pytest.mark.parametrize("path", ["../outside.jpg", "images/../../outside.jpg", "/x/../../y.jpg"])
def test_path_that_leads_upwards_is_a_fault_and_not_opened(
    made: BoxListData, tmp_path: Path, path: str
) -> None:
    inner = made.model_copy(update={"root": tmp_path / "inner"})
    (made.root / "images").rename(tmp_path / "kept")
    inner.root.mkdir()
    (tmp_path / "kept").rename(inner.root / "images")
    cv2.imwrite(str(tmp_path / "outside.jpg"), np.zeros((20, 40, 3), dtype=np.uint8))
    write_list(inner, f"{path},1,2,3,4,Car", "images/b.jpg,1,2,3,4,Car")
    dataset = built(inner)
    assert dataset.image_ids == ("images/b.jpg",)
    assert [fault.kind for fault in dataset.faults] == ["unsafe_path"]


def test_absolute_path_of_this_machine_is_not_opened_outside_the_root(
    made: BoxListData, tmp_path_factory: pytest.TempPathFactory
) -> None:
    outside = tmp_path_factory.mktemp("outside") / "secret.jpg"
    cv2.imwrite(str(outside), np.zeros((20, 40, 3), dtype=np.uint8))
    write_list(made, f"{outside},1,2,3,4,Car")
    dataset = built(made)
    assert len(dataset) == 0
    assert [fault.kind for fault in dataset.faults] == ["absent"]


def test_boxes_at_fault_are_named_and_left_out(made: BoxListData) -> None:
    write_list(
        made,
        "images/a.jpg,10,2,10,18,Car",
        "images/a.jpg,-1e9,0,1e9,9,Car",
        "images/a.jpg,1,2,3,4,Car",
    )
    [item] = built(made).items
    assert {(f.kind, f.count) for f in item.faults()} == {("zero_area_box", 1), ("outside_box", 1)}
    assert boxes(made)["images/a.jpg"] == [[0, 0, 40, 9], [1, 2, 3, 4]]


def test_everything_missing_is_named(made: BoxListData) -> None:
    [problem] = check_data(made.model_copy(update={"classes": ["car"]}))
    assert "did you mean 'Car'?" in problem
    write_list(made, "nothing")
    [problem] = check_data(made)
    assert "must have a line path,x1,y1,x2,y2,class" in problem
    (made.root / "train.txt").unlink()
    [problem] = check_data(made)
    assert problem == (
        f"{made.root / 'train.txt'} does not exist; restore it or correct data.root or data.lists"
    )


def test_fingerprint_follows_the_lists(made: BoxListData) -> None:
    before = data_fingerprint(made)
    assert data_fingerprint(made) == before
    write_list(made, "images/a.jpg,1,2,3,4,Car")
    assert data_fingerprint(made) != before
