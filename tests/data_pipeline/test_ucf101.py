"""UCF101: the official lists, the real clips, and lists that are not as they should be."""

from pathlib import Path

import numpy as np
import pytest

from data_pipeline.catalog import check_data, class_names, data_fingerprint, label_names
from data_pipeline.datasets.dataset import Dataset
from data_pipeline.datasets.settings.videos import UCF101Data
from data_pipeline.datasets.ucf101 import build, official_clips
from data_pipeline.errors import InvalidDataError, MissingDataError, UnknownClassError
from data_pipeline.video.writing import write_video

TASK = "action_recognition"


@pytest.fixture
def settings(real_data: Path) -> UCF101Data:
    return UCF101Data(root=real_data / "ucf101_mini")


@pytest.fixture
def made(tmp_path: Path) -> Path:
    """A tiny dataset in the layout, of two classes and three clips."""
    lists = tmp_path / "data" / "ucfTrainTestlist"
    lists.mkdir(parents=True)
    (lists / "classInd.txt").write_text("1 HandstandPushups\r\n2 Yo Yo\r\n")
    (lists / "trainlist01.txt").write_text(
        "HandstandPushups/v_HandStandPushups_g08_c01.avi 1\r\nYo Yo/v_Yo Yo_g09_c02.avi 2\r\n"
    )
    (lists / "testlist01.txt").write_text("Yo Yo/v_Yo Yo_g01_c01.avi\r\n")
    for name in (
        "HandStandPushups/v_HandstandPushups_g08_c01.avi",
        "Yo Yo/v_Yo Yo_g09_c02.avi",
        "Yo Yo/v_Yo Yo_g01_c01.avi",
    ):
        file = tmp_path / "data" / "videos" / name
        file.parent.mkdir(parents=True, exist_ok=True)
        grey = np.full((4, 32, 48, 3), 99, dtype=np.uint8)
        write_video(file, grey, size_hw=(32, 48), rate=4)
    return tmp_path / "data"


def listed(settings: UCF101Data, split: str = "train") -> Dataset:
    dataset = build(settings, TASK, split)  # type: ignore[arg-type]  # one of the three names
    assert dataset is not None
    return dataset


@pytest.mark.parametrize(("number", "train", "test"), [(1, 2, 5), (2, 7, 0), (3, 7, 0)])
def test_official_splits_have_the_clips_that_are_on_disk(
    settings: UCF101Data, number: int, train: int, test: int
) -> None:
    chosen = settings.model_copy(update={"split_list": number})
    assert check_data(chosen) == []
    assert (len(listed(chosen)), len(listed(chosen, "test"))) == (train, test)
    assert build(chosen, TASK, "val") is None


def test_clips_know_their_class_group_and_frames(settings: UCF101Data) -> None:
    names = class_names(settings)
    assert (len(names), names[0], names[-1]) == (101, "ApplyEyeMakeup", "YoYo")
    biking = {item.image_id: item for item in listed(settings, "test").items}[
        "Biking/v_Biking_g05_c02"
    ]
    assert biking.group == "v_Biking_g05"
    assert biking.classes == ("Biking",)
    assert biking.label == names.index("Biking") == 10  # type: ignore[attr-defined]
    assert biking.frame_count() == 201  # type: ignore[attr-defined]
    frames = biking.frames(np.array([0, 200]), 60)  # type: ignore[attr-defined]
    assert frames.shape == (2, 60, 80, 3)
    assert frames.std() > 10


def test_absent_clips_are_counted_and_left_out(settings: UCF101Data) -> None:
    [fault] = listed(settings).faults
    assert (fault.kind, fault.where, fault.count) == ("absent", "trainlist01.txt", 9535)
    assert "9535 of 9537 listed videos are not in" in fault.message


@pytest.mark.parametrize(
    ("number", "train", "test"), [(1, 9537, 3783), (2, 9586, 3734), (3, 9624, 3696)]
)
def test_official_lists_hold_13320_clips_and_share_no_group(
    settings: UCF101Data, number: int, train: int, test: int
) -> None:
    clips = official_clips(settings.model_copy(update={"split_list": number}))
    assert len({clip.image_id for clip in clips}) == len(clips) == train + test == 13_320
    groups = {clip.group for clip in clips}
    assert len(groups) == 101 * 25
    assert not {c.group for c in clips[:train]} & {c.group for c in clips[train:]}
    assert {clip.class_name for clip in clips} == set(class_names(settings))


def test_chosen_classes_are_labelled_in_their_order(settings: UCF101Data) -> None:
    chosen = settings.model_copy(update={"classes": ["Punch", "Biking"]})
    assert label_names(chosen, TASK) == ("Punch", "Biking")
    items = listed(chosen, "test").items
    assert {i.classes[0]: i.label for i in items} == {"Punch": 0, "Biking": 1}  # type: ignore[attr-defined]
    [fault] = listed(chosen, "test").faults
    assert fault.count < 100  # those of the chosen classes


def test_unknown_class_is_named(settings: UCF101Data) -> None:
    wrong = settings.model_copy(update={"classes": ["Bikin"]})
    [problem] = check_data(wrong)
    assert "unknown class of dataset 'ucf101' 'Bikin'; did you mean 'Biking'?" in problem
    with pytest.raises(UnknownClassError):
        build(wrong, TASK, "train")


def test_other_capitals_spaces_and_line_ends_do_not_matter(made: Path) -> None:
    settings = UCF101Data(root=made)
    assert check_data(settings) == []
    train, test = listed(settings), listed(settings, "test")
    assert not train.faults
    assert not test.faults
    assert [(i.image_id, i.group) for i in train.items] == [
        ("HandstandPushups/v_HandStandPushups_g08_c01", "v_HandStandPushups_g08"),
        ("Yo Yo/v_Yo Yo_g09_c02", "v_Yo Yo_g09"),
    ]
    assert [item.frame_count() for item in train.items] == [4, 4]  # type: ignore[attr-defined]
    assert test.image_ids == ("Yo Yo/v_Yo Yo_g01_c01",)


@pytest.mark.parametrize(
    "line",
    [
        "Yo Yo/v_Yo Yo_g01_c01.avi 1",  # 2 is its number
        "YoYo/v_YoYo_g01_c01.avi 2",
        "Yo Yo/clip.avi 2",
        "Yo Yo",
        "Yo Yo/v_Yo Yo_g01_c01.avi " + "9" * 6000,
        "Yo Yo/" + "v_" * 4000 + "g01_c01.avi",
    ],
)
def test_a_line_that_names_no_clip_is_reported_and_the_others_are_used(
    made: Path, line: str
) -> None:
    file = made / "ucfTrainTestlist" / "trainlist01.txt"
    file.write_text(file.read_text() + line + "\n")
    dataset = listed(UCF101Data(root=made))
    assert len(dataset) == 2
    [fault] = dataset.faults
    assert (fault.kind, fault.leaves_out, fault.count) == ("malformed", "sample", 1)
    assert fault.message.startswith("trainlist01.txt:3 must be 'Class/v_Class_g01_c01.avi'")


def test_names_that_lead_out_of_the_folder_are_never_opened(made: Path) -> None:
    secret = made.parent / "v_secret_g01_c01.avi"
    secret.write_bytes(b"secret")
    (made / "videos" / "Yo Yo" / "v_link_g02_c01.avi").symlink_to(secret)
    file = made / "ucfTrainTestlist" / "trainlist01.txt"
    file.write_text(
        "Yo Yo/../../../v_secret_g01_c01.avi 2\nYo Yo/v_link_g02_c01.avi 2\n" + file.read_text()
    )
    dataset = listed(UCF101Data(root=made))
    assert len(dataset) == 2
    assert {fault.kind: fault.count for fault in dataset.faults} == {
        "unsafe_path": 1,
        "absent": 1,
    }


@pytest.mark.parametrize("content", ["2 YoYo\n", "1 YoYo\n2 YoYo\n", "1 YoYo\n1 Punch\n", "", "x"])
def test_a_damaged_list_of_classes_is_named(made: Path, content: str) -> None:
    (made / "ucfTrainTestlist" / "classInd.txt").write_text(content)
    with pytest.raises(InvalidDataError, match=r"classInd\.txt"):
        class_names(UCF101Data(root=made))
    [problem] = check_data(UCF101Data(root=made))
    assert "classInd.txt" in problem


def test_what_is_missing_is_said(made: Path, tmp_path: Path) -> None:
    [problem] = check_data(UCF101Data(root=tmp_path / "nowhere"))
    assert "must be UCF101's folder" in problem
    (made / "videos").rename(made / "elsewhere")
    [problem] = check_data(UCF101Data(root=made))
    assert problem.endswith("UCF-101 does not exist; restore it or correct data.root")
    (made / "UCF-101").mkdir()
    [problem] = check_data(UCF101Data(root=made))
    assert "none of the 3 listed videos is in" in problem
    (made / "ucfTrainTestlist" / "testlist01.txt").unlink()
    [problem] = check_data(UCF101Data(root=made))
    assert "cannot read" in problem
    with pytest.raises(MissingDataError):
        build(UCF101Data(root=made), TASK, "test")


def test_fingerprint_changes_with_lists_and_videos(made: Path) -> None:
    settings = UCF101Data(root=made)
    before = data_fingerprint(settings)
    assert data_fingerprint(settings.model_copy(update={"image_size": 64})) == before
    (made / "videos" / "Yo Yo" / "v_Yo Yo_g01_c01.avi").unlink()
    fewer = data_fingerprint(settings)
    file = made / "ucfTrainTestlist" / "testlist01.txt"
    file.write_text(file.read_text() + "Yo Yo/v_Yo Yo_g01_c03.avi\n")
    assert len({before, fewer, data_fingerprint(settings)}) == 3
