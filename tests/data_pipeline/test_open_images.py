"""The Open Images reader on real pictures and on the forms its CSV files take."""

import csv
from pathlib import Path
from typing import cast

import cv2
import numpy as np
import pytest

from data_pipeline.catalog import check_data, class_names, data_fingerprint, label_names
from data_pipeline.datasets import annotation_index
from data_pipeline.datasets import coco as coco_reader
from data_pipeline.datasets import open_images as reader
from data_pipeline.datasets.dataset import Dataset, Item, Listed
from data_pipeline.datasets.settings.boxes import CocoData, OpenImagesData
from data_pipeline.errors import InvalidDataError
from data_pipeline.samples import DetectionSample
from data_pipeline.settings import Split
from data_pipeline.splitting.splits import SplitName

TASK = "object_detection"
HEADER = (
    "ImageID,Source,LabelName,Confidence,XMin,XMax,YMin,YMax,"
    "IsOccluded,IsTruncated,IsGroupOf,IsDepiction,IsInside"
)
CAR, LIGHT = "/m/0k4j", "/m/015qff"
FIRST, SECOND = "0000048549557964", "00001bcc92282a38"


def built(settings: OpenImagesData, split: SplitName = "train") -> Dataset:
    dataset = reader.build(settings, TASK, split)
    assert dataset is not None
    return dataset


def samples(dataset: Dataset) -> dict[str, DetectionSample]:
    return {item.image_id: read(item) for item in dataset.items}


def read(item: Listed) -> DetectionSample:
    sample = cast(Item, item).read()
    assert isinstance(sample, DetectionSample)
    return sample


def row(image_id: str, label: str, box: str = "0.25,0.5,0.1,0.9", flags: str = "0,0,0,0,0") -> str:
    """A row; `box` is XMin,XMax,YMin,YMax, `flags` are the last five columns."""
    return f"{image_id},xclick,{label},1,{box},{flags}"


def write_boxes(root: Path, *rows: str, split: str = "train") -> None:
    text = "\n".join([HEADER, *rows])
    (root / f"{split}-annotations-bbox.csv").write_text(f"{text}\n")


@pytest.fixture
def made(tmp_path: Path) -> OpenImagesData:
    """Two training pictures of 40 x 20 pixels, a car in each, and a list of two classes."""
    (tmp_path / "train").mkdir()
    for image_id in (FIRST, SECOND):
        picture = np.zeros((20, 40, 3), dtype=np.uint8)
        picture[:10, :20] = 255
        cv2.imwrite(str(tmp_path / "train" / f"{image_id}.jpg"), picture)
    (tmp_path / "class-descriptions-boxable.csv").write_text(f"{CAR},Car\n{LIGHT},Traffic light\n")
    write_boxes(tmp_path, row(FIRST, CAR), row(SECOND, CAR))
    return OpenImagesData(root=tmp_path)


def choosing(settings: OpenImagesData, **changes: object) -> OpenImagesData:
    return settings.model_copy(update=changes)


def test_real_sample_has_the_images_boxes_and_groups_of_its_sources(real_data: Path) -> None:
    settings = OpenImagesData(root=real_data / "openimages_mini", keep_empty=True)
    assert check_data(settings) == []
    assert len(class_names(settings)) == 601
    parts = {split: samples(built(settings, split)) for split in ("train", "val")}
    assert {split: len(found) for split, found in parts.items()} == {"train": 10, "val": 16}
    boxes = {split: sum(len(s.labels) for s in found.values()) for split, found in parts.items()}
    groups = {
        split: sum(int(s.is_crowd.sum()) for s in found.values()) for split, found in parts.items()
    }
    assert boxes == {"train": 84, "val": 105}
    assert groups == {"train": 2, "val": 3}
    assert reader.build(settings, TASK, "test") is None


def test_real_sample_has_no_fault_but_groups(real_data: Path) -> None:
    settings = OpenImagesData(root=real_data / "openimages_mini", keep_empty=True)
    parts = [built(settings, split) for split in ("train", "val")]
    faults = [fault for part in parts for item in part.items for fault in item.faults()]
    assert [part.faults for part in parts] == [(), ()]
    assert {fault.kind for fault in faults} == {"crowd"}
    assert sum(fault.count for fault in faults) == 5


def test_real_id_of_decimal_digits_stays_text(real_data: Path) -> None:
    settings = OpenImagesData(root=real_data / "openimages_mini", keep_empty=True)
    assert FIRST in built(settings).image_ids


def test_real_grey_pictures_are_read_with_three_equal_channels(real_data: Path) -> None:
    settings = OpenImagesData(root=real_data / "openimages_mini", keep_empty=True)
    for split in ("train", "val"):
        images = [sample.image for sample in samples(built(settings, split)).values()]
        assert all(image.ndim == 3 for image in images)
        grey = [image for image in images if (image == image[..., :1]).all()]
        assert len(grey) == 1


def test_real_subset_of_the_classes_may_be_the_list(real_data: Path) -> None:
    root = real_data / "openimages_mini"
    settings = OpenImagesData(
        root=root, class_list="class-descriptions-subset.csv", keep_empty=True
    )
    assert len(class_names(settings)) == 44
    found = samples(built(settings))
    assert sum(len(sample.labels) for sample in found.values()) == 84


def test_coco_in_open_images_layout_has_the_boxes_of_the_coco_reader(real_data: Path) -> None:
    root = real_data / "openimages_from_coco"
    with (root / "coco_to_openimages_classes.csv").open() as stream:
        names = {line["coco_name"]: line["openimages_name"] for line in csv.DictReader(stream)}
    converted = OpenImagesData(root=root, classes=list(names.values()), keep_empty=True)
    original = CocoData(root=real_data / "coco_mini", classes=list(names), keep_empty=True)
    counts = {}
    for split in ("train", "val"):
        coco = coco_reader.build(original, TASK, split)
        assert coco is not None
        expected = {f"c0c0{int(name):012d}": s for name, s in samples(coco).items()}
        found = samples(built(converted, split))
        for image_id, sample in found.items():
            assert_same_boxes(sample, expected[image_id])
        counts[split] = (len(found), sum(len(sample.labels) for sample in found.values()))
    assert counts == {"train": (26, 307), "val": (14, 135)}


def assert_same_boxes(one: DetectionSample, other: DetectionSample) -> None:
    """Boxes may be in another order, and differ by less than a pixel."""
    assert one.image.shape == other.image.shape
    assert sorted(one.labels.tolist()) == sorted(other.labels.tolist())
    for label in set(one.labels.tolist()):
        mine, theirs = one.labels == label, other.labels == label
        gaps = np.abs(one.boxes_xyxy[mine][:, None] - other.boxes_xyxy[theirs][None]).max(axis=2)
        nearest = gaps.argmin(axis=1)
        assert sorted(nearest.tolist()) == list(range(len(nearest)))
        assert gaps.min(axis=1).max() < 1.0
        assert (one.is_crowd[mine] == other.is_crowd[theirs][nearest]).all()


def test_corners_are_shares_of_width_and_height(made: OpenImagesData) -> None:
    sample = samples(built(made))[FIRST]
    assert sample.boxes_xyxy.tolist() == [[10.0, 2.0, 20.0, 18.0]]
    assert sample.stored_hw == (20, 40)


def test_validation_is_the_datasets_folder_of_that_name(made: OpenImagesData) -> None:
    (made.root / "train").rename(made.root / "validation")
    (made.root / "train-annotations-bbox.csv").unlink()
    write_boxes(made.root, row(FIRST, CAR), split="validation")
    assert built(made, "val").image_ids == (FIRST,)
    assert reader.build(made, TASK, "train") is None


def test_display_names_are_the_classes(made: OpenImagesData) -> None:
    assert label_names(made, TASK) == ("Car", "Traffic light")
    assert label_names(choosing(made, classes=["Traffic light"]), TASK) == ("Traffic light",)
    [problem] = check_data(choosing(made, classes=["traffic light"]))
    assert "did you mean 'Traffic light'?" in problem


def test_class_list_may_have_a_header_and_quoted_commas(made: OpenImagesData) -> None:
    text = f'LabelName,DisplayName\n{CAR},"Car, red"\n'
    (made.root / "class-descriptions-boxable.csv").write_text(text)
    assert class_names(made) == ("Car, red",)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (f"{CAR},Car\n{CAR},Bus\n", r"boxable\.csv:2 must be 'label,name'"),
        (f"{CAR},Car\n{LIGHT},Car\n", r"got 2 labels with 1 names"),
        ("Car\n", r"boxable\.csv:1 must be 'label,name'"),
        ("", r"must name at least one class"),
    ],
)
def test_class_list_that_cannot_be_used_is_named(
    made: OpenImagesData, text: str, message: str
) -> None:
    (made.root / "class-descriptions-boxable.csv").write_text(text)
    with pytest.raises(InvalidDataError, match=message):
        class_names(made)
    assert len(check_data(made)) == 1


def test_newer_file_name_is_found(made: OpenImagesData) -> None:
    old = made.root / "train-annotations-bbox.csv"
    old.rename(made.root / "oidv6-train-annotations-bbox.csv")
    assert check_data(made) == []
    assert len(built(made)) == 2


def test_unknown_flags_count_as_not_set(made: OpenImagesData) -> None:
    write_boxes(made.root, row(FIRST, CAR, flags="-1,-1,-1,-1,-1"))
    flags = ["occluded", "truncated", "depiction", "inside"]
    sample = samples(built(choosing(made, leave_out=flags)))[FIRST]
    assert sample.is_crowd.tolist() == [False]


@pytest.mark.parametrize(
    ("group_of", "crowds"),
    [("crowd", [False, True]), ("object", [False, False]), ("drop", [False])],
)
def test_groups_are_what_the_study_makes_of_them(
    made: OpenImagesData, group_of: str, crowds: list[bool]
) -> None:
    write_boxes(made.root, row(FIRST, CAR), row(FIRST, CAR, flags="0,0,1,0,0"))
    sample = samples(built(choosing(made, group_of=group_of)))[FIRST]
    assert sample.is_crowd.tolist() == crowds


@pytest.mark.parametrize(
    ("flag", "flags"),
    [
        ("occluded", "1,0,0,0,0"),
        ("truncated", "0,1,0,0,0"),
        ("depiction", "0,0,0,1,0"),
        ("inside", "0,0,0,0,1"),
    ],
)
def test_boxes_with_an_unwanted_flag_are_left_out(
    made: OpenImagesData, flag: str, flags: str
) -> None:
    write_boxes(made.root, row(FIRST, CAR), row(FIRST, LIGHT, flags=flags))
    assert samples(built(made))[FIRST].labels.tolist() == [0, 1]
    chosen = choosing(made, leave_out=[flag])
    assert samples(built(chosen))[FIRST].labels.tolist() == [0]


def test_pictures_that_are_not_on_disk_are_counted_once_each(made: OpenImagesData) -> None:
    absent = [row("ffff", CAR), row("eeee", CAR), row("ffff", LIGHT), row("../train/x", CAR)]
    write_boxes(made.root, row(FIRST, CAR), *absent)
    dataset = built(made)
    assert dataset.image_ids == (FIRST,)
    [fault] = [fault for fault in dataset.faults if fault.kind == "absent"]
    assert (fault.count, fault.leaves_out) == (3, "sample")
    assert "the first is '../train/x'" in fault.message


def test_rows_of_a_picture_need_not_follow_each_other(made: OpenImagesData) -> None:
    write_boxes(made.root, row(SECOND, CAR), row(FIRST, CAR), row(SECOND, LIGHT))
    found = samples(built(made))
    assert {name: s.labels.tolist() for name, s in found.items()} == {FIRST: [0], SECOND: [0, 1]}


def test_label_that_is_no_class_is_a_fault_of_its_box(made: OpenImagesData) -> None:
    write_boxes(made.root, row(FIRST, CAR), row(FIRST, "/m/unknown"))
    [item] = built(made).items
    assert [(f.kind, f.leaves_out, f.count) for f in item.faults()] == [
        ("unknown_label", "box", 1)
    ]


@pytest.mark.parametrize(
    "bad",
    [
        row(FIRST, CAR, "nan,0.5,0.1,0.9"),
        row(FIRST, CAR, "0.1,inf,0.1,0.9"),
        row(FIRST, CAR, "a,0.5,0.1,0.9"),
        f"{FIRST},xclick,{CAR}",
        f"{row(FIRST, CAR)},0",
        '"',
        "\x00",
    ],
)
def test_row_that_is_none_is_counted_and_the_rest_is_used(made: OpenImagesData, bad: str) -> None:
    write_boxes(made.root, row(FIRST, CAR), bad, bad, row(SECOND, CAR))
    dataset = built(made)
    assert dataset.image_ids == (FIRST, SECOND)
    assert [(f.kind, f.count) for f in dataset.faults] == [("malformed", 2)]
    assert "train-annotations-bbox.csv:3 must be a row" in dataset.faults[0].message


def test_bytes_that_are_not_utf8_spoil_their_own_row(made: OpenImagesData) -> None:
    file = made.root / "train-annotations-bbox.csv"
    file.write_bytes(file.read_bytes() + row("caf\xe9", CAR).encode("latin-1"))
    dataset = built(made)
    assert dataset.image_ids == (FIRST, SECOND)
    assert [fault.kind for fault in dataset.faults] == ["absent"]


@pytest.mark.parametrize("text", ["", "ImageID,LabelName,XMin,XMax,YMin\n", "\x89PNG\r\n\x1a\n"])
def test_file_without_the_needed_columns_is_named(made: OpenImagesData, text: str) -> None:
    (made.root / "train-annotations-bbox.csv").write_text(text)
    with pytest.raises(InvalidDataError, match=r"bbox\.csv must name the column"):
        built(made)


def test_flag_that_is_left_out_must_have_a_column(made: OpenImagesData) -> None:
    text = f"ImageID,LabelName,XMin,XMax,YMin,YMax\n{FIRST},{CAR},0.1,0.2,0.1,0.2\n"
    (made.root / "train-annotations-bbox.csv").write_text(text)
    assert len(built(made)) == 1
    with pytest.raises(InvalidDataError, match="must name the column IsDepiction"):
        built(choosing(made, leave_out=["depiction"]))


def test_pictures_without_a_box_are_kept_if_the_study_wants_empty_ones(
    made: OpenImagesData,
) -> None:
    write_boxes(made.root, row(SECOND, CAR))
    assert built(made).image_ids == (SECOND,)
    kept = samples(built(choosing(made, keep_empty=True)))
    assert {name: len(sample.labels) for name, sample in kept.items()} == {FIRST: 0, SECOND: 1}


def test_index_gives_the_same_dataset_as_the_file(
    made: OpenImagesData, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_boxes(made.root, row(FIRST, CAR), "bad", row("gone", CAR), row(SECOND, LIGHT))
    parsed = built(made)
    monkeypatch.setenv("VISIONSTUDY_WORKSPACE", str(tmp_path / "workspace"))
    monkeypatch.setattr(annotation_index, "SMALL_BYTES", 0)
    for _ in range(2):  # made, then opened
        opened = built(made)
        assert opened.image_ids == parsed.image_ids
        assert set(opened.faults) == set(parsed.faults)
        for name, sample in samples(opened).items():
            assert (sample.boxes_xyxy == samples(parsed)[name].boxes_xyxy).all()
    (made.root / "train" / f"{SECOND}.jpg").unlink()
    assert built(made).image_ids == (FIRST,)  # what is on disk is part of the index's name


def rotated(made: OpenImagesData, rotation: str) -> OpenImagesData:
    """Write an image list, with a title that has commas and quotes."""
    header = "ImageID,Subset,Title,Rotation"
    line = f'{FIRST},train,"A ""street"", wet",{rotation}'
    (made.root / "train-images-boxable-with-rotation.csv").write_text(f"{header}\n{line}\n")
    return choosing(made, upright=True)


@pytest.mark.parametrize(
    ("rotation", "box", "white"),
    [
        ("0", [10, 2, 20, 18], (5, 5)),
        ("", [10, 2, 20, 18], (5, 5)),
        ("nan", [10, 2, 20, 18], (5, 5)),
        ("90", [2, 20, 18, 30], (35, 5)),
        ("180.0", [20, 2, 30, 18], (15, 35)),
        ("270.0", [2, 10, 18, 20], (5, 15)),
    ],
)
def test_pictures_are_turned_upright_with_their_boxes(
    made: OpenImagesData, rotation: str, box: list[float], white: tuple[int, int]
) -> None:
    settings = rotated(made, rotation)
    assert check_data(settings) == []
    sample = samples(built(settings))[FIRST]
    assert sample.boxes_xyxy.tolist() == [box]
    assert sample.image[white].min() > 200  # the upper left quarter, wherever it is now
    assert (sample.image > 128).mean() == pytest.approx(0.25, abs=0.02)
    assert sample.stored_hw == sample.image.shape[:2]
    assert samples(built(choosing(settings, upright=False)))[FIRST].image.shape == (20, 40, 3)


def test_upright_pictures_need_the_list_of_rotations(made: OpenImagesData) -> None:
    [problem] = check_data(choosing(made, upright=True))
    assert "got no train-images-with-rotation.csv" in problem


def test_everything_missing_is_named(made: OpenImagesData, tmp_path: Path) -> None:
    [nowhere] = check_data(choosing(made, root=tmp_path / "nowhere"))
    assert "must be a folder with the CSV files" in nowhere
    (made.root / "train-annotations-bbox.csv").unlink()
    (made.root / "class-descriptions-boxable.csv").unlink()
    boxes, classes = check_data(made)
    assert boxes.startswith(f"{made.root / 'train-annotations-bbox.csv'} does not exist")
    assert "cannot read" in classes


def test_pooled_splits_need_no_training_file(made: OpenImagesData) -> None:
    for name in ("train-annotations-bbox.csv", "train"):
        (made.root / name).rename(made.root / name.replace("train", "validation"))
    assert len(check_data(made)) == 1
    assert check_data(choosing(made, split=Split(policy="random"))) == []


def test_fingerprint_follows_boxes_classes_and_pictures(made: OpenImagesData) -> None:
    prints = [data_fingerprint(made), data_fingerprint(made)]
    (made.root / "train" / f"{SECOND}.jpg").unlink()
    prints.append(data_fingerprint(made))
    write_boxes(made.root, row(FIRST, LIGHT))
    prints.append(data_fingerprint(made))
    with (made.root / "class-descriptions-boxable.csv").open("a") as stream:
        stream.write("/m/new,New\n")
    prints.append(data_fingerprint(made))
    prints.append(data_fingerprint(rotated(made, "90")))
    assert prints[0] == prints[1]
    assert len(set(prints)) == 5
